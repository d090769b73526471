"""Unit selection: each patch that a Model draws is replaced by the patch of the source that is most like it.

What a Model predicts is smoother than what it has heard, and a Model that hears itself wanders off. Here it hears, and
we hear, patches that were recorded; the Model only says what kind of patch comes next. As in concatenative synthesis
(Hunt & Black 1996, ICASSP; Schwarz 2006, DAFx), with a learned target cost. The mean and the variance of what is chosen
are kept near the source's, since the nearest patch is a tame one and Models have favourites.
"""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor

from audiogen.representation.mel_latents import MelLatents
from audiogen.sound.copy_detection import CopyDetector
from audiogen.sound.patch_source import PatchSource

LOCKOUT_SECONDS = 9.0  # for which a place of the source is not used again
MAX_LOCKED_OUT = 1 / 3  # of the source
MAX_RUN_SECONDS = 0.25  # seconds of the source that are read on verbatim
CANDIDATES = 8  # of which the first that makes no copy and no repetition is taken
COPY_THRESHOLD = 0.4  # correlation with half a second of the source from which on the tail would be one
REPETITION_THRESHOLD = 0.7  # the same with half a second of the tail itself; a larger search finds more by chance
CONTIGUITY_SECONDS = 0.5  # in which no more than that may follow one course of the source, in one piece or in several
TARGET_GAIN = 1.4  # of what is asked for about the source's mean: the nearest patch is usually one nearer to it
MAX_GAIN_CORRECTION = 2.0  # limit of the correction of the gain, as a factor either way
GAIN_RATE = 0.03  # a patch, at which the stretch follows what the variance is off
MAX_DEVIATION = 3.0  # variances that one patch counts as at most
MEAN_FEEDBACK = 2.0  # what is asked for is moved by so much of what the recent choices' mean is off the source's
MEAN_SECONDS = 6.0  # that count as recent (time constant)
WHITENING = 0.5  # exponent of a latent's deviation over the source, by which differences are divided


class PatchSelector(PatchSource):
    """Patches that are most like what is drawn, under rules; remembers which it has used.

    Args:
        representation, frames, centre: see `PatchSource`.
        temperature: variance of what is chosen, in units of the source's own, as far as the source has such patches.

    Raises:
        InputError: the source is shorter than a patch.
    """

    def __init__(self, representation: MelLatents, frames: Tensor, centre: Tensor, temperature: float = 1.0) -> None:
        super().__init__(representation, frames, centre)
        self.weights = self.latents.std(0, correction=0).clamp(min=1e-3).pow(-WHITENING)
        self.searched = self.latents * self.weights
        self.squares = self.searched.square().sum(1)
        most = int(MAX_LOCKED_OUT * len(frames) / self.patch)
        self.rest = min(round(LOCKOUT_SECONDS / representation.step_seconds), most)  # patches
        self.longest = max(int(MAX_RUN_SECONDS / representation.step_seconds), 1)  # patches
        self.free_from = torch.zeros(len(self.starts), dtype=torch.long)
        self.drawn = 0
        self.course = CopyDetector(self.heard, self.patch, representation.options.spec.frame_rate)
        # Of the last patches: how much later in the source than in the tail they lie. Equal ones follow one course.
        self.shifts: deque[int] = deque(maxlen=max(round(CONTIGUITY_SECONDS / representation.step_seconds), 1))
        self.mean = self.latents.mean(0)
        self.recent_mean = self.mean.clone()
        self.keep = math.exp(-representation.step_seconds / MEAN_SECONDS)
        self.stretch, self.gain = TARGET_GAIN * math.sqrt(temperature), 1.0
        deviations = (self.searched - self.searched.mean(0)).square().sum(1)
        self.variance = temperature * float(deviations.mean())
        self.usual = float((deviations / deviations.mean().clamp(min=1e-9)).clamp(max=MAX_DEVIATION).mean())

    def choose(self, latent: Tensor) -> int:
        drawn = self.stretch * self.gain * (latent - self.mean)
        asked = self.mean + drawn + MEAN_FEEDBACK * (self.mean - self.recent_mean)
        distance = self.squares - 2 * (self.searched @ (asked * self.weights))
        barred = (self.free_from > self.drawn) | self._on_course()
        if not bool(barred.all()):
            distance = distance.masked_fill(barred, torch.inf)
        place = self._least_copied(distance)
        self.mark_used(int(self.starts[place]))
        return place

    def _least_copied(self, distance: Tensor) -> int:
        """The nearest place that makes the last half second no copy and no repetition; of a few, the one that does so
        least."""
        nearest = distance.topk(min(CANDIDATES, len(distance)), largest=False).indices.tolist()
        places = [place for place in nearest if distance[place] < torch.inf] or nearest[:1]
        starts = [int(self.starts[place]) for place in places]
        now, worst = (self.drawn + 1) * self.patch, []
        for start, recurring in zip(starts, self.course.repetition_score(starts), strict=True):
            ends = {start + self.patch, *(shift + now for shift in self.shifts)}
            worst.append(max(self.course.copy_score(start, ends) / COPY_THRESHOLD, recurring / REPETITION_THRESHOLD))
            if worst[-1] < 1:
                break
        return places[worst.index(min(worst))]

    def _on_course(self) -> Tensor:
        """Places that nearly go on with a recent course of the source, or with one that has lasted long enough."""
        barred = torch.zeros_like(self.starts, dtype=torch.bool)
        near = self.patch // 2
        for shift in set(self.shifts):
            off = self.starts - self.drawn * self.patch - shift
            lasted = sum(abs(other - shift) <= near for other in self.shifts)
            barred |= (off.abs() <= near) & ((off != 0) | (lasted >= self.longest))
        return barred

    def mark_used(self, start: int) -> None:
        super().mark_used(start)
        self.course.push(start)
        self.shifts.append(start - self.drawn * self.patch)
        self.drawn += 1
        place = min(int(torch.searchsorted(self.starts, start)), len(self.starts) - 1)
        self.recent_mean = self.keep * self.recent_mean + (1 - self.keep) * self.latents[place]
        self._update_gain(float(((self.latents[place] - self.mean) * self.weights).square().sum()))
        self.free_from[(self.starts - start).abs() < self.patch] = self.drawn + self.rest

    def _update_gain(self, deviation: float) -> None:
        """Ask for more, or for less, where the squared deviations of what is chosen are not those that are wanted."""
        if self.variance > 0:
            excess = min(deviation / self.variance, MAX_DEVIATION) - self.usual
            gain = self.gain * math.exp(-GAIN_RATE * excess)
            self.gain = min(max(gain, 1 / MAX_GAIN_CORRECTION), MAX_GAIN_CORRECTION)
