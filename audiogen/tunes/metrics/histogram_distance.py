"""Histogram distance of a tail to its prompt, by which the best of several takes is chosen.

Real tunes stay in their key, register, rhythm and texture, and repeat themselves; a network that errs once continues
from its error. The distance is the sum of total variation distances between relative histograms (Yang & Lerch 2018,
"On the evaluation of generative models in music"): each is 0 for equal histograms and 1 for disjoint ones. Compare
tails of one length only, for short tails have sparser histograms.
"""

from __future__ import annotations

import numpy as np

from audiogen.tunes.metrics.note_histograms import (
    bar_positions,
    durations,
    intervals,
    pitch_classes,
    pitches,
    simultaneous_pitches,
)
from audiogen.tunes.tune import Tune

STEPS = 12  # per quarter note: sixteenths and triplets
MAX_QUARTERS = 8  # of durations and of positions in a bar
MAX_INTERVAL = 12  # semitones each way
MAX_NOTES = 4000  # the first ones of a tune


def histogram_distance(tail: Tune, prompt: list[np.ndarray]) -> float:
    """Distance of a tail to the `histograms` of a prompt, 0 to 7; infinite for a tail without notes."""
    if not len(tail.notes):
        return float("inf")
    pairs = zip(histograms(tail), prompt, strict=True)
    return float(sum(np.abs(mine - theirs).sum() / 2 for mine, theirs in pairs))


def histograms(tune: Tune) -> list[np.ndarray]:
    """Seven histograms of a tune, drums included.

    Returns:
        Pitch classes, pitches, durations, positions in the bar and intervals, weighted by notes; the number of
        simultaneous pitches and their intervals above the lowest, weighted by time.
    """
    notes = tune.notes[np.argsort(tune.notes["start"], kind="stable")][:MAX_NOTES]
    return [
        pitch_classes(notes),
        pitches(notes),
        durations(notes, tune.ticks_per_quarter, STEPS, MAX_QUARTERS),
        bar_positions(tune, notes, STEPS, MAX_QUARTERS),
        intervals([notes["pitch"][notes["part"] == part] for part in np.unique(notes["part"])], MAX_INTERVAL),
        *simultaneous_pitches(notes),
    ]
