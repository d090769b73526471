"""Linear vector autoregression whose residuals are drawn from those of the source: nothing is trained.

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
    """Args:
    residuals: how many of the source's residuals are kept to draw from.
    """

    residuals: PositiveInt = 2048


class VAR(ContextModel):
    """A stable `LinearPrediction` and a residual of the source. Temperature tau multiplies it by sqrt(tau).

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
        left = torch.cat([self._left(piece[None])[0] for piece in sequences if len(piece) > 1])
        left = left - left.mean(0)
        # As many as are kept, spread evenly: all of them, again and again, where they are fewer.
        places = torch.arange(len(self.residuals)) * max(len(left), len(self.residuals)) // len(self.residuals)
        self.residuals.copy_(left[places % len(left)])

    def _left(self, frames: Tensor) -> Tensor:
        return self.linear.left(frames[:, 1:], self.linear(frames[:, :-1])[0])

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Nats of each frame but the first under Gaussian residuals, ``[batch, time - 1]``."""
        left = self._left(frames)
        return -0.5 * (left.square() + math.log(2 * math.pi)).sum(-1) - self.linear.log_volume

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        nats = -self.log_likelihood(frames).mean()
        return {"loss": nats / frames.shape[-1], "nll": nats}

    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.linear(frames, state)

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        expected, _ = state
        places = (sampling.uniform(len(expected), device=expected.device) * len(self.residuals)).long()
        return self.linear.frames(expected, math.sqrt(sampling.temperature) * self.residuals[places])
