"""Beats: when the pulse of a recording falls, found by dynamic programming, smoothed, and extrapolated.

librosa's tracker gives the same beats, but its compilation takes 38 s at the first call.
"""

from __future__ import annotations

import numpy as np

TIGHTNESS = 100.0  # cost of the squared logarithm of a deviation from the period (Ellis 2007)
STEADY_SECONDS = 0.02  # scale of the deviation of beats that lie on a straight line
STEADY_FRACTION = 0.8  # of the beats within twice that: the tempo is steady
LINE_ITERATIONS = 10
SMOOTHED_BEATS = 4.0  # standard deviation of the window over which others are smoothed


def track_beats(strength: np.ndarray, rate: float, periods: np.ndarray) -> np.ndarray:
    """Find the beats of a recording (Ellis 2007, "Beat tracking by dynamic programming", J. New Music Research 36).

    Args:
        strength: ``[frames]`` onset strength.
        rate: frames per second.
        periods: ``[frames]`` of the beat at each moment, seconds; see `pulse.tempo_curve`.

    Returns:
        ``[beats]`` seconds, ascending.
    """
    from scipy.ndimage import gaussian_filter1d

    usual = periods * rate
    local = gaussian_filter1d(strength / max(float(strength.std()), 1e-9), float(usual.mean()) / 32)
    lags = np.arange(round(usual.min() / 2), round(2 * usual.max()) + 1)
    # Predecessors lie at least the smallest lag back, so that as many frames are computed at once.
    score = np.concatenate([np.zeros(lags[-1]), local])
    previous = np.full(len(local), -1)
    for start in range(0, len(local), lags[0]):
        frames = np.arange(start, min(start + lags[0], len(local)))
        cost = TIGHTNESS * np.square(np.log(lags / usual[frames, None]))
        candidates = score[frames[:, None] + lags[-1] - lags] - cost
        best = candidates.argmax(1)
        score[frames + lags[-1]] += np.maximum(candidates[np.arange(len(frames)), best], 0)
        previous[frames] = np.where(candidates[np.arange(len(frames)), best] > 0, frames - lags[best], -1)
    ending = max(len(local) - round(usual[-1]), 0)
    beats = [ending + int(score[lags[-1] + ending :].argmax())]
    while previous[beats[-1]] >= 0:
        beats.append(int(previous[beats[-1]]))
    return np.array(beats[::-1]) / rate


def smooth_beats(beats: np.ndarray, period: float) -> np.ndarray:
    """The grid behind tracked beats: a straight line for a steady tempo, else a local linear fit.

    Args:
        beats: ``[beats]`` seconds.
        period: of the beat, seconds.

    Returns:
        ``[beats]`` seconds.
    """
    index = np.arange(len(beats))
    line = beats[0] + np.median(beats - beats[0] - period * index) + period * index
    for _ in range(LINE_ITERATIONS):  # reweighted, so that a few beats off the grid do not tilt the line
        near = np.exp(-0.5 * np.square((beats - line) / STEADY_SECONDS)) + 1e-6
        line = _fit(index, beats, near, index)
    if np.mean(np.abs(beats - line) <= 2 * STEADY_SECONDS) >= STEADY_FRACTION:
        return line
    smooth = np.empty(len(beats))
    for position in index:
        weights = np.exp(-0.5 * np.square((index - position) / SMOOTHED_BEATS))
        smooth[position] = _fit(index, beats, weights, np.array([position]))[0]
    return np.maximum.accumulate(smooth)


def _fit(index: np.ndarray, times: np.ndarray, weights: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weighted linear regression of times on an index, at the wanted indices."""
    total = weights.sum()
    centre, middle = (weights @ index) / total, (weights @ times) / total
    slope = (weights * (index - centre)) @ (times - middle) / max((weights * np.square(index - centre)).sum(), 1e-9)
    return middle + slope * (wanted - centre)


def extend_beats(beats: np.ndarray, end: float) -> np.ndarray:
    """Beats extrapolated at their last period, up to the last one before ``end`` seconds."""
    period = float(np.mean(np.diff(beats[-5:])))
    more = int(np.floor((end - beats[-1]) / period + 1e-9))
    if more < 0:
        return beats[beats <= end]
    return np.concatenate([beats, beats[-1] + period * np.arange(1, more + 1)])
