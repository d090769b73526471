"""What follows a prompt, as patches of mel frames: one Run warmed on it, or several that take turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from audiogen.generation.calibration import calibrate
from audiogen.generation.density import Candidates
from audiogen.generation.detail import Detail
from audiogen.models import Sampling, State
from audiogen.models.sequence import Sequence
from audiogen.representation.hearing import Heard
from audiogen.representation.mel_latents import MelLatents
from audiogen.run import Run


class Predicts(Protocol):
    """Anything that goes on from a prompt in frames."""

    def patches_after(self, seed: int, temperature: float, density: float) -> Iterator[Tensor]:
        """Endless ``[patch, channels * n_mels]`` mel frames, with the detail of the source."""
        ...


class Prediction:
    """A Run warmed on a prompt.

    Args:
        run: what predicts.
        heard: the prompt.
        channels: principal channels that patches hold at least; those that the Model does not hear follow the source.
    """

    def __init__(self, run: Run, heard: Heard, channels: int) -> None:
        representation = run.representation
        assert isinstance(representation, MelLatents)
        self.model, self.representation = run.model, representation
        self.source = heard.side_by_side(max(channels, representation.channels))
        modelled = heard.side_by_side(representation.channels)
        self.centre = representation.centre(modelled)
        whole = len(modelled) // representation.patch * representation.patch
        self.start = self._start(modelled[len(modelled) - whole :])
        self.calibration = calibrate(self.model, representation, self.start, modelled, self.centre)

    @torch.no_grad()
    def _start(self, frames: Tensor) -> State:
        if len(frames) == 0:
            frames = self.centre.expand(self.representation.patch, -1)
        return self.model.start(self.representation.encode(frames, self.centre)[None])

    def detail(self) -> Detail:
        """Source detail for one tail: it remembers which places it has used."""
        return Detail(self.representation, self.source, self.centre)

    def candidates(self, density: float) -> Candidates:
        """Next latents among which a density is reached, for one tail."""
        return Candidates(self.model, self.representation, self.source[:, : len(self.centre)], self.centre, density)

    def read(self, state: State, patch: Tensor) -> State:
        """The state that has read ``[patch, channels * n_mels]`` frames which another has predicted."""
        assert isinstance(self.model, Sequence)
        return self.model.read(state, self.representation.encode(patch[:, : len(self.centre)], self.centre))

    @torch.no_grad()
    def latents_after(self, seed: int, temperature: float, density: float = 0.0) -> Iterator[Tensor]:
        """Endless ``[latent]`` frames of the Model that follow the prompt, calibrated."""
        sampling = Sampling(temperature, generator=torch.Generator().manual_seed(seed))
        state, candidates = self.start, self.candidates(density)
        while True:
            latent, state = candidates.step(state, sampling)
            yield self.calibration(latent[0])

    def patches_after(self, seed: int, temperature: float, density: float = 0.0) -> Iterator[Tensor]:
        """See `Predicts`."""
        detail = self.detail()
        for latent in self.latents_after(seed, temperature, density):
            yield detail.add(latent)
