"""Pulse: onsets at equal intervals, found in a recording and looked for in its continuation.

The pulse is the peak of the autocorrelation of the onset strength, at 0.2 to 2 s; its height (0..1) says how much of
the onsets it explains. A comb of its multiples makes the period precise. Metre is the mean course of the onset strength
over a bar, the multiple of the period at which it repeats best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audiogen.metrics.order_features import OrderFeatures

PERIOD_SECONDS = (0.2, 2.0)
TOLERANCE = 0.04  # of the period, within which its height is looked for
SMOOTHING_SECONDS = 0.03  # of the onset strength: onsets a few hundredths of a second off still meet
TREND_SECONDS = 1.0  # over which the onset strength is centred: slow modulation is no pulse
PREFERRED_SECONDS, OCTAVES = 0.5, 1.0  # centre and width of the prior on periods (Ellis 2007, J. New Music Res. 36:51)
MULTIPLES = 8  # of the period that refine it
BEATS_IN_BAR = (2, 3, 4, 6, 8)
METRE_BINS = 8  # of a beat
LIKELY = 0.7  # of the best shift's likeness: off-beats reach it, the rest of a beat does not


@dataclass(frozen=True)
class Pulse:
    """A pulse.

    Args:
        period: seconds between two beats.
        height: of the autocorrelation of the onset strength at the period, at most 1.
    """

    period: float
    height: float


def onset_strength(features: OrderFeatures) -> np.ndarray:
    """``[time]`` onset strength, smoothed, less its mean over a second."""
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d

    smooth = gaussian_filter1d(features.onsets.astype(np.float64), SMOOTHING_SECONDS * features.rate)
    return smooth - uniform_filter1d(smooth, max(round(TREND_SECONDS * features.rate), 3))


def autocorrelation(values: np.ndarray, longest: int) -> np.ndarray:
    """Autocorrelation at lags 0 .. longest, each over the pairs that there are, relative to lag 0."""
    size = len(values)
    spectrum = np.square(np.abs(np.fft.rfft(values, 2 * size)))
    products = np.fft.irfft(spectrum)[: min(longest + 1, size - 1)]
    products = products / (size - np.arange(len(products)))
    return products / max(products[0], 1e-12)


def pooled_autocorrelation(parts: Sequence[OrderFeatures], seconds: float) -> np.ndarray:
    """Autocorrelation of the onset strength, averaged over the parts that are long enough, by their lengths."""
    longest = round(seconds * parts[0].rate)
    usable = [part for part in parts if len(part.mel) > 1.5 * longest] or [max(parts, key=lambda part: len(part.mel))]
    curves = [autocorrelation(onset_strength(part), longest) for part in usable]
    length = min(map(len, curves))
    return np.average([curve[:length] for curve in curves], axis=0, weights=[len(part.mel) for part in usable])


def find_pulse(parts: Sequence[OrderFeatures]) -> Pulse | None:
    """The strongest pulse of the parts; None if they are too short."""
    rate = parts[0].rate
    curve = pooled_autocorrelation(parts, PERIOD_SECONDS[1] + 0.1)
    first, last = round(PERIOD_SECONDS[0] * rate), min(round(PERIOD_SECONDS[1] * rate), len(curve) - 2)
    if last <= first + 2:
        return None
    lags = np.arange(first, last)
    peaks = lags[(curve[lags] >= curve[lags - 1]) & (curve[lags] > curve[lags + 1])]
    if not len(peaks):
        return None
    prior = np.exp(-0.5 * np.square(np.log2(peaks / rate / PREFERRED_SECONDS) / OCTAVES))
    best = int(peaks[np.argmax(np.maximum(curve[peaks], 0) * prior)])
    period = refine_period(parts, best / rate)
    return Pulse(period, float(max(curve[best], 0.0)))


def refine_period(parts: Sequence[OrderFeatures], period: float) -> float:
    """The period near ``period`` at whose multiples the onset strength repeats best, in seconds."""
    rate = parts[0].rate
    for multiple in range(1, MULTIPLES + 1):
        curve = pooled_autocorrelation(parts, multiple * period * (1 + TOLERANCE) + 4 * SMOOTHING_SECONDS)
        width = 1.5 * SMOOTHING_SECONDS * rate if multiple > 1 else TOLERANCE * period * rate
        centre = multiple * period * rate
        low, high = max(int(centre - width), 1), int(np.ceil(centre + width)) + 1
        if high >= len(curve) - 1:
            break
        peak = low + int(np.argmax(curve[low:high]))
        left, middle, right = curve[peak - 1 : peak + 2]
        bend = left - 2 * middle + right
        offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
        if middle < 0.3 * max(curve[round(period * rate)], 1e-9):
            break
        period = (peak + float(np.clip(offset, -0.5, 0.5))) / multiple / rate
    return period


def pulse_height(segment: OrderFeatures, period: float) -> float:
    """Height of the autocorrelation of a segment's onset strength at a period, the largest within the tolerance."""
    curve = pooled_autocorrelation([segment], period * (1 + TOLERANCE) + 2 / segment.rate)
    low = int(period * (1 - TOLERANCE) * segment.rate)
    return float(curve[low:].max()) if len(curve) > low else float("nan")


def fit_pulse(parts: Sequence[OrderFeatures]) -> Callable[[OrderFeatures], float]:
    """The part of a segment's onset strength that the parts' pulse does not explain: 1 less its height."""
    pulse = find_pulse(parts)

    def loss(segment: OrderFeatures) -> float:
        return float("nan") if pulse is None else 1 - max(pulse_height(segment, pulse.period), 0.0)

    return loss


def fit_metre(parts: Sequence[OrderFeatures]) -> Callable[[OrderFeatures], float]:
    """One less the correlation of a segment's accents over a bar with the parts', at the shift that suits it best."""
    pulse = find_pulse(parts)
    if pulse is None:
        return lambda segment: float("nan")
    beats = bar_beats(parts, pulse.period)
    longest = max(parts, key=lambda part: len(part.mel))
    known = accents(longest, pulse.period, beats)

    def loss(segment: OrderFeatures) -> float:
        # The segment's own tempo, near the pulse's, so that a slight drift does not blur its accents.
        own = accents(segment, refine_period([segment], pulse.period), beats)
        scale = np.linalg.norm(own) * np.linalg.norm(known)
        products = np.fft.irfft(np.fft.rfft(own) * np.fft.rfft(known).conj(), own.shape[1]).sum(axis=0)
        return float(1 - products.max() / max(scale, 1e-9))

    return loss


def bar_beats(parts: Sequence[OrderFeatures], period: float) -> int:
    """Beats in a bar: the multiple of the period at which the onset strength repeats best."""
    heights = []
    for beats in BEATS_IN_BAR:
        curve = pooled_autocorrelation(parts, beats * period * (1 + TOLERANCE))
        low, high = (
            int(beats * period * (1 - 0.01) * parts[0].rate),
            int(beats * period * (1 + 0.01) * parts[0].rate) + 2,
        )
        heights.append(curve[low:high].max() if len(curve) >= high else -1.0)
    return BEATS_IN_BAR[int(np.argmax(heights))]


def accents(segment: OrderFeatures, period: float, beats: int) -> np.ndarray:
    """Mean course of the onset strength over a bar in low, middle and high bands, ``[3, bins]``, without its mean."""
    bins = beats * METRE_BINS
    rising = np.maximum(np.diff(segment.mel, axis=0, prepend=segment.mel[:1]), 0)
    phase = (np.arange(len(rising)) / segment.rate / (period * beats) * bins).astype(int) % bins
    counts = np.maximum(np.bincount(phase, minlength=bins), 1)
    courses = [
        np.bincount(phase, group.mean(axis=1), minlength=bins) / counts for group in np.array_split(rising, 3, axis=1)
    ]
    return np.array([course - course.mean() for course in courses])


def phase_shift(prompt: OrderFeatures, tail: OrderFeatures, period: float, beats: int = 4) -> float:
    """How late the tail's first beats come, relative to where the prompt's last ones place them, in seconds.

    Both are folded at the period, the prompt's last ``2 * beats`` beats and the tail's first ``beats``; the shift that
    makes them most alike is within half a period. Where others are nearly as good, since strokes between the beats are
    as strong, it is the smallest of them.
    """
    length = round(2 * beats * period * prompt.rate)
    before, after = onset_strength(prompt)[-length:], onset_strength(tail)[: length // 2]
    bins = max(round(period * prompt.rate), 4)

    def folded(values: np.ndarray, first: int) -> np.ndarray:
        phase = np.floor((np.arange(len(values)) + first) / prompt.rate / period * bins).astype(int) % bins
        return np.bincount(phase, np.maximum(values, 0), minlength=bins) / np.maximum(
            np.bincount(phase, minlength=bins), 1
        )

    one, other = folded(before, -len(before)), folded(after, 0)
    products = np.fft.irfft(np.fft.rfft(other - other.mean()) * np.fft.rfft(one - one.mean()).conj(), bins)
    shifts = np.arange(bins)
    shifts = np.where(shifts <= bins // 2, shifts, shifts - bins)
    peaks = (products >= np.roll(products, 1)) & (products >= np.roll(products, -1))
    likely = shifts[peaks & (products >= LIKELY * products.max())]
    return float(likely[np.argmin(np.abs(likely))]) * period / bins
