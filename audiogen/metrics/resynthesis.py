"""Distances besides texture: of pairs, of spectra, of transients, and of sets of windows.

`multi_resolution_stft` is for paired resynthesis only: the same sound through a vocoder. Two different
stretches of the same rain are as far apart by it as rain and applause.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import decibels, frame_size, spectra

RESOLUTIONS = (0.0116, 0.0232, 0.0464)  # seconds: 512, 1024 and 2048 samples at 44.1 kHz
CREST_WINDOW, CREST_BLOCK = 0.002, 0.1  # seconds
LEVEL_RANGE = 60.0  # dB below the loudest third octave that still counts


@dataclass(frozen=True)
class StftDistance:
    """`multi_resolution_stft`, means over resolutions and channels.

    Args:
        convergence: spectral convergence, |S - T| / |T| in Frobenius norms; 0 is equal.
        log_magnitude: mean absolute difference of log magnitudes, dB; 0 is equal.
    """

    convergence: float
    log_magnitude: float


def multi_resolution_stft(output: Recording, original: Recording) -> StftDistance:
    """Distance of a resynthesis from the very sound that it renders, sample for sample in time.

    Yamamoto, Song & Kim (2020), "Parallel WaveGAN", arXiv 1910.11480, equations 4 to 6.

    Raises:
        InputError: rate, channels or length differ, or there is less than one frame.
    """
    _require_pair(output, original)
    convergence, differences = [], []
    for seconds in RESOLUTIONS:
        size = frame_size(original.sample_rate, seconds)
        found, wanted = (np.abs(spectra(r.samples, size, size // 4)) for r in (output, original))
        norm = np.linalg.norm(wanted.reshape(len(wanted), -1), axis=1)
        missed = np.linalg.norm((found - wanted).reshape(len(wanted), -1), axis=1)
        convergence.append(float(np.mean(missed / np.maximum(norm, 1e-9))))
        differences.append(float(np.mean(np.abs(decibels(found**2) - decibels(wanted**2)))))
    return StftDistance(float(np.mean(convergence)), float(np.mean(differences)))


def _require_pair(output: Recording, original: Recording) -> None:
    shapes = [(r.sample_rate, *r.samples.shape) for r in (output, original)]
    if shapes[0] != shapes[1]:
        raise InputError("a resynthesis", "its rate, channels or length are not the original's", "pair them")
    if original.length < frame_size(original.sample_rate, RESOLUTIONS[-1]):
        raise InputError("a resynthesis", "is shorter than one frame", "give it more audio")
