"""Second moments of multichannel signals."""

from __future__ import annotations

import numpy as np

CHUNK = 1 << 20  # samples converted to double precision at a time, so that an hour of audio needs little memory


def second_moments(samples: np.ndarray) -> np.ndarray:
    """Sum over time of the products of all pairs of channels.

    The mean is not subtracted: audio has none to speak of, and the trace is then the energy.

    Args:
        samples: ``[channels, time]``, any float type.

    Returns:
        ``[channels, channels]`` float64.
    """
    total = np.zeros((len(samples), len(samples)))
    for start in range(0, samples.shape[1], CHUNK):
        chunk = samples[:, start : start + CHUNK].astype(np.float64)
        total += chunk @ chunk.T
    return total


def mean_covariance(samples: np.ndarray) -> np.ndarray:
    """`second_moments` per sample: powers on the diagonal; zeros for an empty signal."""
    return second_moments(samples) / max(samples.shape[1], 1)
