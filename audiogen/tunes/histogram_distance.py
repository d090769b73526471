"""How unlike its prompt a tail is: of several takes, the one that goes on most like what was heard is kept.

Real tunes stay in their key, register, rhythm and texture, and repeat themselves; a network that errs once goes on from
its error. Differences are those of relative histograms (Yang & Lerch 2018, "On the evaluation of generative models in
music"), as total variation distances: 0 where two are the same, 1 where they have nothing in common. Tails that are
compared should be of one length, for short ones have sparser histograms.
"""

from __future__ import annotations

import numpy as np

from audiogen.tunes.tune import Tune

STEPS = 12  # a quarter note: sixteenths and triplets
LONGEST = 8 * STEPS  # steps, of durations and of places in a bar: beyond, they are alike
WIDEST = 12  # semitones of an interval each way
MOST_NOTES = 4000  # of a tune that are looked at, its first ones
MOST_VOICES = 16


def histogram_distance(tail: Tune, prompt: list[np.ndarray]) -> float:
    """Sum of the total variation distances between a tail's histograms and a prompt's (`histograms`), 0 to 7; infinite
    for a tail without notes.
    """
    if not len(tail.notes):
        return float("inf")
    pairs = zip(histograms(tail), prompt, strict=True)
    return float(sum(np.abs(mine - theirs).sum() / 2 for mine, theirs in pairs))


def histograms(tune: Tune) -> list[np.ndarray]:
    """Shares of pitch classes, pitches, durations, places in the bar and intervals, of the notes; of the different
    pitches that sound at once, and of their intervals above the lowest, of the time. Each sums to 1, or to 0 where
    there is nothing to count. Drums count as notes.
    """
    notes = tune.notes[np.argsort(tune.notes["start"], kind="stable")][:MOST_NOTES]
    pitches, scale = notes["pitch"].astype(np.int64), STEPS / tune.ticks_per_quarter
    lines = tune.bar_lines(int(notes["start"].max()) + 1)
    places = notes["start"] - lines[np.searchsorted(lines, notes["start"], side="right") - 1]
    steps = [np.diff(pitches[notes["part"] == part]) for part in np.unique(notes["part"])]
    return [
        histogram(pitches % 12, 12),
        histogram(pitches, 128),
        histogram(np.rint((notes["end"] - notes["start"]) * scale).astype(np.int64), LONGEST + 1),
        histogram((places * scale).astype(np.int64), LONGEST + 1),
        histogram(np.concatenate(steps) + WIDEST, 2 * WIDEST + 1),
        *_at_once(notes, pitches),
    ]


def histogram(values: np.ndarray, size: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Relative histogram ``[size]`` of whole numbers, those outside 0..size - 1 in the outer bins."""
    counts = np.bincount(values.clip(0, size - 1), weights, minlength=size)
    return counts / max(counts.sum(), 1e-9)


def _at_once(notes: np.ndarray, pitches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of time: how many pitches sound, and how far (in semitones, modulo the octave) above the lowest."""
    edges = np.unique(np.concatenate([notes["start"], notes["end"]]))
    changes = np.zeros((len(edges), 128), np.int16)
    np.add.at(changes, (np.searchsorted(edges, notes["start"]), pitches), 1)
    np.add.at(changes, (np.searchsorted(edges, notes["end"]), pitches), -1)
    sounding = (changes.cumsum(axis=0) > 0)[:-1]
    lengths = np.diff(edges).astype(float)
    moment, pitch = np.nonzero(sounding)
    above = pitch - sounding.argmax(axis=1)[moment]
    upper = above > 0
    return (
        histogram(sounding.sum(axis=1), MOST_VOICES, lengths),
        histogram(above[upper] % 12, 12, lengths[moment[upper]]),
    )
