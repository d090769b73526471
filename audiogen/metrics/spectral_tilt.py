"""Spectral tilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import decibels, frame_size, spectra, third_octaves

LEVEL_RANGE = 60.0  # dB below the loudest third octave that still counts


@dataclass(frozen=True)
class TiltResult:
    """`spectral_tilt`.

    Args:
        hertz: ``[bands]`` centres of the third octaves.
        difference: ``[bands]`` level of the output over the reference, dB.
        slope: of its least-squares line, dB per octave.
        rms: over the bands, dB.
    """

    hertz: np.ndarray
    difference: np.ndarray
    slope: float
    rms: float


def spectral_tilt(output: Recording, reference: Recording) -> TiltResult:
    """Long-term third-octave levels (IEC 61260) of one sound over another, where the reference has any.

    Raises:
        InputError: the rates differ.
    """
    if output.sample_rate != reference.sample_rate:
        raise InputError("spectral tilt", "the rates differ", "resample one of them")
    hertz, wanted = _band_levels(reference)
    difference = _band_levels(output)[1] - wanted
    heard = wanted > wanted.max() - LEVEL_RANGE
    hertz, difference = hertz[heard], difference[heard]
    slope = np.polynomial.polynomial.polyfit(np.log2(hertz), difference, 1)[1] if heard.sum() > 1 else 0.0
    return TiltResult(hertz, difference, float(slope), float(np.sqrt(np.mean(difference**2))))


def _band_levels(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    rate, size = recording.sample_rate, frame_size(recording.sample_rate)
    samples = recording.samples
    if samples.shape[1] < size:
        samples = np.pad(samples, ((0, 0), (0, size - samples.shape[1])))
    hertz, bands = third_octaves(rate, size)
    total, step = np.zeros(len(hertz)), 64 * size
    for first in range(0, samples.shape[1] - size + 1, step):
        power = np.abs(spectra(samples[:, first : first + step + size // 2], size, size // 2)) ** 2
        total += power.sum(axis=(0, 1), dtype=np.float64) @ bands
    return hertz, decibels(total / max(1, samples.shape[1] // (size // 2)) / len(samples))
