"""What follows a prompt, as patches of mel frames: one Run warmed on it, or several that take turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.models import Sampling, State
from audiogen.models.base import FrameModel
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.recording_features import RecordingFeatures
from audiogen.run import Run
from audiogen.sound.onset_bias import bias_by_onset
from audiogen.sound.patch_selection import PatchSelector
from audiogen.sound.patch_source import NearestPatches, PatchSource


class Predictor(Protocol):
    """Anything that goes on from a prompt in frames."""

    def patches_after(self, seed: int, temperature: float, density: float) -> Iterator[Tensor]:
        """Endless ``[patch, channels * n_mels]`` mel frames, each patch one of the source's, or moved from it."""
        ...


class RunPredictor:
    """A Run warmed on a prompt.

    Args:
        run: what predicts.
        heard: the prompt.
        channels: principal channels that patches hold at least; those that the Model does not hear follow the source.
    """

    def __init__(self, run: Run, heard: RecordingFeatures, channels: int) -> None:
        representation = run.representation
        assert isinstance(representation, MelLatents)
        assert isinstance(run.model, FrameModel)
        self.model, self.representation = run.model, representation
        self.source = heard.side_by_side(max(channels, representation.channels))
        modelled = heard.side_by_side(representation.channels)
        self.centre = representation.centre(modelled)
        whole = len(modelled) // representation.patch * representation.patch
        self.start = self._start(modelled[len(modelled) - whole :])

    @torch.no_grad()
    def _start(self, frames: Tensor) -> State:
        if len(frames) == 0:
            frames = self.centre.expand(self.representation.patch, -1)
        return self.model.start(self.representation.encode(frames, self.centre)[None])

    def selection(self, density: float, temperature: float = 1.0) -> PatchSource:
        """The source's patches for one tail.

        Raises:
            InputError: a density is asked of a Model whose draws are heard as they are.
        """
        known = (self.representation, self.source, self.centre)
        if self.model.uses_selection:
            return bias_by_onset(PatchSelector(*known, temperature), density)
        if density != 0:
            raise InputError("density", "a baseline is heard as it draws", "leave it out, or name another Model")
        return NearestPatches(*known)

    def read(self, state: State, patch: Tensor) -> State:
        """The state that has read ``[patch, channels * n_mels]`` frames which another has predicted."""
        return self.model.read(state, self.representation.encode(patch[:, : len(self.centre)], self.centre))

    @torch.no_grad()
    def patches_after(self, seed: int, temperature: float, density: float = 0.0) -> Iterator[Tensor]:
        """See `Predictor`."""
        sampling = Sampling(temperature, generator=torch.Generator().manual_seed(seed))
        state, selection = self.start, self.selection(density, temperature)
        while True:
            heard, patch = selection.lookup(self.model.draw(state, sampling)[0])
            state = self.model.read(state, heard[None])
            yield patch
