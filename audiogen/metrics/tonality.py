"""Tonality: how much of a sound's energy lies in narrow spectral lines, against all the rest.

The tonal-to-noise ratio of ISO 7779 (annex D) and ECMA-74, without its critical bands and weighting: a line is what
stands out of its surroundings by more than noise does, and what counts is the energy of all lines over that of all
else. Noise has about -20 dB, a hum 30 dB, an engine whose pitch wanders 20 dB. A tail of a hum whose
partials turned into narrow noise is a hum by its third octaves, but not by this.
"""

from __future__ import annotations

import numpy as np

from audiogen.metrics.spectra import POWER_FLOOR, frame_size, spectra

FRAME_SECONDS = 0.186  # seconds of a frame: 8192 samples at 44.1 kHz, in which a wandering pitch still is a line
NEIGHBOUR_BINS = 32  # bins (170 Hz) whose median is the noise around a line
PROMINENCE = 10.0  # times that median: one bin in a thousand of noise has as much
MIN_RATIO_DB = -30.0  # dB: as good as none


def line_energy(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """Energy of spectral lines and of all the rest, of ``[channels, time]`` samples.

    Both are 0 for less than a frame.
    """
    size = frame_size(rate, FRAME_SECONDS)
    if samples.shape[1] < size:
        return 0.0, 0.0
    spectrum = spectra(samples, size, size)[..., :-1]
    power = np.sum(spectrum.real**2 + spectrum.imag**2, axis=0)
    around = np.median(power.reshape(len(power), -1, min(NEIGHBOUR_BINS, power.shape[1])), axis=2, keepdims=True)
    grouped = power.reshape(len(power), around.shape[1], -1)
    lines = float(grouped[grouped > PROMINENCE * around].sum(dtype=np.float64))
    return lines, float(grouped.sum(dtype=np.float64)) - lines


def tonal_to_noise(lines: float, rest: float) -> float:
    """dB of the lines' energy over the rest, from -30 dB up; NaN for silence."""
    if lines + rest <= POWER_FLOOR:
        return float("nan")
    return max(float(10 * np.log10((lines + 1e-30) / (rest + 1e-30))), MIN_RATIO_DB)
