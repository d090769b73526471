"""Stereo image: correlation and width of channels, overall and per band.

Correlation is the normalised one at lag zero (Blauert 1997, "Spatial Hearing", section 3.2): 1 for equal channels, 0
for unrelated ones, -1 in antiphase. Width is the energy of the side signal over that of mid and side: 0 for mono, 0.5
for unrelated channels of equal level, 1 in antiphase.

All of these follow from the channels' covariance, so that a recording of any length needs one small matrix.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from audiogen.metrics.spectra import POWER_FLOOR

PAIR_FLOOR = 1e-3  # of the power of a pair of channels


def band_covariance(spectrum: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """``[channels, frames, bins]``, ``[bins, bands]`` -> ``[bands, channels, channels]`` real sums."""
    products = np.einsum("ctf,dtf->fcd", spectrum, spectrum.conj(), optimize=True).real
    return np.einsum("fcd,fb->bcd", products, bands, optimize=True).astype(np.float64)


def correlations(covariances: np.ndarray) -> np.ndarray:
    """``[..., channels, channels]`` covariances -> correlations of channel pairs ``[..., pairs]``; 0 for silence."""
    energy = np.einsum("...cc->...c", covariances)
    first, second = _pairs(energy.shape[-1])
    norm = np.sqrt(energy[..., first] * energy[..., second])
    return np.where(norm > 0, covariances[..., first, second] / np.where(norm > 0, norm, 1), 0.0)


def widths(covariances: np.ndarray) -> np.ndarray:
    """``[..., channels, channels]`` covariances -> widths of channel pairs ``[..., pairs]``; 0 for silence."""
    energy = np.einsum("...cc->...c", covariances)
    first, second = _pairs(energy.shape[-1])
    total = energy[..., first] + energy[..., second]
    side = 0.5 - covariances[..., first, second] / np.where(total > 0, total, 1)
    return np.where(total > 0, side, 0.0)


def _pairs(channels: int) -> tuple[list[int], list[int]]:
    pairs = list(combinations(range(channels), 2))
    return [a for a, _ in pairs], [b for _, b in pairs]


def pair_differences(covariance: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Differences in dB of the spatial covariance, by pair of channels: of the levels of their sum and difference.

    The level of a sum or difference is defined for uncorrelated channels as well, where the covariance of the pair is
    about 0 and no ratio to the reference's makes sense. Levels more than 30 dB below the pair's own count as that: what
    nearly cancels there is inaudible beside it.

    Args:
        covariance, reference: ``[channels, channels]``.

    Returns:
        ``[2 * pairs]``, without pairs that are silent in the reference.
    """
    first, second = _pairs(len(reference))
    levels = []
    floor = PAIR_FLOOR * (np.diag(reference)[first] + np.diag(reference)[second])
    for matrix in (covariance, reference):
        total = matrix[first, first] + matrix[second, second]
        cross = 2 * matrix[first, second]
        levels.append(np.maximum(np.concatenate([total + cross, total - cross]), np.tile(floor, 2)))
    audible = levels[1] > 0
    return 10 * np.log10(levels[0][audible] / levels[1][audible])


def stereo_measures(whole: np.ndarray, bands: np.ndarray) -> dict[str, float]:
    """Correlation and width of one recording from its covariances.

    Args:
        whole: ``[channels, channels]``.
        bands: ``[bands, channels, channels]``.

    Returns:
        ``correlation`` and ``width`` (means over all pairs of channels) and ``band_correlation`` (mean over
        bands, weighted by their energy). Empty for one channel.
    """
    if len(whole) < 2:
        return {}
    weight = np.einsum("bcc->b", bands)
    by_band = correlations(bands).mean(axis=1)
    return {
        "correlation": float(correlations(whole).mean()),
        "width": float(widths(whole).mean()),
        "band_correlation": float(np.sum(weight * by_band) / max(float(weight.sum()), POWER_FLOOR)),
    }


def stereo_difference(
    whole: np.ndarray, bands: np.ndarray, reference: np.ndarray, reference_bands: np.ndarray
) -> dict[str, float]:
    """Difference of the channels' correlations from those of a reference with the same channels.

    Returns:
        ``correlation_difference``: the largest over pairs of channels; ``band_correlation_difference``: mean over pairs
        and over the bands with at least a thousandth of the reference's energy; ``pair_difference_db``: the largest
        of `pair_differences`. Empty for one channel.
    """
    if len(whole) < 2 or len(whole) != len(reference):
        return {}
    energy = np.einsum("bcc->b", reference_bands)
    kept = energy >= 1e-3 * energy.sum()
    by_band = np.abs(correlations(bands) - correlations(reference_bands))[kept]
    return {
        "correlation_difference": float(np.abs(correlations(whole) - correlations(reference)).max()),
        "band_correlation_difference": float(by_band.mean()) if kept.any() else 0.0,
        "pair_difference_db": float(np.abs(pair_differences(whole, reference)).max(initial=0.0)),
    }
