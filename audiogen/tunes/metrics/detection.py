"""How well a score tells two sets apart."""

from __future__ import annotations

import numpy as np


def detection_auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve: the probability that a positive scores higher than a negative, ties counting half.

    Computed from ranks (Mann & Whitney 1947).

    Args:
        positive: scores ``[n]``, at least one.
        negative: scores ``[m]``, at least one.
    """
    from scipy.stats import rankdata  # takes a second to import, and trainings without a critic do not need it

    ranks = rankdata(np.concatenate([positive, negative]))
    count = len(positive)
    return float((ranks[:count].sum() - count * (count + 1) / 2) / (count * len(negative)))
