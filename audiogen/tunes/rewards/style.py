"""Rewards of style: rhythms like the prompt's, and note histograms like those of the prompt or of a corpus."""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from pathlib import Path

import numpy as np

from audiogen.data.datasets import folder_of_files
from audiogen.data.recordings import SplitFractions
from audiogen.errors import InputError
from audiogen.tunes.metrics.histogram_distance import MAX_QUARTERS, STEPS, histograms
from audiogen.tunes.metrics.note_histograms import bar_positions, durations
from audiogen.tunes.rewards.base import Rule
from audiogen.tunes.rewards.passage import Passage
from audiogen.tunes.rewards.tonality import estimate_key
from audiogen.tunes.tune import Tune

PITCHES = 1  # index of the histogram of absolute pitches, which tunes of different keys do not share


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """1 - total variation distance of two relative histograms, 0..1."""
    return 1 - float(np.abs(first - second).sum()) / 2


def _rhythm(tune: Tune) -> tuple[np.ndarray, np.ndarray]:
    notes = tune.melodic_notes
    return (
        durations(notes, tune.ticks_per_quarter, STEPS, MAX_QUARTERS),
        bar_positions(tune, notes, STEPS, MAX_QUARTERS),
    )


class _LikePrompt(Rule):
    """A rule that compares histograms with the prompt's, or without one, the tune's second half with its first."""

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        self._reference: tuple[Tune, list[np.ndarray]] | None = None

    def compared(self, passage: Passage) -> tuple[Tune, Tune] | None:
        """The tune to judge, and what to compare it with; None if there is nothing."""
        if passage.prompt is not None:
            return (passage.tail, passage.prompt) if len(passage.prompt.melodic_notes) else None
        middle = passage.end // 2
        halves = passage.tail.between(middle, passage.end + 1), passage.tail.between(0, middle)
        return halves if all(len(half.melodic_notes) for half in halves) else None

    def histograms_of(self, tune: Tune) -> list[np.ndarray]:
        """Those of a prompt, which are computed once for all its tails."""
        if self._reference is None or self._reference[0] is not tune:
            self._reference = (tune, self.measure(tune))
        return self._reference[1]

    @abstractmethod
    def measure(self, tune: Tune) -> list[np.ndarray]:
        """The relative histograms to compare."""

    def judge(self, passage: Passage) -> float:
        pair = self.compared(passage)
        if pair is None:
            return 0.0
        overlaps = map(_overlap, self.measure(pair[0]), self.histograms_of(pair[1]))
        return float(np.mean(list(overlaps)))


class Rhythm(_LikePrompt):
    """Durations and positions in the bar like the prompt's.

    The mean overlap of both histograms (1 - total variation distance; Yang & Lerch 2018, "On the evaluation of
    generative models in music").
    """

    kind = "rhythm"

    def measure(self, tune: Tune) -> list[np.ndarray]:
        return list(_rhythm(tune))


class Style(_LikePrompt):
    """Note histograms like the prompt's, or like those of the tunes in a folder: ``style:tunes/``.

    The mean overlap of the seven histograms of `audiogen.tunes.metrics.histogram_distance`. Of a folder, pitch classes
    are relative to the key, and absolute pitches are left out.
    """

    kind = "style"

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        self.corpus = _corpus_histograms(Path(argument)) if argument else None

    def measure(self, tune: Tune) -> list[np.ndarray]:
        return histograms(tune)

    def judge(self, passage: Passage) -> float:
        if self.corpus is None:
            return super().judge(passage)
        source = passage.tail if passage.prompt is None else passage.prompt
        own = _in_c(passage.tail, source)
        return float(np.mean([_overlap(mine, theirs) for mine, theirs in zip(own, self.corpus, strict=True)]))


def _in_c(tune: Tune, source: Tune) -> list[np.ndarray]:
    """Histograms with pitch classes relative to the key of ``source``, without those of pitches."""
    found = histograms(tune)
    found[0] = np.roll(found[0], -estimate_key(source).tonic)
    return found[:PITCHES] + found[PITCHES + 1 :]


@lru_cache(maxsize=8)
def _corpus_histograms(folder: Path) -> list[np.ndarray]:
    """Mean histograms of the tunes in a folder."""
    if not folder.is_dir():
        raise InputError(f"style:{folder}", "there is no such folder", "name a folder of MIDI or ABC files")
    tunes = [item.tune() for item in folder_of_files(folder, SplitFractions(0, 0), 0)]
    held = [_in_c(tune, tune) for tune in tunes if tune is not None and len(tune.melodic_notes)]
    if not held:
        raise InputError(f"style:{folder}", "it holds no tune with notes", "name a folder of MIDI or ABC files")
    return [np.mean(each, axis=0) for each in zip(*held, strict=True)]
