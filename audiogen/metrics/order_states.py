"""The sequence of sound states: how likely its transitions are by what the recording does.

Half seconds of the recording are clustered into states by k-means, and the transitions from one half second to the next
are counted (smoothed by Witten & Bell 1991, IEEE Trans. Inf. Theory 37:1085). A state is a Gaussian, so that a half
second between two states counts as a little of both, and one unlike any as unlikely. The gain is the log density of a
half second given the one before it, less that without knowing it; the loss is exp(-gain), the perplexity by which the
sequence surprises: 1 without order, less if the past foretells the next state, more if it misleads.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from audiogen.metrics.order_features import OrderFeatures
from audiogen.metrics.order_forecast import principal_components, windows

STATE_SECONDS = 0.5
STEPS = 5  # tenths of a second in a state
TENTHS, DIMENSIONS = 12, 6  # principal components of a tenth of a second, and of a half second
MAX_STATES, PER_STATE = 12, 20  # half seconds per state, overlapping


def fit_states(parts: Sequence[OrderFeatures]) -> Callable[[OrderFeatures], float]:
    """The perplexity of a segment's state sequence relative to the same states without order."""
    from scipy.cluster.vq import kmeans2

    hop = max(round(STATE_SECONDS / STEPS * parts[0].rate), 1)
    # Tenths are projected first: half seconds of all bands have 200 dimensions.
    tenth_mean, tenth_basis = principal_components(np.concatenate([part.resampled(hop) for part in parts]), TENTHS)

    def half_seconds(part: OrderFeatures) -> np.ndarray:
        """Half seconds as ``[states, STEPS * TENTHS]``, a new one each tenth of a second."""
        return windows((part.resampled(hop) - tenth_mean) @ tenth_basis, STEPS)

    tables = [table for table in map(half_seconds, parts) if len(table) > STEPS]
    mean, basis = principal_components(np.concatenate(tables), DIMENSIONS)
    projected = [(table - mean) @ basis for table in tables]
    every = np.concatenate(projected)
    count = int(np.clip(len(every) // PER_STATE, 2, MAX_STATES))
    with warnings.catch_warnings(action="ignore"):  # of empty clusters, which are never assigned
        centres, labels = kmeans2(every, count, minit="++", seed=0)
    variance = np.square(every - centres[labels]).mean(axis=0) + 1e-6
    marginal = np.bincount(labels, minlength=count) + 0.5
    marginal = marginal / marginal.sum()

    def posterior(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        density = -0.5 * (np.square(values[:, None] - centres) / variance).sum(axis=2)
        joint = np.exp(density - density.max(axis=1, keepdims=True)) * marginal
        return joint / joint.sum(axis=1, keepdims=True), density

    counts = np.zeros((count, count))
    for values in projected:
        given, _ = posterior(values)
        counts += given[:-STEPS].T @ given[STEPS:]
    kinds = (counts > 0.5).sum(axis=1, keepdims=True)
    transitions = (counts + kinds * marginal) / np.maximum(counts.sum(axis=1, keepdims=True) + kinds, 1e-9)

    def loss(segment: OrderFeatures) -> float:
        table = half_seconds(segment)
        if len(table) <= STEPS + 1:
            return float("nan")
        given, density = posterior((table - mean) @ basis)
        likelihood = np.exp(density - density.max(axis=1, keepdims=True))[STEPS:]
        ahead = (likelihood * (given[:-STEPS] @ transitions)).sum(axis=1)
        alone = (likelihood * marginal).sum(axis=1)
        return float(np.exp(-np.mean(np.log(ahead / alone))))

    return loss
