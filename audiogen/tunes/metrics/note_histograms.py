"""Relative histograms of notes: pitches, durations, positions in the bar, intervals and simultaneous pitches.

Each sums to 1, or to 0 where there is nothing to count. Values beyond the range count in the outermost bin.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audiogen.tunes.tune import Tune

MAX_SIMULTANEOUS = 15  # pitches


def histogram(values: np.ndarray, size: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Relative histogram ``[size]`` of integers."""
    counts = np.bincount(values.clip(0, size - 1), weights, minlength=size)
    return counts / max(counts.sum(), 1e-9)


def pitch_classes(notes: np.ndarray) -> np.ndarray:
    """Fractions of the notes by pitch class, ``[12]``."""
    return histogram(notes["pitch"].astype(np.int64) % 12, 12)


def pitches(notes: np.ndarray) -> np.ndarray:
    """Fractions of the notes by pitch, ``[128]``."""
    return histogram(notes["pitch"].astype(np.int64), 128)


def durations(notes: np.ndarray, ticks_per_quarter: int, steps: int, max_quarters: int) -> np.ndarray:
    """Fractions of the notes by duration, ``[steps * max_quarters + 1]``.

    Args:
        notes: of dtype `NOTE`.
        ticks_per_quarter: their resolution.
        steps: bins per quarter note.
        max_quarters: longest duration, quarter notes.
    """
    lengths = np.rint(steps * (notes["end"] - notes["start"]) / ticks_per_quarter).astype(np.int64)
    return histogram(lengths, steps * max_quarters + 1)


def bar_positions(tune: Tune, notes: np.ndarray, steps: int, max_quarters: int) -> np.ndarray:
    """Fractions of the notes by their onset's position in the bar, ``[steps * max_quarters + 1]``.

    Args:
        tune: whose bar lines hold.
        notes: of dtype `NOTE`, at the tune's resolution; at least one.
        steps: bins per quarter note.
        max_quarters: last position, quarter notes.
    """
    lines = tune.bar_lines(int(notes["start"].max()) + 1)
    ticks = notes["start"] - lines[np.searchsorted(lines, notes["start"], side="right") - 1]
    return histogram(steps * ticks // tune.ticks_per_quarter, steps * max_quarters + 1)


def intervals(lines: Sequence[np.ndarray], max_interval: int) -> np.ndarray:
    """Fractions of melodic intervals, ``[2 * max_interval + 1]`` from falling to rising.

    Args:
        lines: pitches of successive notes, one array per part.
        max_interval: largest interval each way, semitones.
    """
    steps: list[np.ndarray] = [np.zeros(0, np.int64)]
    steps += [np.diff(line.astype(np.int64)) for line in lines]
    return histogram(np.concatenate(steps) + max_interval, 2 * max_interval + 1)


def simultaneous_pitches(notes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fractions of the time by the number of sounding pitches, and by their intervals above the lowest.

    Returns:
        Number of different pitches, ``[MAX_SIMULTANEOUS + 1]``; intervals modulo the octave, ``[12]``.
    """
    edges = np.unique(np.concatenate([notes["start"], notes["end"]]))
    changes = np.zeros((len(edges), 128), np.int16)
    np.add.at(changes, (np.searchsorted(edges, notes["start"]), notes["pitch"].astype(np.int64)), 1)
    np.add.at(changes, (np.searchsorted(edges, notes["end"]), notes["pitch"].astype(np.int64)), -1)
    sounding = (changes.cumsum(axis=0) > 0)[:-1]
    lengths = np.diff(edges).astype(float)
    moment, pitch = np.nonzero(sounding)
    above = pitch - sounding.argmax(axis=1)[moment]
    upper = above > 0
    return (
        histogram(sounding.sum(axis=1), MAX_SIMULTANEOUS + 1, lengths),
        histogram(above[upper] % 12, 12, lengths[moment[upper]]),
    )
