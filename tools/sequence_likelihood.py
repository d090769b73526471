"""One-step likelihood of held-out frames under a Model and under a linear autoregression, its baseline.

Log density in nats of each frame given all real frames before it (teacher forcing). Only differences between models on
the same frames are meaningful, since the unit of the frames adds a constant. A good teacher-forced likelihood need not
mean good rollouts: those are conditioned on the model's own frames (exposure bias).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from audiogen.dsp.autoregression import LeastSquares, lag_regression
from audiogen.models.heads.flow import Flow
from audiogen.models.sequence_model import SequenceModel

STEPS = 16  # of the integration from frame to noise
ORDERS, RIDGES = (1, 2, 4), (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # candidates for the autoregression
VALIDATION_FRACTION = 0.2  # of the frames to fit, by which order and ridge are chosen


@torch.no_grad()
def one_step_likelihood(model: SequenceModel, frames: Tensor, last: int | None = None) -> Tensor | None:
    """Log density of the last frames, each given all frames before it, in nats.

    Args:
        model: in evaluation mode.
        frames: ``[batch, time, features]``.
        last: number of frames; None for all but the first.

    Returns:
        ``[batch, last]``; None if the head has no density.
    """
    context, target = (part.unflatten(0, (len(frames), -1))[:, -(last or 0) :] for part in model.targets(frames))
    known, wanted = context.flatten(0, 1), target.flatten(0, 1)
    nats = model.head.log_likelihood(known, wanted)
    if nats is None and isinstance(model.head, Flow):
        nats = flow_log_likelihood(model.head, known, wanted)
    return None if nats is None else nats.view(len(frames), -1) - model.log_det


def flow_log_likelihood(head: Flow, context: Tensor, frame: Tensor, steps: int = STEPS) -> Tensor:
    """Log density of frames under a flow, by the instantaneous change of variables.

    Chen et al. (2018), "Neural ordinary differential equations", arXiv 1806.07366, equation 8: the log
    density of the noise that the frame is mapped to, minus the integral of the velocity's divergence. The
    divergence is exact (its trace is summed over all features); the integration is Heun's method.

    Args:
        head: the flow.
        context: ``[n, context]``.
        frame: ``[n, features]``.
        steps: number of integration steps.

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
    return noise_log_density(head, point) - total


def noise_log_density(head: Flow, point: Tensor) -> Tensor:
    """Log density of starting noise ``[n, features]`` in nats, ``[n]``."""
    power, size, dof = point.square().sum(-1), head.features, head.dof
    if not dof:
        return -0.5 * (power + size * math.log(2 * math.pi))
    constant = math.lgamma((dof + size) / 2) - math.lgamma(dof / 2) - size / 2 * math.log((dof - 2) * math.pi)
    return constant - (dof + size) / 2 * torch.log1p(power / (dof - 2))


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
    """Vector autoregression with a constant and Gaussian residuals (Lütkepohl 2005, chapter 3).

    Args:
        weight: ``[order * features + 1, features]``: lag 1 first, then the constant.
        covariance: ``[features, features]`` of the residuals.
        order: number of lags.
    """

    weight: Tensor
    covariance: Tensor
    order: int

    @classmethod
    def fit(cls, sequences: list[Tensor], order: int, ridge: float) -> LinearAutoregression:
        """Ridge regression on sequences ``[time, features]``, each longer than ``order``."""
        moments = LeastSquares([_regression(sequence, order) for sequence in sequences])
        weight = moments.solve(ridge, constant=True)
        return cls(weight, moments.covariance(weight, moments.freedom(ridge, constant=True)), order)

    @classmethod
    def best(cls, sequences: list[Tensor]) -> LinearAutoregression:
        """Fit to all sequences with the order and ridge that predict the last fifth of them best."""

        def validation(order: int, ridge: float) -> float:
            cuts = [round((1 - VALIDATION_FRACTION) * len(sequence)) for sequence in sequences]
            fitted = cls.fit([sequence[:cut] for sequence, cut in zip(sequences, cuts, strict=True)], order, ridge)
            ends = [sequence[cut - order :] for sequence, cut in zip(sequences, cuts, strict=True)]
            return float(torch.cat([fitted.log_likelihood(end) for end in ends]).mean())

        return cls.fit(sequences, *max(product(ORDERS, RIDGES), key=lambda choice: validation(*choice)))

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Log density in nats of each frame of ``[time, features]`` that has ``order`` predecessors."""
        past, present = _regression(frames.double(), self.order)
        return MultivariateNormal(past @ self.weight, self.covariance).log_prob(present)


def _regression(frames: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """`lag_regression` with a constant as last regressor."""
    past, present = lag_regression(frames, order)
    return torch.cat([past, past.new_ones(len(past), 1)], dim=1), present
