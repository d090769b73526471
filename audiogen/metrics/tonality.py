"""Tonality: energy of narrow spectral lines relative to the rest of the sound, in dB.

The tonal-to-noise ratio of ISO 7779 (annex D) and ECMA-74 without critical bands and weighting: a line is a bin that
exceeds its neighbourhood by more than noise does, and the energy of all lines is compared with that of all other bins.
Noise has about -20 dB, a hum 30 dB, an engine whose pitch varies 20 dB. Third-octave levels do not tell a hum from one
whose partials have become narrow-band noise; this measure does.
"""

from __future__ import annotations

import numpy as np

from audiogen.metrics.spectra import POWER_FLOOR, frame_size, spectra

FRAME_SECONDS = 0.186  # 8192 samples at 44.1 kHz: a varying pitch still is a line
NEIGHBOUR_BINS = 32  # (170 Hz) whose median is the noise around a line
PROMINENCE = 10.0  # times that median: one bin in a thousand of noise reaches it
MIN_RATIO_DB = -30.0


def line_energy(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """Energy of spectral lines and of the rest of ``[channels, time]`` samples; both 0 for less than a frame."""
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
    """Energy of the lines over the rest in dB, at least -30 dB; NaN for silence."""
    if lines + rest <= POWER_FLOOR:
        return float("nan")
    return max(float(10 * np.log10((lines + 1e-30) / (rest + 1e-30))), MIN_RATIO_DB)
