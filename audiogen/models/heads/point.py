"""Point head: predicts the conditional mean by least squares, so free-running rollouts collapse to an average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head


@dataclass(frozen=True)
class PointOptions:
    """The point head has no options."""


class Point(Head):
    """The conditional mean of the frame; deterministic at every temperature."""

    Options = PointOptions

    def __init__(self, context: int, features: int, options: PointOptions) -> None:
        super().__init__(context, features, options)
        self.mean = nn.Linear(context, features)

    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        error = functional.mse_loss(self.mean(context), frame)
        return {"loss": error, "mse": error.detach()}

    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        return self.mean(context)
