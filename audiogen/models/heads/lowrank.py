"""Mixture density network of Gaussians with diagonal plus low-rank covariances.

A mixture of factor analysers (Ghahramani & Hinton 1996, "The EM algorithm for mixtures of factor analyzers",
CRG-TR-96-1) whose parameters a network predicts (Bishop 1994, NCRG/94/004): it describes correlated features.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.option_types import PositiveFloat, Width
from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head
from audiogen.models.heads.mixture import INIT_GAIN, init_components, sample_component


@dataclass(frozen=True)
class LowRankOptions:
    """Options of the low-rank mixture.

    Args:
        components: number of Gaussians.
        rank: rank of the factor of each covariance; the size of a frame allows any covariance.
        floor: smallest standard deviation of the diagonal part, in units of the (normalised) frame.
    """

    components: Width = 4
    rank: Width = 4
    floor: PositiveFloat = 0.02


class LowRankMixture(Head):
    """K Gaussians of covariance ``D (I + U U') D``, with D diagonal and U ``[features, rank]``.

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
        nn.init.normal_(each[:, 2:], std=INIT_GAIN)  # zero is a stationary point of the likelihood

    def distribution(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Parameters given contexts ``[n, context]``.

        Returns:
            Log weights ``[n, K]``, means and diagonals D ``[n, K, features]``, factors U ``[n, K, features, rank]``.
        """
        raw = self.parameters_of(context)
        logits, rest = raw.split([self.components, raw.shape[-1] - self.components], dim=-1)
        rest = rest.unflatten(-1, (self.components, 2 + self.rank, self.features))
        diagonals = nn.functional.softplus(rest[..., 1, :]) + self.floor
        return logits.log_softmax(-1), rest[..., 0, :], diagonals, rest[..., 2:, :].transpose(-1, -2)

    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor:
        weights, means, diagonals, factors = self.distribution(context)
        scaled = (frame.unsqueeze(-2) - means) / diagonals
        # Woodbury identity and matrix determinant lemma: only rank x rank matrices are factored.
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
        rows, chosen = torch.arange(len(context), device=context.device), sample_component(weights, sampling)
        own = sampling.normal(len(context), self.features, device=context.device)
        common = sampling.normal(len(context), self.rank, 1, device=context.device)
        noise = own + (factors[rows, chosen] @ common).squeeze(-1)
        return means[rows, chosen] + math.sqrt(sampling.temperature) * diagonals[rows, chosen] * noise
