"""Mel inversion, a phase-gradient start and a few fast Griffin-Lim iterations: the vocoder that needs no training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.ranges import Count, NonNegative, Whole
from audiogen.representation.mel import MelSpec, hann
from audiogen.vocoders.base import Stream, Vocoder
from audiogen.vocoders.blocks import BlockStream
from audiogen.vocoders.mel_inversion import invert
from audiogen.vocoders.phase import integrate
from audiogen.vocoders.projection import analyse, iterate, pinned, synthesise
from audiogen.vocoders.targets import toward_bands

LOUDEST = 30.0  # dB that a band is raised at most in one iteration


@dataclass(frozen=True)
class GriffinLimOptions:
    """Args:
    iterations: of Griffin-Lim, after the start.
    momentum: of the fast Griffin-Lim algorithm.
    inversion: iterations of the mel inversion.
    noise_above: Hz from which on the start is shaped noise; below it, phases follow the magnitudes' gradients.
    """

    iterations: Whole = 16
    momentum: NonNegative = 0.9
    inversion: Count = 2
    noise_above: NonNegative = 4000.0


class GriffinLim(Vocoder):
    """Magnitudes from the mel frames, phases from the magnitudes; the iterations only ever ask for the mel bands.

    Partials are drawn by their phase gradients, but above a few kHz most sounds are noise, which has no gradients to
    follow: phases made from them would ring. Noise shaped to the bands has the fluctuations that noise has.

    Args:
        source: ``[channels, samples]``, the recording that the frames continue; the long-term spectrum within each mel
            band is taken from it.
    """

    Options = GriffinLimOptions

    def __init__(self, spec: MelSpec, options: GriffinLimOptions | None = None, source: Tensor | None = None) -> None:
        self.spec, self.options = spec, options or GriffinLimOptions()
        self.shape = None if source is None or source.shape[-1] < spec.win else mean_magnitude(source, spec)

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


class _GriffinLimStream(BlockStream):
    def __init__(self, vocoder: GriffinLim, channels: int, past: Tensor | None, seed: int) -> None:
        super().__init__(vocoder.spec, channels, past)
        self.options, self.shape = vocoder.options, vocoder.shape
        self._noise = torch.Generator().manual_seed(seed)

    def render(self, frames: Tensor, past: Tensor, guess: Tensor | None, final: int) -> Tensor:
        spec, options = self.spec, self.options
        shape = None if self.shape is None else self.shape.expand(-1, frames.shape[1], -1)
        magnitude = invert(frames, spec, options.inversion, shape)
        start = synthesise(self._start(magnitude, past, guess), past, spec)
        target = toward_bands(frames, spec, LOUDEST)
        return iterate(start, target, spec, options.iterations, options.momentum)[:, pinned(spec) :]

    def _start(self, magnitude: Tensor, past: Tensor, guess: Tensor | None) -> Tensor:
        """Spectra ``[channels, time, bins]`` to set out from."""
        spec = self.spec
        known = self._known(past, guess)
        ready = known.shape[1] - 1
        split = min(round(self.options.noise_above / spec.sample_rate * spec.n_fft), spec.bins)
        start = self._shaped_noise(magnitude)
        if split:
            lead = torch.cat([known[:, -1:, :split].abs(), magnitude[:, ready:, :split]], dim=1)
            phases = integrate(lead, known[:, -1, :split].angle(), spec)
            start[:, ready:, :split] = torch.polar(lead[:, 1:], phases)
        start[:, :ready] = known[:, 1:]
        return start

    def _known(self, past: Tensor, guess: Tensor | None) -> Tensor:
        """Spectra of the last window of the past, then of those that reach no further than the guess."""
        spec = self.spec
        ready = 0 if guess is None else max((guess.shape[-1] - pinned(spec)) // spec.hop, 0)
        samples = past if guess is None else torch.cat([past, guess[:, : ready * spec.hop]], dim=-1)
        return analyse(samples, spec)[:, -1 - ready :]

    def _shaped_noise(self, magnitude: Tensor) -> Tensor:
        """White noise with the wanted magnitudes: its phases agree from frame to frame, its level fluctuates."""
        spec = self.spec
        channels, frames, _ = magnitude.shape
        white = torch.randn(channels, pinned(spec) + frames * spec.hop, generator=self._noise).to(magnitude.device)
        level = float(hann(spec, white.device).square().sum().sqrt())
        return analyse(white, spec) * (magnitude / level)
