"""The triangular mel filterbank, value for value that of `librosa.filters.mel`, without waiting for librosa's imports.

Two mel scales are in use: Slaney's Auditory Toolbox (1998), linear below 1 kHz, and the HTK book's (Young et al. 2002).
"""

from __future__ import annotations

import warnings

import numpy as np

SLOPE = 200 / 3  # Hz a mel in the linear part of Slaney's scale
BREAK = 1000.0  # Hz where it becomes logarithmic
LOG_STEP = np.log(6.4) / 27.0


def mels_of(hertz: float, scale: str) -> float:
    """Mels of a frequency on the "slaney" or "htk" scale."""
    if scale == "htk":
        return float(2595.0 * np.log10(1.0 + hertz / 700.0))
    if hertz < BREAK:
        return hertz / SLOPE
    return float(BREAK / SLOPE + np.log(hertz / BREAK) / LOG_STEP)


def hertz_of(mels: np.ndarray, scale: str) -> np.ndarray:
    """Frequencies of ``[n]`` mels on the "slaney" or "htk" scale."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    logarithmic = BREAK * np.exp(LOG_STEP * (mels - BREAK / SLOPE))
    return np.where(mels < BREAK / SLOPE, SLOPE * mels, logarithmic)


def triangles(
    sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float, scale: str, equal_area: bool
) -> np.ndarray:
    """``[n_mels, n_fft / 2 + 1]`` float32 weights of each bin in each band.

    Warns where a band lies between two bins and so hears nothing.
    """
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    edges = hertz_of(np.linspace(mels_of(fmin, scale), mels_of(fmax, scale), n_mels + 2), scale)
    widths = np.diff(edges)[:, None]
    ramps = edges[:, None] - bins
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]  # librosa's signs, down to that of its zeros
    bank = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    if equal_area:
        bank *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    empty = int((bank.max(axis=1) == 0).sum())
    if empty:
        warnings.warn(f"{empty} of {n_mels} mel bands hear nothing: take fewer bands or a longer n_fft", stacklevel=2)
    return bank
