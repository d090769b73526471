"""Principal channels: a recording's channels turned until they are uncorrelated, strongest first.

Channels that were made one by one come out uncorrelated, whatever the source did. Turned into principal
channels (the Karhunen-Loeve transform across channels) they already are, so modelling and rendering those and
turning back keeps the inter-channel correlation of the source: wide, narrow, one-sided or in antiphase alike.
A mono downmix would lose antiphase material; the strongest principal channel does not.
"""

from __future__ import annotations

import numpy as np

PIECE = 1 << 24  # samples that are held in double precision at once: six minutes at 44.1 kHz


def covariance(samples: np.ndarray) -> np.ndarray:
    """Second moments of ``[channels, time]``: ``[channels, channels]`` float64, summed over time."""
    total = np.zeros((len(samples), len(samples)))
    for start in range(0, samples.shape[1], PIECE):
        piece = samples[:, start : start + PIECE].astype(np.float64)
        total += piece @ piece.T
    return total


def rotation_of(moments: np.ndarray) -> np.ndarray:
    """Orthonormal ``[channels, channels]`` float32; row k makes principal channel k from the channels."""
    if len(moments) == 1:
        return np.ones((1, 1), np.float32)
    _, vectors = np.linalg.eigh(moments)
    rows = vectors.T[::-1]
    # An eigenvector's sign is arbitrary: the largest weight is made positive, so that equal input gives equal
    # output.
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1, keepdims=True), axis=1)
    return np.ascontiguousarray(rows * np.where(largest < 0, -1.0, 1.0), dtype=np.float32)
