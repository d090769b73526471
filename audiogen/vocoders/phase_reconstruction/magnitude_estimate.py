"""Renders blocks from estimated magnitudes: initial phases, then Griffin-Lim iterations.

At low frequencies the initial phases follow from the gradients of the magnitudes, which suits partials. Above a few kHz
most sounds are noise, whose phases have no such structure: integrated gradients would ring. There, low-noise noise is
shaped by the magnitudes, so that it fluctuates as they do and as little as possible by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.block_stream import BlockStream
from audiogen.vocoders.phase_reconstruction.coarse_to_fine import coarse_to_fine
from audiogen.vocoders.phase_reconstruction.equaliser import Equaliser
from audiogen.vocoders.phase_reconstruction.low_noise import low_noise
from audiogen.vocoders.phase_reconstruction.mel_band_projection import (
    MAX_GAIN,
    MelBandProjection,
    band_projection_schedule,
)
from audiogen.vocoders.phase_reconstruction.phase_gradients import integrate
from audiogen.vocoders.phase_reconstruction.projection import analyse, overlap, refine, synthesise


@dataclass(frozen=True)
class MagnitudeEstimate:
    """Estimated magnitudes and the confidence in them.

    Args:
        magnitude: ``[channels, time, bins]``, root of the expected power of each bin.
        certainty: 0..1, broadcastable to it: weight by which an iteration moves each bin to its estimate.
    """

    magnitude: Tensor
    certainty: Tensor


@dataclass(frozen=True)
class Refinement:
    """How an initial spectrum is refined.

    Args:
        steps: for each Griffin-Lim iteration, a factor 0..1 on the certainty, and the momentum.
        noise_above: frequency in Hz above which the initial spectrum is shaped noise; below, phases follow from the
            gradients of the magnitudes.
        coarse_iterations: iterations on the lowest part of the spectrum, before the steps on the full spectrum.
    """

    steps: Sequence[tuple[float | Tensor, float | Tensor]]
    noise_above: float
    coarse_iterations: int


def render(
    estimate: MagnitudeEstimate,
    known: Tensor,
    frames: Tensor,
    past: Tensor,
    spec: MelSpec,
    refinement: Refinement,
    noise: Tensor,
) -> Tensor:
    """Render one block; differentiable.

    Args:
        estimate: estimated magnitudes of the block.
        known: ``[channels, 1 + ready, bins]`` spectra of the window before the block and of the first ``ready`` ones in
            it, which the previous block rendered.
        frames: ``[channels, time, n_mels]`` log-mel.
        past: ``[channels, >= overlap]`` samples just before the block.
        spec: spec of the frames.
        refinement: how the initial spectrum is refined.
        noise: ``[channels, time, bins]`` spectra of unit power.

    Returns:
        ``[channels, time * hop]`` samples.
    """
    start = _initial_spectrum(estimate.magnitude, known, noise, spec, refinement.noise_above)
    start = coarse_to_fine(
        start, estimate.magnitude, estimate.certainty, frames, past, spec, refinement.coarse_iterations
    )
    bands = MelBandProjection(frames, spec, MAX_GAIN, estimate.magnitude)
    weights = [None if factor == 0.0 else factor * estimate.certainty for factor, _ in refinement.steps]
    momenta = [momentum for _, momentum in refinement.steps]
    steps = list(zip(band_projection_schedule(bands, weights), momenta, strict=True))
    return refine(synthesise(start, past, spec), steps, spec)[:, overlap(spec) :]


def _initial_spectrum(magnitude: Tensor, known: Tensor, noise: Tensor, spec: MelSpec, noise_above: float) -> Tensor:
    """Spectra ``[channels, time, bins]``: the known ones, then the estimated magnitudes with initial phases."""
    ready = known.shape[1] - 1
    split = min(round(noise_above / spec.sample_rate * spec.n_fft), spec.bins)
    start = noise[:, ready:] * magnitude[:, ready:]
    if split:
        tonal = magnitude[:, ready:, :split]
        lead = torch.cat([known[:, -1:, :split].abs(), tonal], dim=1).detach()  # no gradients through integrated phases
        phases = integrate(lead, known[:, -1, :split].angle(), spec)
        start = torch.cat([torch.polar(tonal, phases), start[..., split:]], dim=-1)
    return torch.cat([known[:, 1:], start], dim=1)


class MagnitudeStream(BlockStream):
    """A stream of blocks rendered from estimated magnitudes.

    Args:
        spec: spec of the frames.
        channels: number of channels.
        past: ``[channels, samples]`` before the first rendered sample, or None for silence.
        seed: seed of the noise.
        refinement: how the initial spectrum is refined.
        block: frames rendered at a time.
        power_ratio: ``[channels, 1, n_mels]`` of the source recording (see `band_power_ratio`); None for no
            equalisation.
    """

    def __init__(
        self,
        spec: MelSpec,
        channels: int,
        past: Tensor | None,
        seed: int,
        refinement: Refinement,
        block: int = 64,
        power_ratio: Tensor | None = None,
    ) -> None:
        super().__init__(spec, channels, past, block)
        self.refinement = refinement
        self._equalise = None if power_ratio is None else Equaliser(power_ratio, spec)
        self._noise = torch.Generator().manual_seed(seed)

    @abstractmethod
    def estimate(self, frames: Tensor, final: int) -> MagnitudeEstimate:
        """Estimate the magnitudes of a block.

        Args:
            frames: ``[channels, time, n_mels]``, the frames of the block and its look-ahead.
            final: number of frames of the block itself.
        """

    @torch.no_grad()
    def render(self, frames: Tensor, past: Tensor, lookahead: Tensor | None, final: int) -> Tensor:
        estimate = self.estimate(frames, final)
        noise = low_noise(frames.shape, self.spec, self._noise).to(frames.device)
        samples = render(estimate, self._known(past, lookahead), frames, past, self.spec, self.refinement, noise)
        return samples if self._equalise is None else self._equalise(samples, past, frames, final)

    def _known(self, past: Tensor, lookahead: Tensor | None) -> Tensor:
        """Spectra of the last window of the past, and of the windows that end within the look-ahead."""
        spec = self.spec
        ready = 0 if lookahead is None else max((lookahead.shape[-1] - overlap(spec)) // spec.hop, 0)
        samples = past if lookahead is None else torch.cat([past, lookahead[:, : ready * spec.hop]], dim=-1)
        return analyse(samples, spec)[:, -1 - ready :]
