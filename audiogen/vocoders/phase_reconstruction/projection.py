"""Griffin-Lim iterations: projections onto magnitudes and onto consistent spectra, those of some signal.

Griffin & Lim (1984), with the momentum of fast Griffin-Lim (Perraudin, Balazs & Sondergaard 2013). The momentum is
applied to the signal instead of its spectrum: the transform is linear, so the iterates are the same, at a quarter of
the memory traffic. The samples before a block are fixed: the projection is onto spectra of signals that continue them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, hann
from audiogen.vocoders.phase_reconstruction.mel_band_projection import Target

Step = tuple[Target, float | Tensor]
"""The magnitude projection of an iteration, and the momentum after it."""


def hops_per_window(spec: MelSpec) -> int:
    """Hops that a window spans, rounded up."""
    return -(-spec.win // spec.hop)


def overlap(spec: MelSpec) -> int:
    """Samples before a block that its first windows cover, in whole hops; at least ``win - hop``."""
    return (hops_per_window(spec) - 1) * spec.hop


@lru_cache(maxsize=16)
def _synthesis(spec: MelSpec, frames: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Synthesis window and normalisation of the weighted overlap-add.

    Returns:
        The window in hops, zero-padded in front, ``[hops, hop]``, and one over the sum of the squared windows at each
        sample, ``[frames + hops - 1, hop]``.
    """
    count = hops_per_window(spec)
    window = torch.zeros(count * spec.hop, device=device)
    window[-spec.win :] = hann(spec, device)
    window = window.view(count, spec.hop)
    total = torch.zeros(frames + count - 1, spec.hop, device=device)
    for chunk in range(count):
        total[chunk : chunk + frames] += window[chunk].square()
    return window, 1.0 / total.clamp(min=1e-2 * float(total.max()))


def analyse(signal: Tensor, spec: MelSpec) -> Tensor:
    """Spectra ``[channels, time, bins]`` of samples ``[channels, overlap + time * hop]``."""
    windows = signal[:, overlap(spec) - (spec.win - spec.hop) :].unfold(-1, spec.win, spec.hop)
    return torch.fft.rfft(windows * hann(spec, signal.device))


def synthesise(spectrum: Tensor, past: Tensor, spec: MelSpec) -> Tensor:
    """Least-squares inverse of `analyse`: the continuation of ``past`` whose spectra are closest to those given.

    Args:
        spectrum: ``[channels, time, bins]`` complex.
        past: ``[channels, >= overlap]`` samples before the block, which stay as they are.
        spec: window and hop.

    Returns:
        ``[channels, overlap + time * hop]``.
    """
    waves = torch.fft.irfft(spectrum, n=spec.win)
    flat = _overlap_add(waves, waves.new_empty(len(waves), overlap(spec) + waves.shape[1] * spec.hop), spec)
    flat[:, : overlap(spec)] = past[:, past.shape[-1] - overlap(spec) :]
    return flat


def _overlap_add(waves: Tensor, signal: Tensor, spec: MelSpec) -> Tensor:
    """Weighted overlap-add of windows ``[channels, time, win]`` into samples ``[channels, overlap + time * hop]``."""
    channels, frames, _ = waves.shape
    count = hops_per_window(spec)
    window, scale = _synthesis(spec, frames, waves.device)
    if count * spec.hop != spec.win:
        waves = torch.nn.functional.pad(waves, (count * spec.hop - spec.win, 0))
    waves = waves.view(channels, frames, count, spec.hop)
    hops = signal.zero_().view(channels, frames + count - 1, spec.hop)
    for chunk in range(count):
        hops[:, chunk : chunk + frames].addcmul_(waves[:, :, chunk], window[chunk])
    hops.mul_(scale)
    return signal


def refine(signal: Tensor, steps: Sequence[Step], spec: MelSpec) -> Tensor:
    """Griffin-Lim iterations; differentiable where gradients are enabled.

    Args:
        signal: ``[channels, overlap + time * hop]``, initial signal; its first ``overlap`` samples stay as they are.
        steps: the magnitude projection and the momentum of each iteration. A momentum of 0 is the original algorithm;
            0.99 works well, 1.3 diverges.
        spec: window and hop.

    Returns:
        The refined signal, of the same shape.
    """
    return _differentiable(signal, steps, spec) if torch.is_grad_enabled() else _in_place(signal, steps, spec)


def _differentiable(signal: Tensor, steps: Sequence[Step], spec: MelSpec) -> Tensor:
    """Griffin-Lim without in-place operations, so that gradients can be computed."""
    past = signal[:, : overlap(spec)].clone()
    previous = extrapolated = signal
    for target, momentum in steps:
        spectrum = analyse(extrapolated, spec)
        square = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
        signal = synthesise(spectrum * target(square), past, spec)
        extrapolated = signal + momentum * (signal - previous)
        previous = signal
    return signal


def _in_place(signal: Tensor, steps: Sequence[Step], spec: MelSpec) -> Tensor:
    """Griffin-Lim in buffers allocated once; allocation in every iteration would cost as much as a transform."""
    start, before = overlap(spec) - (spec.win - spec.hop), signal[:, : overlap(spec)]
    previous, extrapolated, buffers = signal, signal.clone(), (torch.empty_like(signal), torch.empty_like(signal))
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
        refined = _overlap_add(waves, buffers[index % 2], spec)
        refined[:, : overlap(spec)] = before
        torch.lerp(previous, refined, 1.0 + float(momentum), out=extrapolated)
        previous = refined
    return previous
