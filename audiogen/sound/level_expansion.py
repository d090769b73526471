"""Multiband level expansion, driven by the temperature: swells become larger above 1, smaller below.

A dynamics processor for each band (Giannoulis, Massberg & Reiss 2012, J. Audio Eng. Soc. 60:399): deviations of the
level from its mean, in dB, are multiplied by the square root of the temperature, so that their variance is multiplied
by the temperature. Patch selection alone cannot do that, since the material has no patches of higher variance than its
own.
"""

from __future__ import annotations

import math

import numpy as np

from audiogen.dsp.decibels import DB_PER_NEPER
from audiogen.representation.cochleagram import power

SMOOTHING_SECONDS = 0.05  # standard deviation of the Gaussian window of the level
MAX_GAIN = 12 / DB_PER_NEPER  # nepers, of a band before its mean power is restored
EPSILON = 1e-20  # power


def expansion_gains(envelope: np.ndarray, frame_rate: int, floor: float, temperature: float) -> np.ndarray:
    """Gains that multiply the level variance of bands by ``temperature`` and preserve each band's mean power.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes (`cochleagram.envelopes`).
        frame_rate: Hz, of the envelopes.
        floor: amplitude below which a band is inaudible; levels do not fall below it.
        temperature: 0 or above; 1 gives no change.

    Returns:
        ``[channels, bands, time]`` in nepers.
    """
    from scipy import ndimage

    powers = power(envelope.astype(np.float64), floor)
    smooth = ndimage.gaussian_filter1d(powers, SMOOTHING_SECONDS * frame_rate, axis=-1)
    levels = 0.5 * np.log(smooth + floor**2 + EPSILON)
    gains = (math.sqrt(temperature) - 1) * (levels - levels.mean(-1, keepdims=True))
    gains = gains.clip(-MAX_GAIN, MAX_GAIN)
    expanded = (powers * np.exp(2 * gains)).mean(-1, keepdims=True)
    makeup = 0.5 * np.log((powers.mean(-1, keepdims=True) + EPSILON) / (expanded + EPSILON))
    return (gains + makeup).astype(np.float32)
