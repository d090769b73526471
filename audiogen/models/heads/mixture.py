"""Mixture density network (Bishop 1994, NCRG/94/004): a weighted sum of diagonal Gaussians."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.option_types import PositiveFloat, Width
from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head

USUAL = 0.4  # octaves, deviation of the scales at the start
SMALL = 0.1  # of the usual start of a layer: the context is to be heeded as far as it turns out to matter


@dataclass(frozen=True)
class MixtureOptions:
    """Args:
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
        """``[n, context]`` -> log weights ``[n, K]``, means and deviations ``[n, K, features]``."""
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
        rows, chosen = torch.arange(len(context), device=context.device), pick(weights, sampling)
        noise = sampling.normal(len(context), self.features, device=context.device)
        return means[rows, chosen] + math.sqrt(sampling.temperature) * deviations[rows, chosen] * noise


@torch.no_grad()
def init_components(layer: nn.Linear, components: int, features: int, floor: float) -> None:
    """Start the layer of a mixture's parameters: logits, then ``[components, (means, deviations, ...), features]``.

    Components begin about zero with deviations from a half to two, whatever the context: sound is now quieter, now
    livelier than on the average, and a mixture of scales describes that better than one Gaussian (Wainwright &
    Simoncelli 2000, "Scale mixtures of Gaussians and the statistics of natural images").
    """
    layer.weight.mul_(SMALL)
    layer.bias.mul_(SMALL)
    octaves = torch.linspace(-1, 1, components) if components > 1 else torch.zeros(1)
    layer.bias[:components] = -0.5 * (octaves / USUAL).square()
    spread = torch.exp(octaves * math.log(2))
    each = layer.bias[components:].view(components, -1, features)
    each[:, 1] = torch.log(torch.expm1((spread - floor).clamp(min=floor)))[:, None]  # softplus gives the spread again


def pick(weights: Tensor, sampling: Sampling) -> Tensor:
    """A component ``[n]`` by log weights ``[n, K]``, which the temperature divides."""
    if sampling.temperature == 0:
        return weights.argmax(-1)
    cumulated = (weights / sampling.temperature).softmax(-1).cumsum(-1)
    draws = sampling.uniform(len(weights), 1, device=weights.device)
    return (draws > cumulated).sum(-1).clamp(max=weights.shape[-1] - 1)
