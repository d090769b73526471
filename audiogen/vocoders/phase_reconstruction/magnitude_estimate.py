"""Blocks rendered from an outline of their magnitudes: a start, then Griffin-Lim iterations.

Partials are drawn by the phase gradients of the outline, but above a few kHz most sounds are noise, which has no
gradients to follow: phases made from them would ring. There, noise is shaped by the outline, which fluctuates as the
outline does and by itself as little as noise can.
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
from audiogen.vocoders.phase_reconstruction.mel_band_targets import LOUDEST, MelBandProjection, band_projection_schedule
from audiogen.vocoders.phase_reconstruction.phase_gradients import integrate
from audiogen.vocoders.phase_reconstruction.projection import analyse, pinned, refine, synthesise


@dataclass(frozen=True)
class MagnitudeEstimate:
    """Args:
    magnitude: ``[channels, time, bins]``, root of the power that is expected in each bin.
    certainty: 0..1, to be broadcast with it: how far iterations pull each bin to its magnitude.
    """

    magnitude: Tensor
    certainty: Tensor


@dataclass(frozen=True)
class Refinement:
    """Args:
    steps: of Griffin-Lim, each with the part of their certainty by which bins are pulled, and its momentum.
    noise_above: Hz from which on the start is shaped noise; below it, phases follow the magnitudes' gradients.
    coarse: iterations on the lowest part of the spectrum alone, before the steps on the whole.
    """

    steps: Sequence[tuple[float | Tensor, float | Tensor]]
    noise_above: float
    coarse: int


def render(
    outline: MagnitudeEstimate,
    known: Tensor,
    frames: Tensor,
    past: Tensor,
    spec: MelSpec,
    how: Refinement,
    noise: Tensor,
) -> Tensor:
    """One block; it can be differentiated.

    Args:
        outline: of the block.
        known: ``[channels, 1 + ready, bins]`` spectra of the window before the block and of the first ones in it.
        frames: ``[channels, time, n_mels]`` log-mel.
        past: ``[channels, >= pinned]`` samples just before the block.
        noise: ``[channels, time, bins]`` spectra of unit power.

    Returns:
        ``[channels, time * hop]`` samples.
    """
    start = _start(outline.magnitude, known, noise, spec, how.noise_above)
    start = coarse_to_fine(start, outline.magnitude, outline.certainty, frames, past, spec, how.coarse)
    bands = MelBandProjection(frames, spec, LOUDEST, outline.magnitude)
    parts = [None if part == 0.0 else part * outline.certainty for part, _ in how.steps]
    steps = list(zip(band_projection_schedule(bands, parts), (momentum for _, momentum in how.steps), strict=True))
    return refine(synthesise(start, past, spec), steps, spec)[:, pinned(spec) :]


def _start(magnitude: Tensor, known: Tensor, noise: Tensor, spec: MelSpec, noise_above: float) -> Tensor:
    """Spectra ``[channels, time, bins]`` to set out from."""
    ready = known.shape[1] - 1
    split = min(round(noise_above / spec.sample_rate * spec.n_fft), spec.bins)
    start = noise[:, ready:] * magnitude[:, ready:]
    if split:
        wanted = magnitude[:, ready:, :split]
        lead = torch.cat([known[:, -1:, :split].abs(), wanted], dim=1).detach()  # winding phases have no gradient
        phases = integrate(lead, known[:, -1, :split].angle(), spec)
        start = torch.cat([torch.polar(wanted, phases), start[..., split:]], dim=-1)
    return torch.cat([known[:, 1:], start], dim=1)


class MagnitudeStream(BlockStream):
    """A stream of blocks that are rendered so.

    Args:
        seed: of the noise.
        how: they are refined.
        block: frames rendered at a time.
        fullness: of the recording that is continued (see `equaliser`); None to leave the bands' power as it comes.
    """

    def __init__(
        self,
        spec: MelSpec,
        channels: int,
        past: Tensor | None,
        seed: int,
        how: Refinement,
        block: int = 64,
        fullness: Tensor | None = None,
    ) -> None:
        super().__init__(spec, channels, past, block)
        self.how = how
        self._equalise = None if fullness is None else Equaliser(fullness, spec)
        self._noise = torch.Generator().manual_seed(seed)

    @abstractmethod
    def outline(self, frames: Tensor, final: int) -> MagnitudeEstimate:
        """Of a block's ``[channels, time, n_mels]`` frames and those ahead of it, ``final`` of them its own."""

    @torch.no_grad()
    def render(self, frames: Tensor, past: Tensor, guess: Tensor | None, final: int) -> Tensor:
        outline = self.outline(frames, final)
        noise = low_noise(frames.shape, self.spec, self._noise).to(frames.device)
        samples = render(outline, self._known(past, guess), frames, past, self.spec, self.how, noise)
        return samples if self._equalise is None else self._equalise(samples, past, frames, final)

    def _known(self, past: Tensor, guess: Tensor | None) -> Tensor:
        """Spectra of the last window of the past, then of those that reach no further than the guess."""
        spec = self.spec
        ready = 0 if guess is None else max((guess.shape[-1] - pinned(spec)) // spec.hop, 0)
        samples = past if guess is None else torch.cat([past, guess[:, : ready * spec.hop]], dim=-1)
        return analyse(samples, spec)[:, -1 - ready :]
