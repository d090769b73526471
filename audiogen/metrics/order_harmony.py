"""Harmony: which pitch classes follow which on a grid of beats, and how much they move.

How much they move is reported for music with a pulse, but is no measure of order: a real segment of one piece moves
twice as much as the segment before it, and random patches move within a quarter of what the music does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from audiogen.metrics.order_features import OrderFeatures
from audiogen.metrics.order_forecast import squared_distances
from audiogen.metrics.order_pulse import find_pulse

DEFAULT_BEAT = 0.5  # seconds, where there is no pulse
BEAT_SECONDS = (0.25, 1.0)  # a faster or slower pulse is halved or doubled
NEIGHBOURS = 4
RANDOM_FORECASTS = 40


def beat_chroma(segment: OrderFeatures, beat: float) -> np.ndarray:
    """Mean chroma of each beat, square roots of powers, normalised: ``[beats, 12]``."""
    edges = np.arange(0, len(segment.chroma) + 1e-6, beat * segment.rate).astype(int)
    if len(edges) < 2:
        return np.zeros((0, 12))
    means = np.array([segment.chroma[a:b].mean(axis=0) for a, b in pairwise(edges)])
    means = np.log(1 + 30 * means)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)


def beat_of(parts: Sequence[OrderFeatures]) -> float:
    """Seconds of a beat: the period of the pulse, or half a second."""
    pulse = find_pulse(parts)
    beat = DEFAULT_BEAT if pulse is None else pulse.period
    while beat < BEAT_SECONDS[0]:
        beat *= 2
    while beat > BEAT_SECONDS[1]:
        beat /= 2
    return beat


def chroma_movement(segment: OrderFeatures, beat: float) -> float:
    """Mean distance of the chroma from one beat to the next."""
    chroma = beat_chroma(segment, beat)
    return float(np.linalg.norm(np.diff(chroma, axis=0), axis=1).mean()) if len(chroma) > 1 else float("nan")


def fit_chroma_transitions(parts: Sequence[OrderFeatures]) -> Callable[[OrderFeatures], float]:
    """The fraction of random forecasts of the next beat's chroma that are nearer than that by analogues.

    As `order_forecast`, with two beats of chroma as the context; see there.
    """
    beat = beat_of(parts)
    contexts, following = [], []
    for part in parts:
        # From several places of the beat: a recording holds few beats, and the grid's phase is not known.
        for offset in np.linspace(0, beat * part.rate, 4, endpoint=False).astype(int):
            chroma = beat_chroma(part.cut(int(offset), len(part.chroma)), beat)
            if len(chroma) > 2:
                contexts.append(np.concatenate([chroma[:-2], chroma[1:-1]], axis=1))
                following.append(chroma[2:])

    def loss(segment: OrderFeatures) -> float:
        chroma = beat_chroma(segment, beat)
        if len(chroma) < 6 or not contexts:
            return float("nan")
        known, follows = np.concatenate(contexts), np.concatenate(following)
        own, target = np.concatenate([chroma[:-2], chroma[1:-1]], axis=1), chroma[2:]
        places = np.argsort(squared_distances(own, known), axis=1)[:, :NEIGHBOURS]
        error = np.square(follows[places].mean(axis=1) - target).sum(axis=1)
        chosen = np.random.default_rng(0).integers(0, len(follows), (RANDOM_FORECASTS, len(target), NEIGHBOURS))
        errors = np.square(follows[chosen].mean(axis=2) - target).sum(axis=2)
        return float((errors < error).mean())

    return loss
