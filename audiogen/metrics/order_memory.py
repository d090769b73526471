"""How long a sound remembers: the dependence between moments 0.1 to 20 s apart.

For each of the first principal components of the mel frames, the mutual information at a lag is that of Gaussians with
its autocorrelation r, -log(1 - r^2) / 2; the mean information over components, as a correlation between 0 and 1
(Linfoot 1957, "An informational measure of correlation", Information and Control 1:85), is the memory at that lag. The
loss is the RMS difference of a segment's memory from that of real segments of the same length: random order forgets at
once, a loop never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from audiogen.metrics.order_features import OrderFeatures
from audiogen.metrics.order_forecast import HOP, principal_components

DIMENSIONS = 8
LAGS = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)  # seconds
MAX_LAG = 1 / 3  # of a segment
RESOLUTION = 0.02  # smallest loss


def fit_memory(parts: Sequence[OrderFeatures]) -> Callable[[OrderFeatures], float]:
    """The RMS difference of a segment's memory from that of the parts, cut into segments of its length."""
    mean, basis = principal_components(np.concatenate([part.resampled(HOP) for part in parts]), DIMENSIONS)

    def memory_of(segment: OrderFeatures) -> np.ndarray:
        return memory((segment.resampled(HOP) - mean) @ basis, segment.rate / HOP)

    def loss(segment: OrderFeatures) -> float:
        own = memory_of(segment)
        real = np.mean([memory_of(piece) for piece in pieces(parts, len(segment.mel))], axis=0)
        return float(np.sqrt(np.mean(np.square(own - real)) + RESOLUTION**2))

    return loss


def memory(values: np.ndarray, rate: float) -> np.ndarray:
    """Dependence between ``[time, dimensions]`` values and themselves at each of `LAGS` that fits, 0..1."""
    centred = values - values.mean(axis=0)
    found = []
    for lag in LAGS:
        step = round(lag * rate)
        if step > MAX_LAG * len(values):
            break
        one, other = centred[:-step], centred[step:]
        scale = np.sqrt(np.square(one).sum(axis=0) * np.square(other).sum(axis=0))
        correlation = (one * other).sum(axis=0) / np.maximum(scale, 1e-9)
        information = -0.5 * np.log(1 - np.minimum(np.square(correlation), 0.999))
        found.append(np.sqrt(1 - np.exp(-2 * information.mean())))
    return np.array(found)


def pieces(parts: Sequence[OrderFeatures], length: int) -> list[OrderFeatures]:
    """Segments of ``length`` frames, overlapping by half where that makes more of them, of every part long enough.

    If none is, the longest part as a whole.
    """
    found = []
    for part in parts:
        count = (len(part.mel) - length) // max(length // 2, 1) + 1
        if len(part.mel) >= length > 0:
            starts = np.linspace(0, len(part.mel) - length, count).astype(int)
            found += [part.cut(int(start), int(start) + length) for start in starts]
    return found or [max(parts, key=lambda part: len(part.mel))]
