"""Griffin-Lim's two projections, fused: onto wanted magnitudes, and onto spectra that some signal has.

Griffin & Lim (1984), with the momentum of Perraudin, Balazs & Sondergaard (2013). Here the momentum is applied to the
signal rather than to its spectrum: the transform is linear, so the iterates are the same, at a quarter of the memory
traffic and with no complex history to keep. Samples before the block are pinned: the projection is onto the signals
that continue them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, hann
from audiogen.vocoders.phase_reconstruction.mel_band_targets import Target

Step = tuple[Target, float | Tensor]
"""The magnitude projection of an iteration, and the momentum after it."""


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
    waves = torch.fft.irfft(spectrum, n=spec.win)
    flat = _overlap_add(waves, waves.new_empty(len(waves), pinned(spec) + waves.shape[1] * spec.hop), spec)
    flat[:, : pinned(spec)] = past[:, past.shape[-1] - pinned(spec) :]
    return flat


def _overlap_add(waves: Tensor, signal: Tensor, spec: MelSpec) -> Tensor:
    """``[channels, time, win]``, windowed once more, added up into ``signal`` ``[channels, pinned + time * hop]``."""
    channels, frames, _ = waves.shape
    count = chunks(spec)
    window, scale = _synthesis(spec, frames, waves.device)
    if count * spec.hop != spec.win:
        waves = torch.nn.functional.pad(waves, (count * spec.hop - spec.win, 0))
    waves = waves.view(channels, frames, count, spec.hop)
    hops = signal.zero_().view(channels, frames + count - 1, spec.hop)
    for chunk in range(count):
        hops[:, chunk : chunk + frames].addcmul_(waves[:, :, chunk], window[chunk])
    hops.mul_(scale)
    return signal


def iterate(signal: Tensor, target: Target, spec: MelSpec, iterations: int, momentum: float = 0.99) -> Tensor:
    """Alternate the two projections.

    Args:
        signal: ``[channels, pinned + time * hop]``, the start; its first ``pinned`` samples stay as they are.
        target: the magnitude projection.
        momentum: 0 is the original algorithm; 0.99 is good, 1.3 diverges.

    Returns:
        The refined signal, of the same shape.
    """
    return refine(signal, [(target, momentum)] * iterations, spec)


def refine(signal: Tensor, steps: Sequence[Step], spec: MelSpec) -> Tensor:
    """`iterate`, with a target and a momentum of its own for each step."""
    return _recorded(signal, steps, spec) if torch.is_grad_enabled() else _in_place(signal, steps, spec)


def _recorded(signal: Tensor, steps: Sequence[Step], spec: MelSpec) -> Tensor:
    """Leaves everything that gradients are computed from as it was."""
    past = signal[:, : pinned(spec)].clone()
    previous = extrapolated = signal
    for target, momentum in steps:
        spectrum = analyse(extrapolated, spec)
        square = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
        signal = synthesise(spectrum * target(square), past, spec)
        extrapolated = signal + momentum * (signal - previous)
        previous = signal
    return signal


def _in_place(signal: Tensor, steps: Sequence[Step], spec: MelSpec) -> Tensor:
    """The same in memory that is taken once: taking it anew in every step costs as much as a transform does."""
    start, before = pinned(spec) - (spec.win - spec.hop), signal[:, : pinned(spec)]
    previous, extrapolated, turns = signal, signal.clone(), (torch.empty_like(signal), torch.empty_like(signal))
    windows = extrapolated[:, start:].unfold(-1, spec.win, spec.hop)
    waves = torch.empty(windows.shape, device=signal.device)
    spectrum = torch.empty(*windows.shape[:2], spec.bins, dtype=torch.complex64, device=signal.device)
    square = torch.empty(spectrum.shape, device=signal.device)
    real, imaginary = spectrum.real, spectrum.imag
    for index, (target, momentum) in enumerate(steps):
        torch.mul(windows, hann(spec, signal.device), out=waves)
        torch.fft.rfft(waves, out=spectrum)
        torch.mul(real, real, out=square).addcmul_(imaginary, imaginary)
        spectrum.mul_(target(square))
        torch.fft.irfft(spectrum, n=spec.win, out=waves)
        refined = _overlap_add(waves, turns[index % 2], spec)
        refined[:, : pinned(spec)] = before
        torch.lerp(previous, refined, 1.0 + float(momentum), out=extrapolated)
        previous = refined
    return previous
