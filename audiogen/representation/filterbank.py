"""Triangular mel filterbank, equal in every value to `librosa.filters.mel` but without librosa's import time.

Mel scales: Slaney's Auditory Toolbox (1998), linear below 1 kHz, and that of the HTK book (Young et al. 2002).
"""

from __future__ import annotations

import warnings

import numpy as np

SLOPE = 200 / 3  # Hz per mel in the linear part of Slaney's scale
BREAK = 1000.0  # Hz, above which it is logarithmic
LOG_STEP = np.log(6.4) / 27.0  # per mel, above


def hz_to_mel(hertz: float, scale: str) -> float:
    """Convert a frequency in Hz to mels on the "slaney" or "htk" scale."""
    if scale == "htk":
        return float(2595.0 * np.log10(1.0 + hertz / 700.0))
    if hertz < BREAK:
        return hertz / SLOPE
    return float(BREAK / SLOPE + np.log(hertz / BREAK) / LOG_STEP)


def mel_to_hz(mels: np.ndarray, scale: str) -> np.ndarray:
    """Convert mels ``[n]`` on the "slaney" or "htk" scale to Hz."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    logarithmic = BREAK * np.exp(LOG_STEP * (mels - BREAK / SLOPE))
    return np.where(mels < BREAK / SLOPE, SLOPE * mels, logarithmic)


def mel_filterbank(
    sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float, scale: str, equal_area: bool
) -> np.ndarray:
    """Weights of the Fourier bins in triangular mel bands.

    Args:
        sample_rate: Hz.
        n_fft: length of the Fourier transform, samples.
        n_mels: number of bands.
        fmin: lower edge of the lowest band, Hz.
        fmax: upper edge of the highest band, Hz.
        scale: mel scale, "slaney" or "htk".
        equal_area: whether each triangle is scaled to unit area (Slaney's norm).

    Returns:
        ``[n_mels, n_fft / 2 + 1]`` float32.

    Warns:
        UserWarning: a band lies between two bins and is empty.
    """
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    edges = mel_to_hz(np.linspace(hz_to_mel(fmin, scale), hz_to_mel(fmax, scale), n_mels + 2), scale)
    widths = np.diff(edges)[:, None]
    ramps = edges[:, None] - bins
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]  # signed as in librosa, zeros included
    bank = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    if equal_area:
        bank *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    empty = int((bank.max(axis=1) == 0).sum())
    if empty:
        warnings.warn(f"{empty} of {n_mels} mel bands are empty: use fewer bands or a longer n_fft", stacklevel=2)
    return bank
