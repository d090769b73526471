"""One-step likelihood of held-back frames: a Model's, and that of the linear autoregression that it has to beat.

Nats of each frame given all that came before it; differences between models on the same frames are what
counts, since the unit of the frames decides the rest. Whoever predicts well by this measure need not
continue well: a rollout hears its own frames, not real ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import torch
from torch import Tensor

from audiogen.models.heads.flow import Flow
from audiogen.models.sequence_model import SequenceModel

STEPS = 16  # of the integration from a frame to its noise
ORDERS, RIDGES = (1, 2, 4), (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # the autoregressions that are tried
TRIED = 0.2  # share of the frames to fit that decides between them


@torch.no_grad()
def one_step_likelihood(model: SequenceModel, frames: Tensor, last: int | None = None) -> Tensor | None:
    """Nats of the last frames given all before them.

    Args:
        model: in evaluation mode.
        frames: ``[batch, time, features]``.
        last: how many; None for all but the first.

    Returns:
        ``[batch, last]``; None where the head has no density.
    """
    context, target = (part.unflatten(0, (len(frames), -1))[:, -(last or 0) :] for part in model.targets(frames))
    known, wanted = context.flatten(0, 1), target.flatten(0, 1)
    nats = model.head.log_likelihood(known, wanted)
    if nats is None and isinstance(model.head, Flow):
        nats = flow_log_likelihood(model.head, known, wanted)
    return None if nats is None else nats.view(len(frames), -1) - model.log_volume


def flow_log_likelihood(head: Flow, context: Tensor, frame: Tensor, steps: int = STEPS) -> Tensor:
    """Log density of frames under a flow, by the instantaneous change of variables.

    Chen et al. (2018), "Neural ordinary differential equations", arXiv 1806.07366, equation 8: the log
    density of the noise that the frame is carried back to, less the integral of the velocity's divergence.
    The divergence is exact (its trace is summed over all features), the integral is Heun's.

    Args:
        head: whose velocity is followed.
        context: ``[n, context]``.
        frame: ``[n, features]``.
        steps: of the integration.

    Returns:
        ``[n]`` nats.
    """
    times = torch.linspace(1, 0, steps + 1, device=frame.device).view(-1, 1, 1)
    modulations = head.velocity.modulations(times, head.velocity.context(context))
    point, total, step = frame, frame.new_zeros(len(frame)), 1 / steps
    for now, then in pairwise(modulations):
        slope, spread = _slope_and_divergence(head, point, now)
        slope_there, spread_there = _slope_and_divergence(head, point - step * slope, then)
        point = point - 0.5 * step * (slope + slope_there)
        total = total + 0.5 * step * (spread + spread_there)
    return head.log_noise(point) - total


def _slope_and_divergence(head: Flow, point: Tensor, modulations: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        slope = head.velocity(point, [each.detach() for each in modulations])
        parts = [
            torch.autograd.grad(slope[:, k].sum(), point, retain_graph=True)[0][:, k] for k in range(point.shape[1])
        ]
    return slope.detach(), torch.stack(parts).sum(0)


@dataclass(frozen=True)
class LinearAutoregression:
    """Vector autoregression with Gaussian residuals (Lütkepohl 2005, chapter 3).

    Args:
        coefficients: ``[order * features + 1, features]``: lag one first, then the constant.
        covariance: ``[features, features]`` of the residuals.
        order: frames that it looks back.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    order: int

    @classmethod
    def fit(cls, sequences: list[np.ndarray], order: int, ridge: float) -> LinearAutoregression:
        """Ridge regression on sequences ``[time, features]``, each longer than ``order``.

        The residuals' covariance allows for the parameters that were fitted (Hastie et al. 2009, section
        3.4.1), and is drawn towards its diagonal as far as frames are few.
        """
        past, present = _regression(sequences, order)
        plain = past.T @ past
        gram = plain.copy()
        gram[np.diag_indices(len(gram) - 1)] += ridge * np.trace(gram) / len(gram)
        coefficients = np.linalg.solve(gram, past.T @ present)
        residuals = present - past @ coefficients
        free = max(len(residuals) - np.trace(np.linalg.solve(gram, plain)), 0.1 * len(residuals))
        covariance = residuals.T @ residuals / free
        features, independent = present.shape[1], len(present) / len(sequences)
        trust = independent / (independent + features)
        covariance = trust * covariance + (1 - trust) * np.diag(np.diag(covariance))
        return cls(coefficients, covariance + 1e-6 * np.eye(features), order)

    @classmethod
    def best(cls, sequences: list[np.ndarray]) -> LinearAutoregression:
        """The order and ridge that predict the last fifth of the sequences best, fitted again on all of them."""

        def unseen(order: int, ridge: float) -> float:
            cuts = [round((1 - TRIED) * len(values)) for values in sequences]
            fitted = cls.fit([values[:cut] for values, cut in zip(sequences, cuts, strict=True)], order, ridge)
            ends = [values[cut - order :] for values, cut in zip(sequences, cuts, strict=True)]
            return float(np.mean(np.concatenate([fitted.log_likelihood(end) for end in ends])))

        return cls.fit(sequences, *max(product(ORDERS, RIDGES), key=lambda choice: unseen(*choice)))

    def log_likelihood(self, values: np.ndarray) -> np.ndarray:
        """``[time, features]`` -> ``[time - order]`` nats of each frame that has ``order`` before it."""
        past, present = _regression([values], self.order)
        factor = np.linalg.cholesky(self.covariance)
        scaled = np.linalg.solve(factor, (present - past @ self.coefficients).T)
        logs = np.log(np.diag(factor)).sum() + 0.5 * present.shape[1] * math.log(2 * math.pi)
        return -0.5 * np.square(scaled).sum(axis=0) - logs


def _regression(sequences: list[np.ndarray], order: int) -> tuple[np.ndarray, np.ndarray]:
    """What is known ``[n, order * features + 1]`` and what follows ``[n, features]``."""
    past = [
        np.concatenate(
            [
                *(values[order - lag - 1 : len(values) - lag - 1] for lag in range(order)),
                np.ones((len(values) - order, 1)),
            ],
            axis=1,
        )
        for values in sequences
    ]
    return np.concatenate(past), np.concatenate([values[order:] for values in sequences])
