"""Prediction of what follows a prompt, in patches of mel frames, by a Run primed with the prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from audiogen.config.registry import Registry
from audiogen.models import Sampling, State
from audiogen.models.base import FrameModel
from audiogen.representation.mel_latents import MelLatents
from audiogen.run import Run
from audiogen.sound.copy_detection import CopyDetector
from audiogen.sound.patch_selection import NearestPatches, Patch, PatchSelector, PatchSource, Played
from audiogen.sound.prompt_analysis import PromptAnalysis

TURN = 0.618  # of a circle (golden section), by which each of any number of points lies far from those before it
SET_REPETITION = 0.6  # of the similarity to itself that a tail may reach: what the tails of a set may, to each other


class Predictor(Protocol):
    """Predicts mel frames that follow a prompt: `RunPredictor`, or `run_mixture.MixturePredictor` for several Runs."""

    def patches_after(self, seed: int, temperature: float, played: Played | None = None) -> Iterator[Patch]:
        """Predict patches that follow the prompt.

        Args:
            seed: of the draws.
            temperature: of the Model's distribution, and of the variance of the selected patches.
            played: what of the tail came between; None if the patches follow the prompt.

        Yields:
            Patches of the material, endless; those of baselines are moved from it, and have no position.
        """
        ...

    def keep_tails_distinct(self) -> None:
        """From now on, let no tail repeat those before it, as far as patches are selected; one tail at a time."""
        ...


class RunPredictor:
    """A Run primed with a prompt: its Model draws latents, patch selection turns them into frames of the material.

    Args:
        run: of mel frames.
        prompt: its material supplies patches, and primes the Model.
        channels: number of principal channels in a patch; None for the prompt's. Channels beyond the Model's are
            those of the material.

    Attributes:
        past_frames: ``[time, channels * n_mels]`` of the material, in whole patches up to its end.
        past: ``[patches, latent]`` of them.
    """

    def __init__(self, run: Run, prompt: PromptAnalysis, channels: int | None = None) -> None:
        representation = run.representation
        assert isinstance(representation, MelLatents)
        assert isinstance(run.model, FrameModel)
        self.model, self.representation = run.model, representation
        self._distinct, self._tails = False, 0  # in a set, those before this one
        self._latest: CopyDetector | None = None  # of the tails of a set
        channels = prompt.channels if channels is None else channels
        self.material = prompt.material.side_by_side(max(channels, representation.channels))
        self.centre = representation.centre(prompt.material.side_by_side(representation.channels))
        frames = prompt.material.side_by_side(representation.channels)
        whole = len(frames) // representation.patch * representation.patch
        # Of material that is shorter than a patch, nothing is known but its mean.
        self.past_frames = frames[len(frames) - whole :] if whole else self.centre.expand(representation.patch, -1)
        self.past = representation.encode(self.past_frames, self.centre)

    @cached_property
    @torch.no_grad()
    def start(self) -> State:
        """The Model's state after the prompt."""
        return self.model.start(self.past[None])

    @property
    def led_up(self) -> int:
        """Patches of the past that lead up to the latest tail: all; of later tails of a set, up to a place of each.

        Tails that all followed the prompt would begin alike; these begin all over the recording.
        """
        count = len(self.past)
        return max(count - round(count * (self._tails * TURN % 1)), 1)

    def selection(self, temperature: float = 1.0) -> PatchSource:
        """Patch selection for one tail, with an empty history."""
        arguments = (self.representation, self.material, self.centre)
        if not self.model.uses_selection:
            return NearestPatches(*arguments)
        selector = PatchSelector(*arguments, temperature)
        self.avoid_earlier_tails(selector)
        return selector

    def keep_tails_distinct(self) -> None:
        """Implements `Predictor.keep_tails_distinct`."""
        self._distinct = True

    def avoid_earlier_tails(self, selector: PatchSelector) -> None:
        """Of a set, let a tail repeat neither those before it nor itself."""
        if not self._distinct:
            return
        if self._latest is not None:  # the first one is as it would be alone
            threshold = SET_REPETITION * selector.rules.repetition_threshold
            selector.rules = replace(selector.rules, repetition_threshold=threshold)
            selector.copies.search_also(self._latest)
            self._tails += 1
        self._latest = selector.copies

    def read(self, state: State, patch: Tensor) -> State:
        """Advance the Model by ``[patch, channels * n_mels]`` frames that another Run has predicted."""
        return self.model.read(state, self.representation.encode(patch[:, : len(self.centre)], self.centre))

    def state_after(self, selection: PatchSource, played: Played | None) -> State:
        """The Model's state after what was played, or else after the prompt; the selection takes it up, too."""
        if played is None:
            return self.model.start(self.past[None, : self.led_up]) if self._tails else self.start
        return self.model.start(torch.cat([self.past, selection.take_up(played)])[None])

    @torch.no_grad()
    def patches_after(self, seed: int, temperature: float, played: Played | None = None) -> Iterator[Patch]:
        """Implements `Predictor.patches_after`: the Model reads back the latent of each selected patch."""
        sampling = Sampling(temperature, generator=torch.Generator().manual_seed(seed))
        selection = self.selection(temperature)
        state = self.state_after(selection, played)
        while True:
            latent, patch = selection.lookup(self.model.draw(state, sampling)[0])
            state = self.model.read(state, latent[None])
            yield patch


PREDICTORS: Registry[RunPredictor] = Registry(
    "audiogen.predictors",
    {
        "model": "audiogen.sound.predictor:RunPredictor",
        "contexts": "audiogen.sound.context_predictor:ContextPredictor",
    },
)
"""What predicts, by the configuration key ``predictor`` of a Run."""
