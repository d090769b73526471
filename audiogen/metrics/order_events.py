"""Events (calls, strokes, cars, waves): how many, how long, how far apart, their attacks and decays, and how alike.

Events are found in each of six groups of mel bands, where the level stands out from the recording's quiet by half of
the way to its loudest; a continuation is measured by the recording's threshold. The loss is the mean, over the groups
in which the recording has events, of the distances of their rate (logarithm), and of the distributions (Wasserstein
distance) of the logarithms of duration, interval, attack and decay, of the prominence, and of the distance to the
recording's most similar event: repetition with variation is neither a copy nor one of a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from audiogen.metrics.order_features import OrderFeatures
from audiogen.metrics.order_forecast import squared_distances

GROUPS = 6  # of bands
SMOOTHING_SECONDS = 0.02
QUIET, LOUD = 0.2, 0.98  # quantiles of the level, between which the threshold lies
THRESHOLD = 0.5  # of the way from quiet to loud, in dB
MIN_RANGE_DB = 8.0  # from quiet to loud: less is noise, whose peaks are no events
HYSTERESIS = 0.15  # of that range: an event ends this far below the threshold, so that noise about it makes no events
SHORTEST_SECONDS = 0.03
SHAPE_FRAMES = 12  # an event's mel frames are compared at this length
MIN_EVENTS = 6  # of the recording, in a group that counts
MIN_OWN_EVENTS = 3  # of a segment, for its distributions to count


class Events(NamedTuple):
    """Events in one group of bands.

    Args:
        values: ``[events, 5]`` log duration, log interval, log attack, log decay (of seconds), prominence (10 dB).
        shapes: ``[events, n]`` mel frames, at one length, relative to their mean; RMS scale.
        rate: events per second.
    """

    values: np.ndarray
    shapes: np.ndarray
    rate: float


def group_levels(segment: OrderFeatures) -> np.ndarray:
    """``[GROUPS, time]`` level of each group of bands, dB, smoothed."""
    from scipy.ndimage import gaussian_filter1d

    groups = np.array_split(segment.mel.astype(np.float64) * (10 / np.log(10)), GROUPS, axis=1)
    return gaussian_filter1d(np.array([group.mean(axis=1) for group in groups]), SMOOTHING_SECONDS * segment.rate)


def event_ranges(level: np.ndarray, threshold: float, end: float) -> list[tuple[int, int]]:
    """First frame and end of each event: from above ``threshold`` to below ``end``; those cut off are left out."""
    found, start = [], -1
    for index in np.flatnonzero((level > threshold) | (level < end)):
        if level[index] > threshold and start < 0:
            start = int(index)
        elif level[index] < end and start >= 0:
            if start > 0:
                found.append((start, int(index)))
            start = -1
    return found


def fit_events(parts: Sequence[OrderFeatures]) -> Callable[[OrderFeatures], float]:
    """Mean distance of the events of a segment from those of the parts; NaN where they have no events."""
    each = [group_levels(part) for part in parts]
    quiet, loud = np.quantile(np.concatenate(each, axis=1), [QUIET, LOUD], axis=1)
    known = {}
    for group in np.flatnonzero(loud - quiet >= MIN_RANGE_DB):
        threshold = float(quiet[group] + THRESHOLD * (loud - quiet)[group])
        end = threshold - HYSTERESIS * float((loud - quiet)[group])
        found = describe(parts, int(group), threshold, end, each)
        if len(found.values) >= MIN_EVENTS:
            known[int(group)] = (threshold, end, found)

    def loss(segment: OrderFeatures) -> float:
        distances = []
        levels = [group_levels(segment)] if known else []
        for group, (threshold, end, real) in known.items():
            own = describe([segment], group, threshold, end, levels)
            distances.append(_distance(own, real, segment.seconds))
        return float(np.mean(distances)) if distances else float("nan")

    return loss


def _distance(own: Events, real: Events, seconds: float) -> float:
    # One event more than counted, so that none is a number.
    rates = [abs(np.log((own.rate * seconds + 1) / (real.rate * seconds + 1)))]
    if len(own.values) < MIN_OWN_EVENTS:
        return float(rates[0])
    among = squared_distances(real.shapes, real.shapes)
    np.fill_diagonal(among, np.inf)
    usual, alike = (np.log(np.sqrt(d.min(axis=1)) + 1e-2) for d in (among, squared_distances(own.shapes, real.shapes)))
    pairs = [*zip(own.values.T, real.values.T, strict=True), (alike, usual)]
    return float(np.mean(rates + [_wasserstein(one, other) for one, other in pairs]))


def describe(
    parts: Sequence[OrderFeatures], group: int, threshold: float, end: float, levels: Sequence[np.ndarray]
) -> Events:
    """The events of parts in a group of bands; see `event_ranges` for the thresholds, `group_levels` for the levels."""
    rows, shapes, bands = [], [], parts[0].mel.shape[1]
    for part, levels_of_part in zip(parts, levels, strict=True):
        level = levels_of_part[group]
        found = [
            pair for pair in event_ranges(level, threshold, end) if pair[1] - pair[0] >= SHORTEST_SECONDS * part.rate
        ]
        starts = [start for start, _ in found]
        for number, (start, stop) in enumerate(found):
            if len(found) == 1:
                interval = len(level)
            else:
                interval = starts[number + 1] - start if number + 1 < len(found) else start - starts[number - 1]
            peak = start + int(np.argmax(level[start:stop]))
            seconds = np.array([stop - start, interval, peak - start + 1, stop - peak + 1]) / part.rate
            rows.append([*np.log(seconds), (level[peak] - threshold) / 10])
            shape = part.mel[np.linspace(start, stop - 1, SHAPE_FRAMES).round().astype(int)]
            shapes.append((shape - shape.mean()).ravel() / np.sqrt(shape.size))
    total = sum(part.seconds for part in parts)
    shaped = np.array(shapes).reshape(len(rows), SHAPE_FRAMES * bands)
    return Events(np.array(rows).reshape(-1, 5), shaped, len(rows) / max(total, 1e-9))


def _wasserstein(one: np.ndarray, other: np.ndarray) -> float:
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(one, other))
