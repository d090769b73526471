"""Principal channels: a recording's channels rotated until they are uncorrelated, strongest first.

Channels that are generated one by one come out uncorrelated, whatever the source's correlation. The principal channels
(Karhunen-Loeve transform across channels) are uncorrelated to begin with, so modelling and rendering those and
rotating back preserves the inter-channel correlation: wide, narrow, one-sided and antiphase images alike. A mono
downmix would lose antiphase material; the strongest principal channel keeps it.
"""

from __future__ import annotations

import numpy as np


def principal_rotation(moments: np.ndarray) -> np.ndarray:
    """Rotation from channels to principal channels.

    Args:
        moments: ``[channels, channels]`` second moments (`audiogen.dsp.covariance.second_moments`).

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
