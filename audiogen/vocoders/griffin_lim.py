"""Mel inversion, a phase-gradient start and a few fast Griffin-Lim iterations: the vocoder that needs no training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import Iterations, Layers, NonNegativeFloat, Unit
from audiogen.representation.mel import MelSpec, hann
from audiogen.vocoders.base import Stream, Vocoder
from audiogen.vocoders.phase_reconstruction.equaliser import band_power_ratio
from audiogen.vocoders.phase_reconstruction.magnitude_estimate import MagnitudeEstimate, MagnitudeStream, Refinement
from audiogen.vocoders.phase_reconstruction.mel_inversion import invert

BLOCK = 256  # frames rendered at a time


@dataclass(frozen=True)
class GriffinLimOptions:
    """Args:
    iterations: of Griffin-Lim, after the start.
    coarse: iterations before, on the lowest quarter of the spectrum alone; four of them cost as much as one of those.
        Twice as many are made on the lowest sixteenth before.
    momentum: of the fast Griffin-Lim algorithm.
    inversion: iterations of the mel inversion.
    trust: how far an iteration pulls a bin to the magnitude that the inversion expects, 0..1.
    free: share of the iterations, the last ones, that pull no bin: what is drawn to expectations is too smooth.
    equalise: whether the power of the bands is led to what they had in the recording that is continued. Without, with
        trust 0.5 and none free, spectra come closest to those of the very sound that the frames came from, as paired
        measures ask; its texture and its third octaves are better with the defaults.
    noise_above: Hz from which on the start is shaped noise; below it, phases follow the magnitudes' gradients.
    """

    iterations: Iterations = 20
    coarse: Iterations = 16
    momentum: NonNegativeFloat = 0.99
    inversion: Layers = 4
    trust: Unit = 0.3
    free: Unit = 0.25
    equalise: bool = True
    noise_above: NonNegativeFloat = 4000.0


class GriffinLim(Vocoder):
    """Magnitudes from the mel frames, phases from the magnitudes; the iterations only ever ask for the mel bands.

    Args:
        source: ``[channels, samples]``, the recording that the frames continue; the long-term spectrum within each mel
            band, and the power that goes with it, are taken from it.
    """

    Options = GriffinLimOptions

    def __init__(self, spec: MelSpec, options: GriffinLimOptions | None = None, source: Tensor | None = None) -> None:
        self.spec, self.options = spec, options or GriffinLimOptions()
        if source is not None and source.shape[-1] < spec.win:
            source = None
        self.shape = None if source is None else mean_magnitude(source, spec)
        self.fullness = band_power_ratio(source, spec) if source is not None and self.options.equalise else None

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: GriffinLimOptions) -> GriffinLim:
        return cls(spec, options, source)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        if self.shape is not None and len(self.shape) != channels:
            raise ValueError(f"the source has {len(self.shape)} channels, the frames {channels}")
        return _GriffinLimStream(self, channels, past, seed)


def mean_magnitude(source: Tensor, spec: MelSpec, most: int = 4096) -> Tensor:
    """Mean spectrum ``[channels, 1, bins]`` of a recording, over ``most`` windows of it at the most."""
    windows = source.unfold(-1, spec.win, spec.hop)
    total = source.new_zeros(len(source), 1, spec.bins)
    chosen = windows[:, :: -(-windows.shape[1] // most)]
    for tile in chosen.split(128, dim=1):
        total += torch.fft.rfft(tile * hann(spec, source.device)).abs().pow(spec.power).sum(dim=1, keepdim=True)
    return total / chosen.shape[1] + 1e-7


def _steps(options: GriffinLimOptions) -> list[tuple[float, float]]:
    """Pull and momentum of each iteration. What is let go starts without the momentum of the pull."""
    free = round(options.free * options.iterations)
    pulled = options.iterations - free
    turn = [(1.0, 0.0)] if pulled else []
    return [(1.0, options.momentum)] * (pulled - 1) + turn + [(0.0, options.momentum)] * free


class _GriffinLimStream(MagnitudeStream):
    def __init__(self, vocoder: GriffinLim, channels: int, past: Tensor | None, seed: int) -> None:
        options = vocoder.options
        how = Refinement(_steps(options), options.noise_above, options.coarse)
        super().__init__(vocoder.spec, channels, past, seed, how, BLOCK, vocoder.fullness)
        self.inversion, self.shape = options.inversion, vocoder.shape
        self.trust = torch.tensor(options.trust)

    def outline(self, frames: Tensor, final: int) -> MagnitudeEstimate:
        shape = None if self.shape is None else self.shape.expand(-1, frames.shape[1], -1)
        return MagnitudeEstimate(invert(frames, self.spec, self.inversion, shape), self.trust.to(frames.device))
