"""Patch selection: each latent that a Model draws is replaced by the nearest patch of the material, under constraints.

Unit selection as in concatenative synthesis (Hunt & Black 1996, ICASSP; Schwarz 2006, DAFx), with the Model as a
learned target cost. Models predict too smoothly, and free-running ones drift; here a Model reads back recorded patches
only. Nearest-neighbour selection in turn shrinks the variance and overuses hubs (patches that are the nearest of many
latents), so feedback control keeps mean and variance of the selected patches near the material's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.representation.mel_latents import MelLatents
from audiogen.sound.context_memory import nearest_places
from audiogen.sound.copy_detection import CopyDetector
from audiogen.sound.separate_events import SeparateEvents

MAX_PATCHES = 40_000  # searched; from twice as many on, only every second (fourth, ...) one is, at least one a patch
ENCODED_AT_ONCE = 4096  # patches; all side by side would hold each frame `patch` times
LOCKOUT_SECONDS = 9.0  # a source position is not used again for this long
MAX_LOCKED_OUT = 1 / 3  # of the material
MAX_RUN_SECONDS = 0.25  # longest verbatim run of the material after the draws of Models; see `Rules`
CANDIDATES = 8  # nearest patches, of which the first that makes neither copy nor repetition is taken
FIRST_CANDIDATES = 2  # searched for repetitions before the others: one of them is taken in four of five steps
COPY_THRESHOLD = 0.4  # correlation with half a second of the material from which on half a second of tail is a copy
REPETITION_THRESHOLD = 0.7  # the same with the tail itself; higher, since a larger search finds more by chance
CONTIGUITY_SECONDS = 0.5  # window in which at most `Rules.run_seconds` follow one alignment; twice that if longer
TARGET_GAIN = 1.4  # of the drawn latent about the mean: offsets the shrinkage by nearest neighbours
MAX_GAIN_CORRECTION = 2.0  # largest factor, or divisor, by which feedback changes the gain
GAIN_RATE = 0.03  # step of the logarithm of the gain per patch and unit of excess variance
MAX_DEVIATION = 3.0  # one patch counts as at most this many variances
MEAN_FEEDBACK = 2.0  # the target is moved by this multiple of the error of the recent mean
MEAN_SECONDS = 6.0  # time constant of the recent mean
HELD_PATCHES = 4  # of the tail, of which a held texture keeps to that which is most like the others
MIN_HELD, MAX_HELD = 16, 64  # patches' worth of material that it is made of: a tenth of all, within these
WHITENING = 0.5  # differences are divided by each dimension's standard deviation to this power


@dataclass(frozen=True)
class Rules:
    """What patch selection may not do.

    Args:
        run_seconds: longest verbatim run of the material.
        copy_threshold: correlation with half a second of the material from which on half a second of tail is a copy.
        repetition_threshold: the same with the tail itself.
        candidates: nearest patches, of which the first that makes neither copy nor repetition is taken.
        spaced: whether they lie half a patch or more from each other.
    """

    run_seconds: float = MAX_RUN_SECONDS
    copy_threshold: float = COPY_THRESHOLD
    repetition_threshold: float = REPETITION_THRESHOLD
    candidates: int = CANDIDATES
    spaced: bool = False


class Patch(NamedTuple):
    """Mel frames that come next.

    Args:
        frames: ``[patch, channels * n_mels]`` log-mel frames of the principal channels.
        start: frame of the material at which they begin; None if they are not the material's own.
    """

    frames: Tensor
    start: int | None


@dataclass(frozen=True)
class Played:
    """What has been played of a tail, for a predictor that takes it up from there.

    Args:
        path: frames of the material at which its patches begin, the latest last; as many as are known.
        held: whether to keep to patches like the latest: the texture stands still.
    """

    path: tuple[int, ...]
    held: bool = False


class PatchSource(ABC):
    """Patches of the material at all offsets, looked up by latent, for one tail.

    Patches also carry what the Model does not predict: the further principal channels of a recording.

    Args:
        representation: whose latents are looked up.
        frames: ``[time, channels * n_mels]`` log-mel frames of the material, all of its channels.
        centre: ``[feature]`` frame that latents are relative to; its length is that of the modelled channels.

    Attributes:
        starts: ``[patches]`` frame at which each patch begins.
        stride: frames from one patch to the next.
        latents: ``[patches, latent]``.
        last: frame of the material at which the latest patch begins; -1 before the first.

    Raises:
        InputError: the material is shorter than a patch.
    """

    def __init__(self, representation: MelLatents, frames: Tensor, centre: Tensor) -> None:
        self.representation, self.frames, self.patch = representation, frames, representation.patch
        if len(frames) < self.patch:
            cause = f"its {len(frames)} mel frames are fewer than the {self.patch} of a patch"
            raise InputError("the prompt", cause, "give a longer one")
        self.modelled = frames[:, : len(centre)]
        self.stride = _stride(len(frames), self.patch)
        self.starts = torch.arange(0, len(frames) - self.patch + 1, self.stride)
        index = self.starts[:, None] + torch.arange(self.patch)
        chunks = [
            representation.encode(self.modelled[some], centre).squeeze(1) for some in index.split(ENCODED_AT_ONCE)
        ]
        self.latents = torch.cat(chunks)
        self.last = -1

    @abstractmethod
    def choose(self, latent: Tensor) -> int:
        """Index ``0 .. len(starts) - 1`` of the patch for a drawn ``[latent]``; the patch is marked as used."""

    def lookup(self, latent: Tensor) -> tuple[Tensor, Patch]:
        """Replace a drawn latent by a patch of the material.

        Returns:
            ``[latent]`` that the Model reads, and the patch to render.
        """
        index = self.choose(latent)
        return self.latents[index], Patch(self.frames_at(index), int(self.starts[index]))

    def mark_used(self, start: int) -> None:
        """Note that the patch that begins at frame ``start`` comes next, chosen here or by another predictor."""
        self.last = start

    def take_up(self, played: Played) -> Tensor:
        """Note what has been played before, and return its latents ``[patches, latent]``."""
        for start in played.path:
            self.mark_used(start)
        return self.latents[torch.searchsorted(self.starts, torch.tensor(played.path, dtype=torch.long))]

    def frames_at(self, index: int) -> Tensor:
        """Frames ``[patch, channels * n_mels]`` of a patch."""
        start = int(self.starts[index])
        return self.frames[start : start + self.patch]


def _stride(frames: int, patch: int) -> int:
    """Frames from one patch that is searched to the next: a divisor of a patch, so that patches follow one another."""
    fitting = [stride for stride in range(1, patch + 1) if patch % stride == 0 and frames < 2 * MAX_PATCHES * stride]
    return min(fitting, default=patch)


class NearestPatches(PatchSource):
    """The drawn latent, completed by the nearest patch, for baselines.

    The latent is kept as drawn; the nearest patch adds the detail and the channels that latents lack. A latent that is
    exactly a patch's gives that patch.
    """

    def choose(self, latent: Tensor) -> int:
        index = int((self.latents - latent).square().sum(1).argmin())
        self.mark_used(int(self.starts[index]))
        return index

    def lookup(self, latent: Tensor) -> tuple[Tensor, Patch]:
        nearest, (frames, _) = super().lookup(latent)
        bands = self.modelled.shape[1]
        difference = self.representation.decode((latent - nearest)[None], torch.zeros(bands))
        return latent, Patch(torch.cat([frames[:, :bands] + difference, frames[:, bands:]], dim=1), None)


class PatchSelector(PatchSource):
    """Selects the patch nearest to each drawn latent, under constraints on reuse, verbatim runs and copies.

    Args:
        representation, frames, centre: see `PatchSource`.
        temperature: variance of the selected patches in units of the material's, as far as it has such patches.
        rules: on runs and copies.
        target_gain: of the latents about the material's mean, before they are looked up.

    Attributes:
        costs: further costs of each patch: functions that return ``[patches]``, in units of the mean squared distance
            of two patches; infinite excludes one. They may ask for ``step``, the number of patches selected so far.

    Raises:
        InputError: the material is shorter than a patch.
    """

    def __init__(
        self,
        representation: MelLatents,
        frames: Tensor,
        centre: Tensor,
        temperature: float = 1.0,
        rules: Rules = Rules(),
        target_gain: float = TARGET_GAIN,
    ) -> None:
        super().__init__(representation, frames, centre)
        self.rules, self.costs = rules, list[Callable[[], Tensor]]()
        self.weights = self.latents.std(0, correction=0).clamp(min=1e-3).pow(-WHITENING)
        self.searched = self.latents * self.weights
        self.squares = self.searched.square().sum(1)
        self.unit = 2 * float(self.searched.var(0, correction=0).sum())  # mean squared distance of two patches
        max_locked = int(MAX_LOCKED_OUT * len(frames) / self.patch)
        self.lockout = min(round(LOCKOUT_SECONDS / representation.step_seconds), max_locked)  # patches
        self.max_run = max(int(rules.run_seconds / representation.step_seconds), 1)  # patches
        self.free_from = torch.zeros(len(self.starts), dtype=torch.long)  # step at which each patch is free again
        self.step = 0
        self.copies = CopyDetector(self.modelled, self.patch, representation.options.spec.frame_rate)
        # Alignments of the last patches: position in the material minus position in the tail, in frames. Patches of
        # equal alignment read the material contiguously.
        window = max(CONTIGUITY_SECONDS, 2 * rules.run_seconds)
        self.shifts: deque[int] = deque(maxlen=max(round(window / representation.step_seconds), 1))
        self.events: SeparateEvents | None = None  # that are kept whole
        self.mean = self.latents.mean(0)
        self.recent_mean = self.mean.clone()
        self.keep = math.exp(-representation.step_seconds / MEAN_SECONDS)
        self.target_gain, self.gain = target_gain * math.sqrt(temperature), 1.0
        deviations = (self.searched - self.searched.mean(0)).square().sum(1)
        self.variance = temperature * float(deviations.mean())
        self.mean_deviation = float((deviations / deviations.mean().clamp(min=1e-9)).clamp(max=MAX_DEVIATION).mean())

    def keep_whole(self, events: SeparateEvents) -> None:
        """Begin events of the material at their beginning, play them to their end, and others before the same again."""
        self.events, self.barred = events, events.barred(self.starts, self.patch)
        self.lockout = int(events.lockout_seconds / self.representation.step_seconds)

    def choose(self, latent: Tensor) -> int:
        following = self.last + self.patch
        if self.step and self.events is not None and self.events.goes_on(following, self.patch):
            self.mark_used(following)
            return following // self.stride
        deviation = self.target_gain * self.gain * (latent - self.mean)
        target = self.mean + deviation + MEAN_FEEDBACK * (self.mean - self.recent_mean)
        distance = self.squares - 2 * (self.searched @ (target * self.weights))
        for cost in self.costs:
            distance = distance + self.unit * cost()
        excluded = (self.free_from > self.step) | self._contiguous()
        if self.events is not None:
            excluded |= self.barred
        if not bool(excluded.all()):
            distance = distance.masked_fill(excluded, torch.inf)
        index = self._least_copied(distance)
        self.mark_used(int(self.starts[index]))
        return index

    def _least_copied(self, distance: Tensor) -> int:
        """The nearest patch that makes the last half second neither copy nor repetition, else the least copied one."""
        spacing = max(self.patch // (2 * self.stride), 1) if self.rules.spaced else 1
        places, distances = nearest_places(distance, self.rules.candidates, spacing)
        allowed = int((distances < torch.inf).sum())  # the first ones, as the nearest come first
        candidates = places[: max(allowed, 1)]
        scores = list[float]()
        for score in self._similarities(self.starts[candidates].tolist()):
            scores.append(score)
            if score < 1:
                break
        return int(candidates[scores.index(min(scores))])

    def _similarities(self, starts: list[int]) -> Iterator[float]:
        """How like a copy or a repetition each candidate makes the tail, 1 for a threshold; few are asked for."""
        now = (self.step + 1) * self.patch
        aligned = {shift + now for shift in self.shifts}
        for some in (starts[:FIRST_CANDIDATES], starts[FIRST_CANDIDATES:]):
            if some:
                copied = self.copies.copy_scores(some, aligned)
                repeated = self.copies.repetition_scores(some)
                for copy, repetition in zip(copied, repeated, strict=True):
                    yield max(copy / self.rules.copy_threshold, repetition / self.rules.repetition_threshold)

    def _contiguous(self) -> Tensor:
        """Patches ``[patches]`` to exclude, since they read on in the material.

        Those are patches that continue a recent alignment nearly but not exactly, and patches that continue one exactly
        which has lasted for as long as the rules allow.
        """
        excluded = np.zeros(len(self.starts), bool)  # whose slices cost a tenth of a tensor's
        near, ordered = self.patch // 2, sorted(self.shifts)
        for shift in set(ordered):
            following = self.step * self.patch + shift
            lasted = bisect_right(ordered, shift + near) - bisect_left(ordered, shift - near)
            exact, remainder = divmod(following, self.stride)
            kept = bool(excluded[exact]) if not remainder and 0 <= exact < len(excluded) else None
            excluded[self._within(following, near)] = True
            if kept is False and lasted < self.max_run:
                excluded[exact] = False
        return torch.from_numpy(excluded)

    def _within(self, start: int, distance: int) -> slice:
        """Indices of the patches that begin at most ``distance`` frames from frame ``start``."""
        first = max(-((distance - start) // self.stride), 0)
        return slice(first, max((start + distance) // self.stride + 1, first))

    def mark_used(self, start: int) -> None:
        super().mark_used(start)
        self.copies.push(start)
        self.shifts.append(start - self.step * self.patch)
        self.step += 1
        index = min(int(torch.searchsorted(self.starts, start)), len(self.starts) - 1)
        self.recent_mean = self.keep * self.recent_mean + (1 - self.keep) * self.latents[index]
        self._update_gain(float(((self.latents[index] - self.mean) * self.weights).square().sum()))
        self.free_from[self._within(start, self.patch - 1)] = self.step + self.lockout

    def take_up(self, played: Played) -> Tensor:
        latents = super().take_up(played)
        if played.held and len(latents):
            latest = latents[-HELD_PATCHES:] * self.weights
            self._hold(latest[torch.cdist(latest, latest).sum(1).argmin()])
        return latents

    def _hold(self, latent: Tensor) -> None:
        """Keep to the patches that are most like a weighted ``[latent]``, of which there are enough."""
        per_patch = max(self.patch // self.stride, 1)
        count = min(max(len(self.starts) // 10, MIN_HELD * per_patch), MAX_HELD * per_patch, len(self.starts))
        distance = (self.searched - latent).square().sum(1)
        near = distance <= distance.kthvalue(count).values
        barred = torch.zeros(len(self.starts)).masked_fill(~near, torch.inf)
        self.costs.append(lambda: barred)
        self.mean = self.latents[near].mean(0)
        self.recent_mean = self.mean.clone()
        self.variance *= float(self.searched[near].var(0, correction=0).sum() / max(self.unit / 2, 1e-9))
        self.lockout = min(self.lockout, int(MAX_LOCKED_OUT * count / per_patch))
        self.free_from.clamp_(max=self.step + self.lockout)

    def _update_gain(self, deviation: float) -> None:
        """Feedback control of the variance: raise the gain where a selected patch deviates too little, and vice versa.

        Args:
            deviation: squared distance of the selected patch from the mean.
        """
        if self.variance > 0:
            excess = min(deviation / self.variance, MAX_DEVIATION) - self.mean_deviation
            gain = self.gain * math.exp(-GAIN_RATE * excess)
            self.gain = min(max(gain, 1 / MAX_GAIN_CORRECTION), MAX_GAIN_CORRECTION)
