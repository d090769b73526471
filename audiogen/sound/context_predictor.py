"""Prediction by the recording's own contexts: the default, in which no network is asked.

`ContextMemory` draws what followed a place whose context was most like the tail's, and patch selection realises it by a
patch that fits both that latent and the tail's own past. On the recordings of `tools/check_order.py` this keeps more of
the order than the shipped base's network, which keeps none of a pulse (docs/order.md). Of the Run, only the
Representation is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from audiogen.errors import InputError
from audiogen.metrics.copying import RepetitionDetector
from audiogen.run import Run
from audiogen.sound.context_memory import ContextMemory, ContextSkill
from audiogen.sound.context_skill import context_skill
from audiogen.sound.patch_selection import COPY_THRESHOLD, Patch, PatchSelector, Played, Rules
from audiogen.sound.predictor import RunPredictor
from audiogen.sound.prompt_analysis import PromptAnalysis

JOIN_COST = 2.0  # of a patch whose context is unlike the tail's, relative to one that is unlike what was drawn
NOISE = 0.05  # mean of a random cost of each patch, at temperature 1, so that tails of one course differ
TARGET_GAIN = 1.2  # of what was drawn: less than of a Model's latents, which are smoother than those of the material
RUN_SECONDS = 1.0  # longest verbatim run, as far as the recording's own likeness allows
COPY_FRACTION, MAX_COPY_THRESHOLD = 0.65, 0.75  # of its own likeness that a tail may reach to the recording; at most
USUAL_FRACTION = 0.97  # the same of the likeness that half of its moments have to another: loops mixed into it
CANDIDATES = 24  # patches that are tried for what is no copy: of 16, a fire of 7 s has none in one tail of five
REPETITION_FRACTION, MAX_REPETITION_THRESHOLD = 0.9, 0.95  # the same, to itself
MIN_REPETITION_THRESHOLD = 0.5  # where the recording never repeats itself: the same context would recall the same call
LIKENESS_SECONDS = 60.0  # of the end of the recording that are compared with each other
PAST_PATCHES = 200  # of the prompt that the memory reads: earlier ones weigh less than 2 %


class ContextPredictor(RunPredictor):
    """Predictor that draws continuations of the material's own contexts; see `RunPredictor` for the arguments.

    Attributes:
        rules: on runs and copies, as strict as the recording's likeness to itself demands.
    """

    def __init__(self, run: Run, prompt: PromptAnalysis, channels: int | None = None) -> None:
        super().__init__(run, prompt, channels)
        self.rules = rules_of(prompt)
        self.skill: ContextSkill | None = None  # of contexts, once it has been measured
        self.events = prompt.events
        if self.events is not None:  # which correlation cannot tell from copies
            self.rules = replace(self.rules, copy_threshold=math.inf, repetition_threshold=math.inf)

    def selection(self, temperature: float = 1.0) -> PatchSelector:
        arguments = (self.representation, self.material, self.centre)
        selector = PatchSelector(*arguments, temperature, self.rules, TARGET_GAIN)
        if self.events is not None:
            selector.keep_whole(self.events)
        self.avoid_earlier_tails(selector)
        selector.copies.start_after(self.past_frames[: self.led_up * self.representation.patch])
        return selector

    def memory(self, selection: PatchSelector, played: Played | None = None) -> ContextMemory:
        """A memory of the material that has read the prompt, or what was played since; the selection takes that up."""
        step = self.representation.patch // selection.stride
        if self.skill is None:
            self.skill = context_skill(selection.searched[self.compared_from(selection) :], step)
        memory = ContextMemory(selection.searched, step, self.skill)
        latents = self.past[: self.led_up]
        if played is not None:
            latents = torch.cat([latents, selection.take_up(played)])
        for latent in latents[-PAST_PATCHES:]:
            memory.read(latent * selection.weights)
        return memory

    def compared_from(self, selection: PatchSelector) -> int:
        """The first place of the end of the recording, itself and no variation of it, whose contexts are compared."""
        last = round(LIKENESS_SECONDS / self.representation.step_seconds) * self.representation.patch
        varied = self.events.varied if self.events is not None else 0
        return max(len(self.material) - last, varied) // selection.stride

    @torch.no_grad()
    def patches_after(self, seed: int, temperature: float, played: Played | None = None) -> Iterator[Patch]:
        """Implements `Predictor.patches_after`."""
        generator = torch.Generator().manual_seed(seed)
        selection = self.selection(temperature)
        memory = self.memory(selection, played)
        noise, count = NOISE * temperature, len(selection.starts)
        selection.costs.append(lambda: JOIN_COST * memory.distances)
        selection.costs.append(lambda: noise * torch.empty(count).exponential_(generator=generator))
        while True:
            latent, patch = selection.lookup(selection.latents[memory.follow(generator, temperature)])
            memory.read(latent * selection.weights)
            yield patch


def rules_of(prompt: PromptAnalysis) -> Rules:
    """Rules that bar what the recording does not do itself: the more it repeats itself, the more a tail may."""
    recording = prompt.recording
    end = recording.last(LIKENESS_SECONDS)
    try:
        detector = RepetitionDetector(end)
    except InputError:  # shorter than half a second
        return Rules(RUN_SECONDS, candidates=CANDIDATES, spaced=True)
    own = detector.threshold(end.seconds)
    copy = max(min(COPY_FRACTION * own, MAX_COPY_THRESHOLD), USUAL_FRACTION * detector.usual, COPY_THRESHOLD)
    repetition = max(min(REPETITION_FRACTION * own, MAX_REPETITION_THRESHOLD), MIN_REPETITION_THRESHOLD)
    return Rules(RUN_SECONDS, copy, repetition, CANDIDATES, spaced=True)
