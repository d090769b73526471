"""Resynthesis error: multi-resolution STFT distance between a sound and the same sound through a vocoder.

For time-aligned pairs only: by this distance, two segments of the same rain are as far apart as rain and applause.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import decibels, frame_size, spectra

RESOLUTIONS = (0.0116, 0.0232, 0.0464)  # seconds: 512, 1024 and 2048 samples at 44.1 kHz


@dataclass(frozen=True)
class StftDistance:
    """Result of `multi_resolution_stft`, averaged over resolutions and channels.

    Args:
        convergence: spectral convergence, |S - T| / |T| in Frobenius norms; 0 if equal.
        log_magnitude: mean absolute difference of log magnitudes, dB; 0 if equal.
    """

    convergence: float
    log_magnitude: float


def multi_resolution_stft(output: Recording, original: Recording) -> StftDistance:
    """Multi-resolution STFT distance of a resynthesis from the original, aligned sample by sample.

    Yamamoto, Song & Kim (2020), "Parallel WaveGAN", arXiv 1910.11480, equations 4 to 6.

    Raises:
        InputError: sample rate, channels or length differ, or the sounds are shorter than one frame.
    """
    _require_pair(output, original)
    convergence, differences = [], []
    for seconds in RESOLUTIONS:
        size = frame_size(original.sample_rate, seconds)
        actual, target = (np.abs(spectra(r.samples, size, size // 4)) for r in (output, original))
        norm = np.linalg.norm(target.reshape(len(target), -1), axis=1)
        error = np.linalg.norm((actual - target).reshape(len(target), -1), axis=1)
        convergence.append(float(np.mean(error / np.maximum(norm, 1e-9))))
        differences.append(float(np.mean(np.abs(decibels(actual**2) - decibels(target**2)))))
    return StftDistance(float(np.mean(convergence)), float(np.mean(differences)))


def _require_pair(output: Recording, original: Recording) -> None:
    shapes = [(r.sample_rate, *r.samples.shape) for r in (output, original)]
    if shapes[0] != shapes[1]:
        cause = "its sample rate, channels or length differ from the original's"
        raise InputError("the resynthesis", cause, "compare a sound with its own resynthesis")
    if original.length < frame_size(original.sample_rate, RESOLUTIONS[-1]):
        raise InputError("the resynthesis", "is shorter than one frame", "give it more audio")
