"""Mixture of Gaussians whose features go together: a diagonal and a low-rank factor (Ghahramani & Hinton 1996, "The EM
algorithm for mixtures of factor analyzers", CRG-TR-96-1), as a mixture density network (Bishop 1994, NCRG/94/004)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.option_types import PositiveFloat, Width
from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head
from audiogen.models.heads.mixture import SMALL, init_components, pick


@dataclass(frozen=True)
class LowRankOptions:
    """Args:
    components: number of Gaussians.
    rank: directions of each in which features go together; as many as a frame has features for any covariance.
    floor: smallest standard deviation, in units of the (normalised) frame.
    """

    components: Width = 4
    rank: Width = 4
    floor: PositiveFloat = 0.02


class LowRankMixture(Head):
    """K Gaussians of covariance ``D (I + U U') D``, D diagonal and U of the given rank.

    Temperature tau divides the mixture's logits and multiplies the covariances.
    """

    Options = LowRankOptions

    def __init__(self, context: int, features: int, options: LowRankOptions) -> None:
        super().__init__(context, features, options)
        self.components, self.rank, self.features = options.components, options.rank, features
        self.floor = options.floor
        self.parameters_of = nn.Linear(context, options.components * (1 + features * (2 + options.rank)))
        init_components(self.parameters_of, options.components, features, options.floor)
        each = self.parameters_of.bias[options.components :].view(options.components, -1, features)
        nn.init.normal_(each[:, 2:], std=SMALL)  # at zero they would stay there

    def distribution(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``[n, context]`` -> log weights ``[n, K]``, means and diagonals ``[n, K, features]``, factors
        ``[n, K, features, rank]`` in units of the diagonal."""
        raw = self.parameters_of(context)
        logits, rest = raw.split([self.components, raw.shape[-1] - self.components], dim=-1)
        rest = rest.unflatten(-1, (self.components, 2 + self.rank, self.features))
        diagonals = nn.functional.softplus(rest[..., 1, :]) + self.floor
        return logits.log_softmax(-1), rest[..., 0, :], diagonals, rest[..., 2:, :].transpose(-1, -2)

    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor:
        weights, means, diagonals, factors = self.distribution(context)
        scaled = (frame.unsqueeze(-2) - means) / diagonals
        # Woodbury's identity and the determinant lemma: only matrices of the rank's size are factored.
        inner = factors.transpose(-1, -2) @ factors + torch.eye(self.rank, device=frame.device)
        root = torch.linalg.cholesky(inner)
        along = torch.linalg.solve_triangular(root, factors.transpose(-1, -2) @ scaled.unsqueeze(-1), upper=False)
        distance = scaled.square().sum(-1) - along.squeeze(-1).square().sum(-1)
        spread = diagonals.log().sum(-1) + root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        each = -0.5 * (distance + self.features * math.log(2 * math.pi)) - spread
        return torch.logsumexp(weights + each, dim=-1)

    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        nats = -self.log_likelihood(context, frame).mean()
        return {"loss": nats / self.features, "nll": nats.detach()}

    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        weights, means, diagonals, factors = self.distribution(context)
        rows, chosen = torch.arange(len(context), device=context.device), pick(weights, sampling)
        own = sampling.normal(len(context), self.features, device=context.device)
        common = sampling.normal(len(context), self.rank, 1, device=context.device)
        noise = own + (factors[rows, chosen] @ common).squeeze(-1)
        return means[rows, chosen] + math.sqrt(sampling.temperature) * diagonals[rows, chosen] * noise
