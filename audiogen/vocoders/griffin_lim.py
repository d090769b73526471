"""The vocoder without training: mel inversion, phase-gradient initialisation, fast Griffin-Lim iterations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import Fraction, Iterations, Layers, NonNegativeFloat
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.base import Stream, Vocoder
from audiogen.vocoders.phase_reconstruction.magnitude_estimate import MagnitudeEstimate, MagnitudeStream, Refinement
from audiogen.vocoders.phase_reconstruction.mel_band_projection import invert
from audiogen.vocoders.phase_reconstruction.source_spectrum import SourceSpectrum

BLOCK = 256  # frames rendered at a time


@dataclass(frozen=True)
class GriffinLimOptions:
    """Options of the Griffin-Lim vocoder.

    Args:
        iterations: Griffin-Lim iterations on the full spectrum.
        coarse_iterations: iterations before, on the lowest quarter of the spectrum, at a quarter of the cost each;
            preceded by twice as many on the lowest sixteenth.
        momentum: momentum of the fast Griffin-Lim algorithm.
        inversion_iterations: iterations of the mel inversion.
        magnitude_weight: fraction, 0..1, by which an iteration moves each magnitude towards the one estimated by the
            mel inversion.
        unconstrained_share: fraction of the iterations, the last ones, that use only the mel bands and not the
            estimated magnitudes, since sound led to expected values is too smooth.
        equalise: whether the power in each mel band is adjusted to that of the source recording. Without it, with
            magnitude_weight 0.5 and unconstrained_share 0, spectra are closest to those of the sound that the frames
            were computed from, as paired measures require; texture and third-octave levels are better with the
            defaults.
        noise_above: frequency in Hz above which the initial phases are those of noise; below, they follow from the
            gradients of the magnitudes.
    """

    iterations: Iterations = 20
    coarse_iterations: Iterations = 16
    momentum: NonNegativeFloat = 0.99
    inversion_iterations: Layers = 4
    magnitude_weight: Fraction = 0.3
    unconstrained_share: Fraction = 0.25
    equalise: bool = True
    noise_above: NonNegativeFloat = 4000.0


class GriffinLim(Vocoder):
    """Estimates magnitudes from the mel frames and phases from the magnitudes, then iterates towards the mel bands.

    Args:
        spec: spec of the frames.
        options: see `GriffinLimOptions`; None for the defaults.
        source: ``[channels, samples]``, the recording that the frames continue: it supplies the long-term spectrum
            within each mel band and the power in it. None, or shorter than a window, for none.
    """

    Options = GriffinLimOptions

    def __init__(self, spec: MelSpec, options: GriffinLimOptions | None = None, source: Tensor | None = None) -> None:
        self.spec, self.options = spec, options or GriffinLimOptions()
        self.source = SourceSpectrum.of(source, spec, self.options.equalise)

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: GriffinLimOptions) -> GriffinLim:
        return cls(spec, options, source)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        self.source.require_channels(channels)
        return _GriffinLimStream(self, channels, past, seed)


def _steps(options: GriffinLimOptions) -> list[tuple[float, float]]:
    """Weight of the estimated magnitudes, and momentum, of each iteration; momentum is reset when the weight drops."""
    free = round(options.unconstrained_share * options.iterations)
    guided = options.iterations - free
    last_guided = [(1.0, 0.0)] if guided else []
    return [(1.0, options.momentum)] * (guided - 1) + last_guided + [(0.0, options.momentum)] * free


class _GriffinLimStream(MagnitudeStream):
    def __init__(self, vocoder: GriffinLim, channels: int, past: Tensor | None, seed: int) -> None:
        options = vocoder.options
        refinement = Refinement(_steps(options), options.noise_above, options.coarse_iterations)
        super().__init__(vocoder.spec, channels, past, seed, refinement, BLOCK, vocoder.source.power_ratio)
        self.inversion_iterations, self.shape = options.inversion_iterations, vocoder.source.shape
        self.magnitude_weight = torch.tensor(options.magnitude_weight)

    def estimate(self, frames: Tensor, final: int) -> MagnitudeEstimate:
        shape = None if self.shape is None else self.shape.expand(-1, frames.shape[1], -1)
        magnitude = invert(frames, self.spec, self.inversion_iterations, shape)
        return MagnitudeEstimate(magnitude, self.magnitude_weight.to(frames.device))
