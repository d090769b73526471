"""Variational recurrent network (Chung et al. 2015, arXiv 1506.02216): a latent per frame with a learned prior.

The recurrence reads frames only, not latents, so that all frames of a training window are computed in parallel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.choice import Choice, choice
from audiogen.config.option_types import FractionBelowOne, NonNegativeFloat, NonNegativeSteps, PositiveFloat, Width
from audiogen.models.backbones import BACKBONES
from audiogen.models.base import ContextModel, Sampling, State

BOUND_DRAWS = 64  # latents per frame in the bound of the log density


@dataclass(frozen=True)
class VAEOptions:
    """Options of the variational recurrent network.

    Args:
        backbone: kind and options of one of `BACKBONES`.
        latents: size of the latent of a frame.
        width: units of the prior, posterior and decoder networks.
        dropout: fraction of the context's units dropped, in training.
        warmup: training steps over which the Kullback-Leibler term rises to its full weight (Bowman et al. 2016, arXiv
            1511.06349).
        free_bits: nats of each latent's Kullback-Leibler divergence that are not penalised, against posterior
            collapse (Kingma et al. 2016, arXiv 1606.04934).
        floor: smallest standard deviation of a frame, in units of the (normalised) frame.
    """

    backbone: Choice = choice(BACKBONES, "lstm")
    latents: Width = 16
    width: Width = 128
    dropout: FractionBelowOne = 0.1
    warmup: NonNegativeSteps = 100
    free_bits: NonNegativeFloat = 0.05
    floor: PositiveFloat = 0.1


class Gaussian(nn.Module):
    """A network that predicts mean and standard deviation of a diagonal Gaussian.

    Args:
        inputs: size of the input.
        width: units of the hidden layer.
        size: number of dimensions.
        floor: smallest standard deviation.
    """

    def __init__(self, inputs: int, width: int, size: int, floor: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, 2 * size))
        self.floor = floor

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation ``[..., size]`` given tensors whose last axes together have the input size."""
        mean, raw = self.layers(torch.cat(inputs, dim=-1)).chunk(2, dim=-1)
        return mean, nn.functional.softplus(raw) + self.floor


class VAE(ContextModel):
    """p(frame | latent, earlier frames) p(latent | earlier frames). Temperature tau multiplies both variances.

    Args:
        features: size of a frame.
        options: see `VAEOptions`.
    """

    Options = VAEOptions
    step_count: Tensor

    def __init__(self, features: int, options: VAEOptions) -> None:
        super().__init__()
        self.features, self.options = features, options
        self.backbone = BACKBONES[options.backbone.kind](features, options.backbone.options)
        self.dropout = nn.Dropout(options.dropout)
        width, latents = self.backbone.width, options.latents
        self.prior = Gaussian(width, options.width, latents, 1e-3)
        self.posterior = Gaussian(width + features, options.width, latents, 1e-3)
        self.decoder = Gaussian(width + latents, options.width, features, options.floor)
        self.register_buffer("step_count", torch.zeros(()))  # training steps taken

    @property
    def kl_weight(self) -> float:
        """Weight of the Kullback-Leibler term at this training step; 1 in evaluation."""
        return min(float(self.step_count + 1) / (self.options.warmup + 1), 1.0) if self.training else 1.0

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        context, _ = self.backbone(frames[:, :-1])
        context, target = self.dropout(context), frames[:, 1:]
        prior, posterior = self.prior(context), self.posterior(context, target)
        latent = posterior[0] + posterior[1] * torch.randn_like(posterior[0])
        nats = -_log_prob(target, *self.decoder(context, latent)).sum(-1).mean()
        each = _kl_divergence(posterior, prior).mean((0, 1))  # of each latent
        bound = nats + self.kl_weight * each.clamp(min=self.options.free_bits).sum()
        if self.training:
            self.step_count += 1
        return {"loss": bound / self.features, "nll": nats.detach(), "kl": each.sum().detach()}

    @torch.no_grad()
    def log_likelihood(self, frames: Tensor) -> Tensor:
        """A lower bound of the log density in nats of each frame but the first, ``[batch, time - 1]``.

        The importance-weighted bound (Burda et al. 2016, arXiv 1509.00519) of `BOUND_DRAWS` latents.
        """
        context, _ = self.backbone(frames[:, :-1])
        target = frames[:, 1:]
        prior, (mean, deviation) = self.prior(context), self.posterior(context, target)
        generator = torch.Generator().manual_seed(0)
        weights = []
        for _ in range(BOUND_DRAWS):
            latent = mean + deviation * torch.randn(mean.shape, generator=generator).to(mean.device)
            nats = _log_prob(target, *self.decoder(context, latent)).sum(-1)
            weights.append(nats + (_log_prob(latent, *prior) - _log_prob(latent, mean, deviation)).sum(-1))
        return torch.stack(weights).logsumexp(0) - math.log(BOUND_DRAWS)

    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.backbone(frames, state)

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        context, _ = state
        latent = self._sample(self.prior(context), sampling)
        return self._sample(self.decoder(context, latent), sampling)

    def _sample(self, gaussian: tuple[Tensor, Tensor], sampling: Sampling) -> Tensor:
        mean, deviation = gaussian
        return mean + math.sqrt(sampling.temperature) * deviation * sampling.normal(*mean.shape, device=mean.device)


def _log_prob(value: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Log density in nats of each value under its own Gaussian."""
    return -0.5 * (((value - mean) / deviation).square() + math.log(2 * math.pi)) - deviation.log()


def _kl_divergence(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
    """Kullback-Leibler divergence D(one || other) in nats of Gaussians given as (means, standard deviations)."""
    ratio = one[1] / other[1]
    return 0.5 * (ratio.square() + ((one[0] - other[0]) / other[1]).square() - 1) - ratio.log()
