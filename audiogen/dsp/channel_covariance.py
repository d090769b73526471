"""Covariance of a recording's channels, and the rotation that makes them uncorrelated, strongest first.

Channels that are generated one by one come out uncorrelated, whatever the source's correlation. The principal channels
(Karhunen-Loeve transform across channels) are uncorrelated to begin with, so modelling and rendering those and
rotating back preserves the inter-channel correlation: wide, narrow, one-sided and antiphase images alike. A mono
downmix would lose antiphase material; the strongest principal channel keeps it.
"""

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


def principal_rotation(moments: np.ndarray) -> np.ndarray:
    """Rotation from channels to principal channels.

    Args:
        moments: ``[channels, channels]`` second moments (`second_moments`).

    Returns:
        Orthonormal ``[channels, channels]`` float32; row k gives principal channel k, and the transpose rotates back.
    """
    if len(moments) == 1:
        return np.ones((1, 1), np.float32)
    _, vectors = np.linalg.eigh(moments)
    rows = vectors.T[::-1]
    # The sign of an eigenvector is arbitrary: make the largest weight positive, so that equal input gives equal output.
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1, keepdims=True), axis=1)
    return np.ascontiguousarray(rows * np.where(largest < 0, -1.0, 1.0), dtype=np.float32)
