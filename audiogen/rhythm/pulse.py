"""Pulse: whether the onsets of a recording recur at a steady period, and at which.

The measure is the autocorrelation of the onset strength. It reads 0.57 to 0.97 on
six pieces of music to which a listener taps along, 0.16 to 0.35 on three others, and at most 0.36 on recordings of
more than 12 s that are not music (rain 0.14, insects 0.23, birds 0.07, a crowd 0.12), save two that repeat: a drone
with strokes, and wind, whose onsets do not stand out (`MIN_CREST`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

MIN_PERIOD, MAX_PERIOD = 0.12, 2.0  # seconds
MIN_BEAT, MAX_BEAT = 0.27, 1.1  # seconds: the period of a beat is a multiple or a fraction of the pulse's
USUAL_BEAT, BEAT_OCTAVES = 0.5, 0.9  # log-normal preference for the period of a beat (Parncutt 1994), and its width
MIN_STRENGTH = 0.42  # from which on there is a pulse
MIN_END_STRENGTH = 0.3  # in the last `END_SECONDS`: what has stopped is not continued
END_SECONDS = 12.0
MIN_BEATS = 8  # in the recording
MIN_DRIFTING_STRENGTH = 0.45  # the same in half of the parts of `PART_SECONDS`, where the tempo drifts
MIN_PART_STRENGTH = 0.35  # and in each of them
MIN_CREST = 3.5  # of the onset strength: its top percent over its mean. In noise it is 2 to 3, whatever recurs in it
PART_SECONDS = 8.0
MAX_DRIFT = 0.08  # of the period, from one such part to the next
TREND_SECONDS = 1.0  # slower changes of the onset strength are no pulse
TOLERANCE = 0.01  # of a period: how far the n-th recurrence may lie from n periods
RECURRENCES = 4


class Pulse(NamedTuple):
    """A steady recurrence of onsets.

    Args:
        period: of the beat, seconds.
        strength: autocorrelation of the onset strength at the best period, up to 1.
    """

    period: float
    strength: float

    @property
    def bpm(self) -> float:
        return 60 / self.period


def autocorrelation(strength: np.ndarray, rate: float, seconds: float) -> np.ndarray:
    """Autocorrelation of an onset strength without its slow trend, 1 at lag 0.

    Args:
        strength: ``[frames]``.
        rate: frames per second.
        seconds: largest lag; at most half of the signal is used.

    Returns:
        ``[lags]``; all zero without any onset.
    """
    centred = strength - _moving_average(strength, max(round(TREND_SECONDS * rate), 1))
    length = len(centred)
    lags = min(round(seconds * rate), length // 2) + 1
    power = np.square(np.abs(np.fft.rfft(centred, 2 * length)))
    products = np.fft.irfft(power)[:lags] / (length - np.arange(lags))
    return products / products[0] if products[0] > 1e-12 else np.zeros(lags)


def _moving_average(values: np.ndarray, size: int) -> np.ndarray:
    """Means over ``size`` values around each of ``[time]``, which are mirrored at both ends."""
    before = size // 2
    sums = np.cumsum(np.pad(np.pad(values, (before, size - 1 - before), mode="symmetric"), (1, 0)), dtype=np.float64)
    return (sums[size:] - sums[:-size]) / size


def recurrence(correlation: np.ndarray, lag: float, count: int = RECURRENCES) -> float:
    """Mean autocorrelation at the first multiples of a lag, each within `TOLERANCE`."""
    values = []
    for multiple in range(1, count + 1):
        centre, reach = round(multiple * lag), max(round(TOLERANCE * multiple * lag), 1)
        if centre + reach >= len(correlation):
            break
        values.append(correlation[centre - reach : centre + reach + 1].max())
    return float(np.mean(values)) if values else 0.0


def find_pulse(strength: np.ndarray, rate: float) -> Pulse | None:
    """Find the pulse of an onset strength ``[frames]``, or None: no pulse, no change.

    Args:
        strength: see `onsets.track_onsets`.
        rate: frames per second.
    """
    if len(strength) < MIN_BEATS * MIN_BEAT * rate:
        return None
    seconds = RECURRENCES * MAX_PERIOD + 1
    whole = autocorrelation(strength, rate, seconds)
    ending = autocorrelation(strength[-round(END_SECONDS * rate) :], rate, seconds)
    height, height_at_end = (_best(correlation, rate) for correlation in (whole, ending))
    if np.quantile(strength, 0.99) < MIN_CREST * strength.mean():
        return None
    if height >= MIN_STRENGTH and height_at_end >= MIN_END_STRENGTH:
        pulse = Pulse(beat_period(whole, rate), height)
    elif _drifts(strength, rate):
        pulse = Pulse(beat_period(ending, rate), height_at_end)
    else:
        return None
    return pulse if len(strength) >= MIN_BEATS * pulse.period * rate else None


def _best(correlation: np.ndarray, rate: float) -> float:
    return float(correlation[round(MIN_PERIOD * rate) : round(MAX_PERIOD * rate) + 1].max(initial=0.0))


def _drifts(strength: np.ndarray, rate: float) -> bool:
    """Whether the parts of the recording have a pulse each: a drifting tempo blurs that of the whole."""
    heights = [_best(autocorrelation(part, rate, MAX_PERIOD), rate) for _, part in _parts(strength, rate)]
    return min(heights) >= MIN_PART_STRENGTH and float(np.median(heights)) >= MIN_DRIFTING_STRENGTH


def _parts(strength: np.ndarray, rate: float) -> Iterator[tuple[int, np.ndarray]]:
    """Half overlapping parts of `PART_SECONDS` from the end backwards: the middle frame of each, and its strength."""
    length = min(round(PART_SECONDS * rate), len(strength))
    for stop in range(len(strength), length - 1, -max(length // 2, 1)):
        yield stop - length // 2, strength[stop - length : stop]


def tempo_curve(strength: np.ndarray, rate: float, period: float) -> np.ndarray:
    """Period ``[frames]`` of the beat at each moment, seconds: the end's, followed backwards through the recording.

    Args:
        strength: ``[frames]`` onset strength.
        rate: frames per second.
        period: of the beat at the end, seconds.
    """
    middles, periods = [], []
    for middle, part in _parts(strength, rate):
        correlation = autocorrelation(part, rate, 2 * MAX_BEAT)
        lag = period * rate
        near = np.arange(round(lag * (1 - MAX_DRIFT)), round(lag * (1 + MAX_DRIFT)) + 1)
        near = near[near < len(correlation)]
        if len(near) and correlation[near].max() >= MIN_END_STRENGTH:
            period = float(near[correlation[near].argmax()]) / rate
        middles.append(middle)
        periods.append(period)
    return np.interp(np.arange(len(strength)), middles[::-1], periods[::-1])


def beat_period(correlation: np.ndarray, rate: float) -> float:
    """Period of the beat in seconds: strong recurrence at a tempo that one would tap to."""
    lags = np.arange(round(MIN_BEAT * rate), min(round(MAX_BEAT * rate), len(correlation) // 2) + 1)
    preference = np.exp(-0.5 * np.square(np.log2(lags / rate / USUAL_BEAT) / BEAT_OCTAVES))
    scores = np.array([recurrence(correlation, float(lag)) for lag in lags]) * preference
    lag = int(lags[scores.argmax()])
    # The peak at the largest whole number of periods gives the period most precisely.
    exact = float(lag)
    for multiple in (1, 2, 4, 8):
        centre, reach = exact * multiple, max(round(0.02 * exact * multiple), 1)
        start = round(centre) - reach
        if round(centre) + reach + 1 >= len(correlation):
            break
        exact = (start + int(correlation[start : round(centre) + reach + 1].argmax())) / multiple
    return exact / rate
