"""Note copying: the longest run of notes that also occurs in the training tunes, in any key.

All tunes share some notes by chance: compare with the runs of held-out tunes (`NoteMatchIndex.lengths`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiogen.tunes.tune import Tune

GRID = 12  # steps per quarter note, for onsets
MAX_STEPS = 511  # between onsets; longer times count as this
ODD = np.uint64(0x9E3779B97F4A7C15)
MAX_CACHED = 24  # lengths whose sorted windows are cached


@dataclass(frozen=True)
class NoteMatch:
    """Longest run of notes that a tune has in common with the indexed tunes.

    Args:
        notes: length of the run, at least 2; 0 if there is none.
        start: index of its first note in its part.
        part: the tune's part.
        source: index of the indexed tune with the same run; -1 if there is none.
    """

    notes: int
    start: int = 0
    part: int = 0
    source: int = -1


class NoteMatchIndex:
    """Index of tunes for finding common runs of notes.

    Runs match if their intervals and the times between onsets in quarter notes are equal, within one part; chords
    count as notes from high to low. Windows of one length are compared by 64-bit polynomial hashes, and lengths are
    bisected: the cost of a search is the logarithm of the tune's length times that of the index.

    Args:
        tunes: to index, such as the training split.
        rhythm: whether times between onsets must match as well.
    """

    def __init__(self, tunes: Sequence[Tune], rhythm: bool = True) -> None:
        self.rhythm = rhythm
        lines = [(index, line) for index, tune in enumerate(tunes) for line in _lines(tune, rhythm)]
        marks = [np.full(len(line) + 1, index) for index, line in lines]
        self.sources = np.concatenate([*marks, np.zeros(0, np.int64)])
        self.steps = np.concatenate([*(_terminated(line) for _, line in lines), np.zeros(0, np.int64)])
        self.hashes = _Hashes(self.steps)
        self.sorted: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def longest(self, tune: Tune) -> NoteMatch:
        """The longest match of a tune with any of the indexed tunes."""
        best = NoteMatch(0)
        for part, line in enumerate(_lines(tune, self.rhythm)):
            hashes = _Hashes(line)
            # `low` steps are no improvement, `high` are impossible: double the step, then bisect.
            low, high, step = max(best.notes - 1, 0), len(line) + 1, 1
            while low + step < high and self._find(hashes, low + step) is not None:
                low, step = low + step, 2 * step
            high = min(high, low + step)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._find(hashes, middle) is not None else (low, middle)
            position = self._find(hashes, low) if low + 1 > best.notes and low > 0 else None
            if position is not None:
                best = NoteMatch(low + 1, position[0], part, int(self.sources[position[1]]))
        return best

    def lengths(self, tunes: Sequence[Tune]) -> np.ndarray:
        """Lengths of the `longest` match of each tune in notes, ``[tunes]``."""
        return np.array([self.longest(tune).notes for tune in tunes], np.int64)

    def _find(self, hashes: _Hashes, length: int) -> tuple[int, int] | None:
        """Position of a common window of ``length`` steps in the line and in the index, or None."""
        if length not in self.sorted:
            if len(self.sorted) >= MAX_CACHED:
                self.sorted.pop(next(iter(self.sorted)))
            own = self.hashes.windows(length)
            order = np.argsort(own, kind="stable")
            self.sorted[length] = own[order], order
        values, order = self.sorted[length]
        wanted = hashes.windows(length)
        if not len(values) or not len(wanted):
            return None
        position = np.searchsorted(values, wanted).clip(max=len(values) - 1)
        hit = np.flatnonzero(values[position] == wanted)
        return (int(hit[0]), int(order[position[hit[0]]])) if len(hit) else None


class _Hashes:
    """Rolling hashes: prefix sums of s_i b^i modulo 2^64."""

    def __init__(self, steps: np.ndarray) -> None:
        count = len(steps)
        inverse = np.uint64(pow(int(ODD), -1, 2**64))
        with np.errstate(over="ignore"):
            powers = np.multiply.accumulate(np.append(np.uint64(1), np.full(count, ODD)))
            self.inverses = np.multiply.accumulate(np.append(np.uint64(1), np.full(count, inverse)))
            self.sums = np.append(np.uint64(0), np.cumsum(_mixed(steps) * powers[:count], dtype=np.uint64))

    def windows(self, length: int) -> np.ndarray:
        """Hashes of all windows of ``length`` steps."""
        count = max(len(self.sums) - length, 0)
        with np.errstate(over="ignore"):
            return (self.sums[length : length + count] - self.sums[:count]) * self.inverses[:count]


def _mixed(steps: np.ndarray) -> np.ndarray:
    """Mix integers into uniform 64-bit numbers (SplitMix64; Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        value = steps.astype(np.uint64) * ODD + ODD
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))


def _lines(tune: Tune, rhythm: bool) -> list[np.ndarray]:
    """For each part, the steps between successive notes as non-negative integers; none for drums."""
    lines = []
    for index, part in enumerate(tune.parts):
        notes = tune.notes[(tune.notes["part"] == index) & (not part.drums)]
        intervals = np.diff(notes["pitch"].astype(np.int64)) + 128
        onsets = (2 * notes["start"] * GRID + tune.ticks_per_quarter) // (2 * tune.ticks_per_quarter)
        times = np.diff(onsets).clip(max=MAX_STEPS) if rhythm else np.zeros(len(intervals), np.int64)
        lines.append(intervals * (MAX_STEPS + 1) + times)
    return lines


def _terminated(line: np.ndarray) -> np.ndarray:
    """A line followed by -1, which no run matches: steps are not negative."""
    return np.append(line, -1)
