"""What a recording's own segments have, and where the parts of its continuation lie.

A level, a centroid or a correlation means little by itself: a recording of waves strays by 6 dB all the time. So the
continuation is cut into parts, and the recording into segments as long, and the range of the one is set beside that of
the other. Both are medians where one part is all there is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from audiogen.metrics.drift import DriftMeter, SegmentStats, segment_stats, sum_covariances
from audiogen.metrics.spectra import POWER_FLOOR, decibels
from audiogen.metrics.stereo import correlations

MAX_SEGMENT_SECONDS = 30  # seconds of a segment
MIN_SOURCE_SECONDS = 4  # seconds of a recording whose segments say what is usual
MIN_TAIL_SECONDS = 2  # seconds of a continuation whose parts are compared
FADE_DB = 3.0  # dB below the median level up to which the ends of a recording count as its fades
DIP_QUANTILE = 0.02  # share of the tenths of a second whose level counts as a dip

VALUES: dict[str, Callable[[SegmentStats], float]] = {
    "level_db": lambda part: part.level,
    "centroid_hz": lambda part: part.centroid,
    "variance": lambda part: part.variance,
    "tonality_db": lambda part: part.tonality,
}


def segment_ranges(tail: DriftMeter, past: DriftMeter) -> dict[str, object]:
    """Ranges over parts of a tail and over as long segments of what it continues.

    Args:
        tail: of the continuation.
        past: of the recording, or of its end.

    Returns:
        ``seconds`` of a part, and for each of `VALUES` (and ``correlation``, the mean over pairs of channels)
        ``low``, ``high``, ``usual_low``, ``usual_high``. Empty where either is too short to say, or is silent.
    """
    own, usual = tail.seconds(), past.seconds()
    if len(usual) < MIN_SOURCE_SECONDS or len(own) < MIN_TAIL_SECONDS:
        return {}
    length = max(1, min(MAX_SEGMENT_SECONDS, len(own) // 2, len(usual) // 3))
    found: dict[str, object] = {}
    for name, of in VALUES.items():
        ranges = [
            [of(segment_stats(part, tail.channels)) for part in parts(seconds, length)] for seconds in (own, usual)
        ]
        found |= _ranged(name, *ranges)
    if tail.channels > 1:
        ranges = [
            [float(correlations(sum_covariances(part)[0]).mean()) for part in parts(seconds, length)]
            for seconds in (own, usual)
        ]
        found |= _ranged("correlation", *ranges)
    return {"seconds": length, **found} if found else {}


def parts(seconds: list, length: int) -> list[list]:
    """Runs of ``length`` seconds that overlap by half; the last one ends with the last second."""
    last = len(seconds) - length
    return [seconds[start : start + length] for start in dict.fromkeys([*range(0, last, max(length // 2, 1)), last])]


def _ranged(name: str, own: list[float], usual: list[float]) -> dict[str, object]:
    sounding, before = ([value for value in values if np.isfinite(value)] for values in (own, usual))
    if not sounding or not before:
        return {}
    edges = {"low": min(sounding), "high": max(sounding), "usual_low": min(before), "usual_high": max(before)}
    return {name: edges}


def dips(tail: DriftMeter, past: DriftMeter) -> dict[str, float]:
    """How far the level of tenths of a second falls below its median, here and in the recording between its fades.

    Returns:
        ``dip_db``, exceeded by one tenth in fifty of the tail; ``usual_dip_db``, the deepest of the recording;
        ``fade_in_seconds`` and ``fade_out_seconds``, at its ends, where it is 3 dB below its median or more. Empty
        where either is too short to say, or is silent.
    """
    own, usual = (np.concatenate([s.tenths for s in track.seconds()]) for track in (tail, past))
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
