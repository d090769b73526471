"""Griffin-Lim's two projections, fused: onto wanted magnitudes, and onto spectra that some signal has.

Griffin & Lim (1984), with the momentum of Perraudin, Balazs & Sondergaard (2013). Here the momentum is applied to the
signal rather than to its spectrum: the transform is linear, so the iterates are the same, at a quarter of the memory
traffic and with no complex history to keep. Samples before the block are pinned: the projection is onto the signals
that continue them.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, hann
from audiogen.vocoders.targets import Target


def chunks(spec: MelSpec) -> int:
    """Number of hops that a window spans, rounded up."""
    return -(-spec.win // spec.hop)


def pinned(spec: MelSpec) -> int:
    """Number of past samples that a block's windows are laid over: ``(chunks - 1) * hop``, at least win - hop."""
    return (chunks(spec) - 1) * spec.hop


@lru_cache(maxsize=16)
def _synthesis(spec: MelSpec, frames: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The window in hops ``[chunks, hop]``, zeros first; one over its summed square ``[frames + chunks - 1, hop]``."""
    count = chunks(spec)
    window = torch.zeros(count * spec.hop, device=device)
    window[-spec.win :] = hann(spec, device)
    window = window.view(count, spec.hop)
    total = torch.zeros(frames + count - 1, spec.hop, device=device)
    for chunk in range(count):
        total[chunk : chunk + frames] += window[chunk].square()
    return window, 1.0 / total.clamp(min=1e-2 * float(total.max()))


def analyse(signal: Tensor, spec: MelSpec) -> Tensor:
    """``[channels, pinned + time * hop]`` samples -> ``[channels, time, bins]`` spectra."""
    windows = signal[:, pinned(spec) - (spec.win - spec.hop) :].unfold(-1, spec.win, spec.hop)
    return torch.fft.rfft(windows * hann(spec, signal.device))


def synthesise(spectrum: Tensor, past: Tensor, spec: MelSpec) -> Tensor:
    """The signal after ``past`` whose spectra are closest to those given, in the least-squares sense.

    Args:
        spectrum: ``[channels, time, bins]`` complex.
        past: ``[channels, >= pinned]`` samples that the signal starts with.

    Returns:
        ``[channels, pinned + time * hop]``.
    """
    channels, frames, _ = spectrum.shape
    count = chunks(spec)
    window, scale = _synthesis(spec, frames, spectrum.device)
    waves = torch.fft.irfft(spectrum, n=spec.win)
    if count * spec.hop != spec.win:
        waves = torch.nn.functional.pad(waves, (count * spec.hop - spec.win, 0))
    waves = waves.view(channels, frames, count, spec.hop)
    signal = waves.new_zeros(channels, frames + count - 1, spec.hop)
    for chunk in range(count):
        signal[:, chunk : chunk + frames].addcmul_(waves[:, :, chunk], window[chunk])
    signal.mul_(scale)
    flat = signal.view(channels, -1)
    flat[:, : pinned(spec)] = past[:, past.shape[-1] - pinned(spec) :]
    return flat


def iterate(signal: Tensor, target: Target, spec: MelSpec, iterations: int, momentum: float = 0.99) -> Tensor:
    """Alternate the two projections.

    Args:
        signal: ``[channels, pinned + time * hop]``, the start; its first ``pinned`` samples stay as they are.
        target: the magnitude projection.
        momentum: 0 is the original algorithm; 0.99 is good, 1.3 diverges.

    Returns:
        The refined signal, of the same shape.
    """
    past = signal[:, : pinned(spec)].clone()
    previous = extrapolated = signal
    for _ in range(iterations):
        spectrum = analyse(extrapolated, spec)
        square = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
        signal = synthesise(spectrum * target(square), past, spec)
        extrapolated = torch.lerp(previous, signal, 1.0 + momentum)
        previous = signal
    return signal
