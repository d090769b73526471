"""Slow modulation: how much level, brightness and bands move at 0.02 to 2 Hz.

Level, spectral centroid and the levels of six groups of bands are divided into octaves of modulation frequency, as far
as a segment holds two cycles of them. The loss is the RMS difference of the strengths of these modulations, in dB, from
those of real segments of the same length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from audiogen.metrics.order_features import OrderFeatures
from audiogen.metrics.order_memory import pieces

TOP_HERTZ, OCTAVES = 2.0, 7  # 2 Hz down to 0.016 Hz
MIN_CYCLES = 1.0  # of the lower edge of an octave within a segment
GROUPS = 6  # of bands
FRAMES_PER_SECOND = 10
FLOOR = 1e-2  # dB squared: movements by less than a tenth of a dB do not count


def fit_slow(parts: Sequence[OrderFeatures]) -> Callable[[OrderFeatures], float]:
    """The RMS difference of a segment's slow modulations from those of the parts, dB."""

    def loss(segment: OrderFeatures) -> float:
        own = slow_modulation(segment)
        real = np.mean([slow_modulation(piece) for piece in pieces(parts, len(segment.mel))], axis=0)
        return float(np.sqrt(np.mean(np.square(own - real)))) if own.size else float("nan")

    return loss


def slow_modulation(segment: OrderFeatures) -> np.ndarray:
    """Strength of each octave of modulation of each signal, dB: ``[signals, octaves]``, the highest octave first."""
    hop = max(round(segment.rate / FRAMES_PER_SECOND), 1)
    mel = segment.resampled(hop).astype(np.float64)
    power = np.exp(mel)
    level = 10 * np.log10(power.mean(axis=1))
    centroid = (mel - mel.min()) @ np.arange(mel.shape[1]) / np.maximum((mel - mel.min()).sum(axis=1), 1e-9)
    groups = [10 / np.log(10) * group.mean(axis=1) for group in np.array_split(mel, GROUPS, axis=1)]
    signals = np.stack([level, centroid, *groups])
    signals = signals - signals.mean(axis=1, keepdims=True)
    window = np.hanning(signals.shape[1] + 2)[1:-1]
    spectrum = np.square(np.abs(np.fft.rfft(signals * window))) / np.square(window).sum() / signals.shape[1] * 2
    hertz = np.fft.rfftfreq(signals.shape[1], hop / segment.rate)
    found = []
    for octave in range(OCTAVES):
        high = TOP_HERTZ / 2**octave
        inside = (hertz > high / 2) & (hertz <= high)
        if high / 2 * segment.seconds < MIN_CYCLES or not inside.any():
            break
        found.append(10 * np.log10(spectrum[:, inside].sum(axis=1) + FLOOR))
    return np.array(found).T
