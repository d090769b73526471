"""Ranges of level, centroid, variance and correlation over segments of the tail and of the prompt, and level dips.

A single value means little: the level of a recording of waves varies by 6 dB. The tail is therefore cut into segments,
the recording into segments of the same length, and the two ranges are reported side by side. They are medians where
there is only one segment.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from audiogen.metrics.drift import DriftMeter, SecondStats, SegmentStats, segment_stats, sum_covariances
from audiogen.metrics.spectra import POWER_FLOOR, decibels
from audiogen.metrics.stereo import correlations

MAX_SEGMENT_SECONDS = 30
MIN_SOURCE_SECONDS = 4  # of the recording, for its range to be meaningful
MIN_TAIL_SECONDS = 2  # of the tail
FADE_DB = 3.0  # below the median level: quieter ends of a recording count as its fades
DIP_QUANTILE = 0.02  # of the levels of tenths of a second: a dip


VALUES: dict[str, Callable[[SegmentStats], float]] = {
    "level_db": lambda part: part.level,
    "centroid_hz": lambda part: part.centroid,
    "variance": lambda part: part.variance,
    "tonality_db": lambda part: part.tonality,
}


def segment_ranges(tail: DriftMeter, past: DriftMeter) -> dict[str, object]:
    """Ranges over segments of a tail and over segments of the same length of the recording that it continues.

    Args:
        tail: meter of the continuation.
        past: meter of the recording, or of its end.

    Returns:
        ``seconds``, the length of a segment; and for each of `VALUES` (and ``correlation``, the mean over pairs of
        channels) ``low`` and ``high`` of the tail, ``usual_low`` and ``usual_high`` of the recording. Empty if either
        is too short or silent.
    """
    own, usual = tail.seconds(), past.seconds()
    if len(usual) < MIN_SOURCE_SECONDS or len(own) < MIN_TAIL_SECONDS:
        return {}
    length = max(1, min(MAX_SEGMENT_SECONDS, len(own) // 2, len(usual) // 3))
    result: dict[str, object] = {}
    for name, value in VALUES.items():
        values = [
            [value(segment_stats(part, tail.channels)) for part in segments(seconds, length)]
            for seconds in (own, usual)
        ]
        result |= _ranges(name, *values)
    if tail.channels > 1:
        values = [
            [float(correlations(sum_covariances(part)[0]).mean()) for part in segments(seconds, length)]
            for seconds in (own, usual)
        ]
        result |= _ranges("correlation", *values)
    return {"seconds": length, **result} if result else {}


def segments(seconds: list[SecondStats], length: int) -> list[list[SecondStats]]:
    """Segments of ``length`` seconds that overlap by half; the last one ends with the last second."""
    last = len(seconds) - length
    return [seconds[start : start + length] for start in dict.fromkeys([*range(0, last, max(length // 2, 1)), last])]


def _ranges(name: str, own: list[float], usual: list[float]) -> dict[str, object]:
    sounding, before = ([value for value in values if np.isfinite(value)] for values in (own, usual))
    if not sounding or not before:
        return {}
    edges = {"low": min(sounding), "high": max(sounding), "usual_low": min(before), "usual_high": max(before)}
    return {name: edges}


def dips(tail: DriftMeter, past: DriftMeter) -> dict[str, float]:
    """How far the level of tenths of a second falls below its median, in the tail and in the recording.

    Returns:
        ``dip_db``: of the tail, exceeded by 2 % of its tenths; ``usual_dip_db``: the deepest of the recording between
        its fades; ``fade_in_seconds`` and ``fade_out_seconds``: the recording's ends at which the level is 3 dB or more
        below the median. Empty if either is too short or silent.
    """
    own, usual = (np.concatenate([s.tenths for s in meter.seconds()]) for meter in (tail, past))
    if len(own) < 10 * MIN_TAIL_SECONDS or len(usual) < 10 * MIN_SOURCE_SECONDS or np.median(usual) <= POWER_FLOOR:
        return {}
    levels = decibels(usual)
    loud = np.flatnonzero(levels > np.median(levels) - FADE_DB)
    inner = levels[loud[0] : loud[-1] + 1]
    below = decibels(own)
    return {
        "dip_db": float(np.median(below) - np.quantile(below, DIP_QUANTILE)),
        "usual_dip_db": float(np.median(inner) - inner.min()),
        "fade_in_seconds": float(loud[0] / 10),
        "fade_out_seconds": float((len(levels) - 1 - loud[-1]) / 10),
    }
