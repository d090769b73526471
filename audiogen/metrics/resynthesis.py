"""Distances besides texture: of pairs, of spectra, of transients, and of sets of windows.

`multi_resolution_stft` is for paired resynthesis only: the same sound through a vocoder. Two different
stretches of the same rain are as far apart by it as rain and applause.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import decibels, frame_size, spectra, third_octaves

RESOLUTIONS = (0.0116, 0.0232, 0.0464)  # seconds: 512, 1024 and 2048 samples at 44.1 kHz
CREST_WINDOW, CREST_BLOCK = 0.002, 0.1  # seconds
HEARD = 60.0  # dB below the loudest third octave that still counts


@dataclass(frozen=True)
class Resynthesis:
    """`multi_resolution_stft`, means over resolutions and channels.

    Args:
        convergence: spectral convergence, |S - T| / |T| in Frobenius norms; 0 is equal.
        log_magnitude: mean absolute difference of log magnitudes, dB; 0 is equal.
    """

    convergence: float
    log_magnitude: float


def multi_resolution_stft(output: Recording, original: Recording) -> Resynthesis:
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
    return Resynthesis(float(np.mean(convergence)), float(np.mean(differences)))


def _require_pair(output: Recording, original: Recording) -> None:
    shapes = [(r.sample_rate, *r.samples.shape) for r in (output, original)]
    if shapes[0] != shapes[1]:
        raise InputError("a resynthesis", "its rate, channels or length are not the original's", "pair them")
    if original.length < frame_size(original.sample_rate, RESOLUTIONS[-1]):
        raise InputError("a resynthesis", "is shorter than one frame", "give it more audio")


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
    heard = wanted > wanted.max() - HEARD
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


def crest_factor(recording: Recording) -> float:
    """Sharpness of transients, dB: energy of the loudest 2 ms of each 100 ms over their mean, mean of the dB.

    The crest factor of IEC 60268-1 on a millisecond scale: 0 for a square wave, about 4 for noise, 17 for
    one click. Blocks of digital silence do not count. 0 if nothing is left.
    """
    window = max(1, round(CREST_WINDOW * recording.sample_rate))
    count = round(CREST_BLOCK / CREST_WINDOW)
    blocks = recording.length // (window * count)
    if not blocks:
        return 0.0
    cut = recording.samples[:, : blocks * count * window].astype(np.float64)
    energy = np.square(cut).mean(axis=0).reshape(blocks, count, window).mean(axis=2)
    mean = energy.mean(axis=1)
    heard = mean > 1e-10
    return float(np.mean(10 * np.log10(energy.max(axis=1)[heard] / mean[heard]))) if heard.any() else 0.0


def crest_ratio(output: Recording, reference: Recording) -> float:
    """Crest factor of the output over the reference's, a ratio of powers: below 1, transients are smeared."""
    return float(10 ** ((crest_factor(output) - crest_factor(reference)) / 10))
