"""Spectral tilt: difference of long-term third-octave levels and its slope in dB per octave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import third_octave_levels

LEVEL_RANGE = 60.0  # dB below the reference's loudest third octave; quieter bands are left out


@dataclass(frozen=True)
class TiltResult:
    """Result of `spectral_tilt`.

    Args:
        hertz: ``[bands]`` centres of the third octaves.
        difference: ``[bands]`` level of the output minus that of the reference, dB.
        slope: of the least-squares line through the differences, dB per octave.
        rms: root mean square of the differences, dB.
    """

    hertz: np.ndarray
    difference: np.ndarray
    slope: float
    rms: float


def spectral_tilt(output: Recording, reference: Recording) -> TiltResult:
    """Compare the long-term third-octave levels (IEC 61260) of two sounds, where the reference has energy.

    Raises:
        InputError: the sample rates differ.
    """
    if output.sample_rate != reference.sample_rate:
        raise InputError("spectral tilt", "the sample rates differ", "resample one of them")
    hertz, wanted = third_octave_levels(reference)
    difference = third_octave_levels(output)[1] - wanted
    kept = wanted > wanted.max() - LEVEL_RANGE
    hertz, difference = hertz[kept], difference[kept]
    slope = np.polynomial.polynomial.polyfit(np.log2(hertz), difference, 1)[1] if kept.sum() > 1 else 0.0
    return TiltResult(hertz, difference, float(slope), float(np.sqrt(np.mean(difference**2))))
