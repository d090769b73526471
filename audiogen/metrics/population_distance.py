"""Fréchet and kernel distance between the one-second windows of two recordings, on two kinds of features.

**Sample size.** Both compare distributions, and a recording has few windows, which are not even independent. The
Fréchet distance grows as the number of samples falls (Chong & Forsyth 2020, "Effectively unbiased FID", arXiv
1911.07023): it can be compared only between sets of the same size, and is meaningless with only a few samples per
dimension. The kernel distance has no such bias but a high variance. Features are therefore reduced to few dimensions,
and the result includes the sizes and the distance between the two halves of the reference, of the same sizes, as a
floor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import mel_frames
from audiogen.representation.cochleagram import FRAME_RATE, envelopes
from audiogen.representation.texture_statistics import statistics

WINDOW_SECONDS = 1.0  # windows overlap by half
MAX_DIMENSIONS = 12  # principal components of the reference
MIN_WINDOWS = 8


@dataclass(frozen=True)
class PopulationDistance:
    """A distance between two sets of windows.

    Args:
        value: the distance; a kernel distance may be slightly negative.
        floor: the distance between the two halves of the reference.
        features: a key of `FEATURES`.
        windows: number of windows compared, of the output and of the reference.
        dimensions: of the features after reduction.
        caveat: what the sample size means for the value.
    """

    value: float
    floor: float
    features: str
    windows: tuple[int, int]
    dimensions: int
    caveat: str


def texture_features(recording: Recording) -> np.ndarray:
    """Spectrum, moments and modulation statistics of one-second windows, ``[windows, values]``."""
    table = statistics(envelopes(recording, 1e-4), round(WINDOW_SECONDS * FRAME_RATE))
    names = ("spectrum", "moments", "attack", "modulation")
    return np.concatenate([table[name].mean(axis=0) for name in names], axis=1)


def mel_features(recording: Recording) -> np.ndarray:
    """Mean and standard deviation of log-mel frames over one-second windows, ``[windows, values]``."""
    frames, rate = mel_frames(recording)
    length = round(WINDOW_SECONDS * rate)
    unfolded = np.lib.stride_tricks.sliding_window_view(frames, length, axis=0)[:: length // 2]
    return np.concatenate([unfolded.mean(axis=2), unfolded.std(axis=2)], axis=1)


FEATURES: dict[str, Callable[[Recording], np.ndarray]] = {"texture": texture_features, "mel": mel_features}


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of Gaussians fitted to two sets of samples ``[samples, dimensions]``.

    Heusel et al. (2017), arXiv 1706.08500: |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½); 0 if both are equal.
    """
    covariances = [np.atleast_2d(np.cov(values, rowvar=False)) for values in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.linalg.eigvalsh(root @ covariances[1] @ root)
    means = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    spread = np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.sqrt(np.maximum(cross, 0)).sum()
    return float(means + max(spread, 0.0))


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy; Gaussian kernel as wide as the median distance in ``second``.

    Gretton et al. (2012), JMLR 13:723, equation 3; for audio: Chung et al. (2025), arXiv 2502.15602.
    """

    def squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.maximum(np.sum(a**2, 1)[:, None] + np.sum(b**2, 1) - 2 * a @ b.T, 0)

    within = squares(second, second)
    width = np.median(within[np.triu_indices(len(second), 1)]) + 1e-12
    same = [np.exp(-squares(values, values) / width) for values in (first, second)]
    means = [(table.sum() - np.trace(table)) / (len(table) * (len(table) - 1)) for table in same]
    return float(means[0] + means[1] - 2 * np.mean(np.exp(-squares(first, second) / width)))


DISTANCES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "frechet": frechet_distance,
    "kernel": kernel_distance,
}


def population_distance(
    output: Recording, reference: Recording, features: str = "texture", distance: str = "kernel"
) -> PopulationDistance:
    """Distance between the one-second windows of two recordings.

    Features are standardised and reduced to the first principal components of the reference: at most 12, and at most
    one per four windows of the smallest set. All sets (output, reference and its halves) are subsampled to the size of
    a half.

    Args:
        output: the generated audio.
        reference: real audio, preferably much longer than `MIN_WINDOWS` seconds.
        features: a key of `FEATURES`.
        distance: a key of `DISTANCES`.

    Raises:
        InputError: an unknown name, or fewer than 8 windows in the output or in half of the reference.
    """
    for name, table in ((features, FEATURES), (distance, DISTANCES)):
        if name not in table:
            raise InputError(name, "there is no such key", f"choose from {', '.join(table)}")
    if min(output.seconds, reference.seconds / 2) < WINDOW_SECONDS * (MIN_WINDOWS + 2) / 2:
        raise InputError(
            f"{distance} distance",
            "there are too few windows",
            f"give it {WINDOW_SECONDS * (MIN_WINDOWS + 2):g} s or more",
        )
    real, generated = (FEATURES[features](recording) for recording in (reference, output))
    halves = real[: len(real) // 2], real[(len(real) + 1) // 2 :]
    size = min(len(generated), len(halves[0]))
    dimensions = max(1, min(MAX_DIMENSIONS, size // 4))
    centre, scale = real.mean(axis=0), real.std(axis=0) + 1e-6
    directions = np.linalg.svd((real - centre) / scale, full_matrices=False)[2][:dimensions]
    sets = [_subsample((values - centre) / scale @ directions.T, size) for values in (generated, real, *halves)]
    measure = DISTANCES[distance]
    caveat = f"{size} overlapping windows in {dimensions} dimensions: compare with the floor"
    return PopulationDistance(
        measure(sets[0], sets[1]), measure(sets[2], sets[3]), features, (size, size), dimensions, caveat
    )


def _subsample(values: np.ndarray, size: int) -> np.ndarray:
    return values[np.linspace(0, len(values) - 1, size).round().astype(int)]
