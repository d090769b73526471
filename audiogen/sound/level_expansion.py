"""Swells: how far bands of a sound stray from their mean level, and a temperature that makes more or less of it.

A dynamics processor for each band (Giannoulis, Massberg & Reiss 2012, J. Audio Eng. Soc. 60:399): levels in dB are
drawn together below a temperature of 1 and apart above it, by its square root. Where they are normally distributed,
that is what a temperature does to a distribution. Choosing patches alone cannot bring it about, since the source has
none that are wilder than its own.
"""

from __future__ import annotations

import math

import numpy as np

from audiogen.representation.cochleagram import power

SMOOTHING_SECONDS = 0.05  # standard deviation of the window that levels are taken in
MAX_GAIN = 12 * math.log(10) / 20  # nepers (12 dB), of a band before its mean power is restored
EPSILON = 1e-20  # power


def expansion_gains(envelope: np.ndarray, frame_rate: int, floor: float, temperature: float) -> np.ndarray:
    """What makes the levels of bands vary ``temperature`` times as much, each keeping its mean power.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes (`cochleagram.envelopes`).
        frame_rate: Hz, of these.
        floor: amplitude below which nothing is heard, and no level falls.
        temperature: from 0 on; 1 leaves everything as it is.

    Returns:
        nepers ``[channels, bands, time]`` by which bands are to be turned up.
    """
    from scipy import ndimage

    given = power(envelope.astype(np.float64), floor)
    smooth = ndimage.gaussian_filter1d(given, SMOOTHING_SECONDS * frame_rate, axis=-1)
    levels = 0.5 * np.log(smooth + floor**2 + EPSILON)
    apart = (math.sqrt(temperature) - 1) * (levels - levels.mean(-1, keepdims=True))
    apart = apart.clip(-MAX_GAIN, MAX_GAIN)
    turned = (given * np.exp(2 * apart)).mean(-1, keepdims=True)
    kept = 0.5 * np.log((given.mean(-1, keepdims=True) + EPSILON) / (turned + EPSILON))
    return (apart + kept).astype(np.float32)
