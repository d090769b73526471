"""Where a mask is true: its runs, as pairs of first and past-the-last index."""

from __future__ import annotations

import numpy as np


def mask_spans(mask: np.ndarray) -> np.ndarray:
    """First and past-the-last index of each run of true values.

    Args:
        mask: bool, ``[n]``.

    Returns:
        Integers ``[runs, 2]``, in order.
    """
    steps = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)], axis=1)
