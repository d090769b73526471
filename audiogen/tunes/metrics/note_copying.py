"""Copying in tunes: the longest run of notes that also stands in the training tunes, in any key.

Every tune shares some notes with others by chance; judge against the runs of held-out tunes
(`NoteMatchIndex.lengths`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiogen.tunes.tune import Tune

GRID = 12  # steps a quarter note that onsets are compared on
LONGEST_STEP = 511  # grid steps; longer waits count as this
ODD = np.uint64(0x9E3779B97F4A7C15)
CACHED = 24  # lengths whose windows stay sorted


@dataclass(frozen=True)
class NoteMatch:
    """Args:
    notes: in the longest common run; 0 where there is none (a run has two notes at least).
    start: index of its first note in its part of the tune.
    part: the part that it is in.
    source: index of the training tune that it also stands in; -1 where there is none.
    """

    notes: int
    start: int = 0
    part: int = 0
    source: int = -1


class NoteMatchIndex:
    """The training tunes, ready to be searched.

    A run is a stretch of one part (of chords, the notes from high to low) with the same intervals, and the
    same time between onsets in quarter notes. Windows of one length are compared as 64-bit polynomial hashes,
    and lengths
    bisected: a tune's search costs the logarithm of its length times that of the training set's.

    Args:
        tunes: of the training part.
        rhythm: whether the time between onsets has to agree too.
    """

    def __init__(self, tunes: Sequence[Tune], rhythm: bool = True) -> None:
        self.rhythm = rhythm
        lines = [(index, line) for index, tune in enumerate(tunes) for line in _lines(tune, rhythm)]
        marks = [np.full(len(line) + 1, index) for index, line in lines]
        self.sources = np.concatenate([*marks, np.zeros(0, np.int64)])
        self.steps = np.concatenate([*(_closed(line) for _, line in lines), np.zeros(0, np.int64)])
        self.hashes = _Hashes(self.steps)
        self.sorted: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def longest(self, tune: Tune) -> NoteMatch:
        """The longest common run of a tune with any of the training tunes."""
        best = NoteMatch(0)
        for part, line in enumerate(_lines(tune, self.rhythm)):
            hashes = _Hashes(line)
            low, high, step = (
                max(best.notes - 1, 0),
                len(line) + 1,
                1,
            )  # `low` steps are no news, `high` impossible
            while low + step < high and self._find(hashes, low + step) is not None:
                low, step = low + step, 2 * step
            high = min(high, low + step)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._find(hashes, middle) is not None else (low, middle)
            found = self._find(hashes, low) if low + 1 > best.notes and low > 0 else None
            if found is not None:
                best = NoteMatch(low + 1, found[0], part, int(self.sources[found[1]]))
        return best

    def lengths(self, tunes: Sequence[Tune]) -> np.ndarray:
        """Notes in the longest common run of each tune, ``[tunes]``."""
        return np.array([self.longest(tune).notes for tune in tunes], np.int64)

    def _find(self, hashes: _Hashes, length: int) -> tuple[int, int] | None:
        """Where a window of ``length`` steps stands in the line and in the training tunes, if any does."""
        if length not in self.sorted:
            if len(self.sorted) >= CACHED:
                self.sorted.pop(next(iter(self.sorted)))
            mine = self.hashes.windows(length)
            order = np.argsort(mine, kind="stable")
            self.sorted[length] = mine[order], order
        values, order = self.sorted[length]
        wanted = hashes.windows(length)
        if not len(values) or not len(wanted):
            return None
        place = np.searchsorted(values, wanted).clip(max=len(values) - 1)
        hit = np.flatnonzero(values[place] == wanted)
        return (int(hit[0]), int(order[place[hit[0]]])) if len(hit) else None


class _Hashes:
    """Prefix sums of s_i b^i modulo 2^64, from which any window's hash follows."""

    def __init__(self, steps: np.ndarray) -> None:
        count = len(steps)
        inverse = np.uint64(pow(int(ODD), -1, 2**64))
        with np.errstate(over="ignore"):
            powers = np.multiply.accumulate(np.append(np.uint64(1), np.full(count, ODD)))
            self.inverses = np.multiply.accumulate(np.append(np.uint64(1), np.full(count, inverse)))
            self.sums = np.append(np.uint64(0), np.cumsum(_mixed(steps) * powers[:count], dtype=np.uint64))

    def windows(self, length: int) -> np.ndarray:
        """Hash of each window of ``length`` steps."""
        count = max(len(self.sums) - length, 0)
        with np.errstate(over="ignore"):
            return (self.sums[length : length + count] - self.sums[:count]) * self.inverses[:count]


def _mixed(steps: np.ndarray) -> np.ndarray:
    """Well-spread 64-bit numbers (SplitMix64; Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        value = steps.astype(np.uint64) * ODD + ODD
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))


def _lines(tune: Tune, rhythm: bool) -> list[np.ndarray]:
    """For each part the steps between its notes, as numbers that are not negative; drums have none."""
    lines = []
    for index, part in enumerate(tune.parts):
        notes = tune.notes[(tune.notes["part"] == index) & (not part.drums)]
        jumps = np.diff(notes["pitch"].astype(np.int64)) + 128
        onsets = (2 * notes["start"] * GRID + tune.ticks_per_quarter) // (2 * tune.ticks_per_quarter)
        waits = np.diff(onsets).clip(max=LONGEST_STEP) if rhythm else np.zeros(len(jumps), np.int64)
        lines.append(jumps * (LONGEST_STEP + 1) + waits)
    return lines


def _closed(line: np.ndarray) -> np.ndarray:
    """A line and the mark behind it that no run crosses: no line holds a negative step."""
    return np.append(line, -1)
