"""Mixture density network (Bishop 1994, NCRG/94/004): a mixture of diagonal Gaussians."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.option_types import PositiveFloat, Width
from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head

INIT_OCTAVES = 0.4  # standard deviation of the components' log scales at initialisation
INIT_GAIN = 0.1  # on torch's default initialisation: the context has little influence before training


@dataclass(frozen=True)
class MixtureOptions:
    """Options of the mixture of diagonal Gaussians.

    Args:
        components: number of Gaussians.
        floor: smallest standard deviation, in units of the (normalised) frame.
    """

    components: Width = 8
    floor: PositiveFloat = 0.02


class Mixture(Head):
    """K diagonal Gaussians. Temperature tau divides the mixture's logits and multiplies the variances."""

    Options = MixtureOptions

    def __init__(self, context: int, features: int, options: MixtureOptions) -> None:
        super().__init__(context, features, options)
        self.components, self.features, self.floor = options.components, features, options.floor
        self.parameters_of = nn.Linear(context, options.components * (2 * features + 1))
        init_components(self.parameters_of, options.components, features, options.floor)

    def distribution(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Parameters given contexts ``[n, context]``.

        Returns:
            Log weights ``[n, K]``, means and standard deviations ``[n, K, features]``.
        """
        raw = self.parameters_of(context)
        logits, rest = raw.split([self.components, 2 * self.components * self.features], dim=-1)
        means, scales = rest.unflatten(-1, (self.components, 2, self.features)).unbind(-2)
        return logits.log_softmax(-1), means, nn.functional.softplus(scales) + self.floor

    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor:
        weights, means, deviations = self.distribution(context)
        scaled = (frame.unsqueeze(-2) - means) / deviations
        each = -0.5 * (scaled.square() + math.log(2 * math.pi)).sum(-1) - deviations.log().sum(-1)
        return torch.logsumexp(weights + each, dim=-1)

    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        nats = -self.log_likelihood(context, frame).mean()
        return {"loss": nats / self.features, "nll": nats.detach()}

    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        weights, means, deviations = self.distribution(context)
        rows, chosen = torch.arange(len(context), device=context.device), sample_component(weights, sampling)
        noise = sampling.normal(len(context), self.features, device=context.device)
        return means[rows, chosen] + math.sqrt(sampling.temperature) * deviations[rows, chosen] * noise


@torch.no_grad()
def init_components(layer: nn.Linear, components: int, features: int, floor: float) -> None:
    """Initialise the output layer of a mixture as a Gaussian scale mixture about zero.

    The components' standard deviations run from 1/2 to 2, whatever the context: the variance of sound changes over
    time, and a mixture of scales describes that better than one Gaussian (Wainwright & Simoncelli 2000, "Scale mixtures
    of Gaussians and the statistics of natural images").

    Args:
        layer: whose outputs are ``components`` logits, then ``[components, (means, deviations, ...), features]``.
        components: number of Gaussians.
        features: size of a frame.
        floor: smallest standard deviation.
    """
    layer.weight.mul_(INIT_GAIN)
    layer.bias.mul_(INIT_GAIN)
    octaves = torch.linspace(-1, 1, components) if components > 1 else torch.zeros(1)
    layer.bias[:components] = -0.5 * (octaves / INIT_OCTAVES).square()
    spread = torch.exp(octaves * math.log(2))
    each = layer.bias[components:].view(components, -1, features)
    each[:, 1] = torch.log(torch.expm1((spread - floor).clamp(min=floor)))[:, None]  # inverse of softplus


def sample_component(weights: Tensor, sampling: Sampling) -> Tensor:
    """Sample component indices ``[n]`` from log weights ``[n, K]`` divided by the temperature."""
    if sampling.temperature == 0:
        return weights.argmax(-1)
    cumulative = (weights / sampling.temperature).softmax(-1).cumsum(-1)
    level = sampling.uniform(len(weights), 1, device=weights.device)
    return (level > cumulative).sum(-1).clamp(max=weights.shape[-1] - 1)
