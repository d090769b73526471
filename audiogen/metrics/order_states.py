"""The sequence of sound states: how likely its transitions are by what the recording does.

Half seconds of the recording are clustered into states by k-means, and the transitions from one half second to the next
are counted (smoothed by Witten & Bell 1991, IEEE Trans. Inf. Theory 37:1085). A state is a Gaussian, so that a half
second between two states counts as a little of both, and one unlike any as unlikely. The gain is the log density of a
half second given the one before it, less that without knowing it; the loss is exp(-gain), the perplexity by which the
sequence surprises: 1 without order, less if the past foretells the next state, more if it misleads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from audiogen.metrics.order_features import OrderFeatures
from audiogen.metrics.order_forecast import principal_components

STATE_SECONDS = 0.5
STEPS = 5  # tenths of a second in a state
STRIDE = 1  # tenths of a second between the beginnings of two states
DIMENSIONS = 6
MAX_STATES, PER_STATE = 12, 20  # half seconds per state, overlapping


def fit_states(parts: Sequence[OrderFeatures]) -> Callable[[OrderFeatures], float]:
    """The perplexity of a segment's state sequence relative to the same states without order."""
    from scipy.cluster.vq import kmeans2

    hop = max(round(STATE_SECONDS / STEPS * parts[0].rate), 1)
    tables = [table for table in (_half_seconds(part, hop) for part in parts) if len(table) > STEPS]
    mean, basis = principal_components(np.concatenate(tables), DIMENSIONS)
    projected = [(table - mean) @ basis for table in tables]
    every = np.concatenate(projected)
    count = int(np.clip(len(every) // PER_STATE, 2, MAX_STATES))
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
        table = _half_seconds(segment, hop)
        if len(table) <= STEPS + 1:
            return float("nan")
        given, density = posterior((table - mean) @ basis)
        # A uniform floor, below which no density counts: 5 nats under the best state.
        likelihood = np.exp(density - density.max(axis=1, keepdims=True))[STEPS:]
        ahead = (likelihood * (given[:-STEPS] @ transitions)).sum(axis=1)
        alone = (likelihood * marginal).sum(axis=1)
        return float(np.exp(-np.mean(np.log(ahead / alone))))

    return loss


def _half_seconds(part: OrderFeatures, hop: int) -> np.ndarray:
    """Half seconds as ``[states, STEPS * bands]``, a new one each tenth of a second."""
    tenths = part.resampled(hop)
    if len(tenths) < STEPS:
        return np.zeros((0, STEPS * tenths.shape[1]))
    view = np.lib.stride_tricks.sliding_window_view(tenths, STEPS, axis=0)[::STRIDE]
    return view.swapaxes(1, 2).reshape(len(view), -1)
