"""Vector autoregression driven by residuals of the training frames (residual bootstrap); nothing is trained.

Lütkepohl (2005), "New introduction to multiple time series analysis", chapter 3, and appendix D on the bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import PositiveInt
from audiogen.models.base import ContextModel, Sampling, State
from audiogen.models.linear_prediction import LinearPrediction


@dataclass(frozen=True)
class VAROptions:
    """Options of the vector autoregression.

    Args:
        residuals: number of residuals of the training frames to keep and sample from.
    """

    residuals: PositiveInt = 2048


class VAR(ContextModel):
    """A stable `LinearPrediction` plus a bootstrapped residual. Temperature tau multiplies the residual by sqrt(tau).

    Args:
        features: size of a frame.
        options: see `VAROptions`.
    """

    Options = VAROptions
    uses_selection = False
    residuals: Tensor

    def __init__(self, features: int, options: VAROptions) -> None:
        super().__init__()
        self.linear = LinearPrediction(features)
        self.register_buffer("residuals", torch.zeros(options.residuals, features))  # whitened

    @torch.no_grad()
    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        self.linear.fit(sequences)
        residuals = torch.cat([self._residuals_of(sequence[None])[0] for sequence in sequences if len(sequence) > 1])
        residuals = residuals - residuals.mean(0)
        # Evenly spaced residuals; where there are fewer than are kept, all of them, repeated.
        indices = torch.arange(len(self.residuals)) * max(len(residuals), len(self.residuals)) // len(self.residuals)
        self.residuals.copy_(residuals[indices % len(residuals)])

    def _residuals_of(self, frames: Tensor) -> Tensor:
        return self.linear.residual(frames[:, 1:], self.linear(frames[:, :-1])[0])

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Log density in nats of each frame but the first under Gaussian residuals, ``[batch, time - 1]``."""
        residual = self._residuals_of(frames)
        return -0.5 * (residual.square() + math.log(2 * math.pi)).sum(-1) - self.linear.log_det

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        nats = -self.log_likelihood(frames).mean()
        return {"loss": nats / frames.shape[-1], "nll": nats}

    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.linear(frames, state)

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        expected, _ = state
        indices = (sampling.uniform(len(expected), device=expected.device) * len(self.residuals)).long()
        return self.linear.unwhiten(expected, math.sqrt(sampling.temperature) * self.residuals[indices])
