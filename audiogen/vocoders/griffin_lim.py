"""Mel inversion, phase-gradient start and a few fast Griffin-Lim iterations: the vocoder that needs no training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.base import Stream, Vocoder
from audiogen.vocoders.blocks import BlockStream
from audiogen.vocoders.mel_inversion import invert
from audiogen.vocoders.phase import integrate
from audiogen.vocoders.projection import analyse, fixed, iterate, pinned, synthesise


@dataclass(frozen=True)
class GriffinLimOptions:
    """Args:
    iterations: of Griffin-Lim, after the phase-gradient start.
    momentum: of the fast Griffin-Lim algorithm.
    inversion: iterations of the mel inversion.
    """

    iterations: int = 16
    momentum: float = 0.99
    inversion: int = 20


class GriffinLim(Vocoder):
    """Magnitudes from the mel frames, phases from the magnitudes."""

    Options = GriffinLimOptions

    def __init__(self, spec: MelSpec, options: GriffinLimOptions | None = None) -> None:
        self.spec, self.options = spec, options or GriffinLimOptions()

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: GriffinLimOptions) -> GriffinLim:
        return cls(spec, options)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        return _GriffinLimStream(self, channels, past)


class _GriffinLimStream(BlockStream):
    def __init__(self, vocoder: GriffinLim, channels: int, past: Tensor | None) -> None:
        super().__init__(vocoder.spec, channels, past)
        self.options = vocoder.options

    def render(self, frames: Tensor, past: Tensor, guess: Tensor | None, final: int) -> Tensor:
        spec, options = self.spec, self.options
        magnitude = invert(frames, spec, options.inversion)
        # Frames that reach no further than the known samples, or the previous block's guess, have phases already.
        known = past if guess is None else torch.cat([past, guess], dim=-1)
        ready = 0 if guess is None else guess.shape[-1] // spec.hop - (pinned(spec) // spec.hop)
        spectrum = analyse(known[:, : past.shape[-1] + max(ready, 0) * spec.hop], spec)[:, -1 - max(ready, 0) :]
        first = spectrum.angle()
        lead = torch.cat([spectrum[:, -1:].abs(), magnitude[:, first.shape[1] - 1 :]], dim=1)
        phases = torch.cat([first[:, 1:], integrate(lead, first[:, -1], spec)], dim=1)
        start = synthesise(torch.polar(magnitude, phases), past, spec)
        signal = iterate(start, fixed(magnitude), spec, options.iterations, options.momentum)
        return signal[:, pinned(spec) :]
