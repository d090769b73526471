"""Recurrent generative adversarial network, trained on its free-running rollouts.

Goodfellow et al. (2014), arXiv 1406.2661, with hinge loss (Lim & Ye 2017, arXiv 1705.02894), feature matching (Salimans
et al. 2016, arXiv 1606.03498) and R1 gradient penalty (Mescheder et al. 2018, arXiv 1801.04406). The discriminator sees
free-running rollouts, not teacher-forced frames (professor forcing, Lamb et al. 2016, arXiv 1610.09038).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from audiogen.config.choice import Choice, choice
from audiogen.config.option_types import FractionBelowOne, Layers, NonNegativeFloat, Width
from audiogen.models.backbones import BACKBONES
from audiogen.models.base import ContextModel, Sampling, State


@dataclass(frozen=True)
class GANOptions:
    """Options of the GAN.

    Args:
        backbone: kind and options of one of `BACKBONES`.
        noise: size of the noise vector of a frame.
        width: units of generator and discriminator.
        rollout: frames generated freely after each training prompt.
        feature_matching: weight of feature matching: of the distance between mean discriminator features.
        r1_weight: weight of the R1 gradient penalty at real frames.
        dropout: fraction of the context's units dropped, in training.
    """

    backbone: Choice = choice(BACKBONES, "lstm")
    noise: Width = 32
    width: Width = 128
    rollout: Layers = 8
    feature_matching: NonNegativeFloat = 5.0
    r1_weight: NonNegativeFloat = 1.0
    dropout: FractionBelowOne = 0.1


class Discriminator(nn.Module):
    """Convolutions over time that score how real each frame is, given its neighbours.

    Args:
        features: size of a frame.
        width: channels of the convolutions.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        sizes = [(features, 1), (width, 3), (width, 3)]
        self.layers = nn.ModuleList(nn.Conv1d(size, width, kernel, padding=kernel // 2) for size, kernel in sizes)
        self.verdict = nn.Conv1d(width, 1, 1)

    def forward(self, frames: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores ``[batch, time]`` of ``[batch, time, features]`` frames, and the output of each layer."""
        hidden, outputs = frames.transpose(1, 2), []
        for layer in self.layers:
            hidden = nn.functional.leaky_relu(layer(hidden), 0.2)
            outputs.append(hidden)
        return self.verdict(hidden)[:, 0], outputs


class GAN(ContextModel):
    """Generates a frame from context and noise. Temperature tau multiplies the noise by sqrt(tau).

    Args:
        features: size of a frame.
        options: see `GANOptions`.
    """

    Options = GANOptions

    def __init__(self, features: int, options: GANOptions) -> None:
        super().__init__()
        self.options = options
        self.backbone = BACKBONES[options.backbone.kind](features, options.backbone.options)
        self.dropout = nn.Dropout(options.dropout)
        width = options.width
        self.generator = nn.Sequential(
            nn.Linear(self.backbone.width + options.noise, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, features),
        )
        self.discriminator = Discriminator(features, width)

    def generate(self, context: Tensor, noise: Tensor) -> Tensor:
        """Frames ``[n, features]`` from contexts ``[n, width]`` and noise ``[n, noise]``."""
        return self.generator(torch.cat([self.dropout(context), noise], dim=-1))

    def free_run(self, prompt: Tensor, steps: int) -> Tensor:
        """Free-running rollout ``[batch, steps, features]`` after a prompt ``[batch, time, features]``."""
        context, memory = self.backbone(prompt)
        frames = []
        for _ in range(steps):
            noise = torch.randn(len(prompt), self.options.noise, device=prompt.device)
            frames.append(self.generate(context[:, -1], noise))
            context, memory = self.backbone(frames[-1].unsqueeze(1), memory)
        return torch.stack(frames, dim=1)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        """In training the losses of both networks, each with the other fixed; in evaluation the energy score."""
        steps = min(self.options.rollout, frames.shape[1] - 1)
        prompt, real = frames[:, :-steps], frames[:, -steps:]
        fake = self.free_run(prompt, steps)
        if not self.training:
            score = energy_score(fake, self.free_run(prompt, steps), real)
            return {"loss": score, "energy": score}
        discriminator, r1 = self._discriminator_loss(prompt[:, -steps:], real, fake.detach())
        generator, matching = self._generator_loss(prompt[:, -steps:], real, fake)
        options = self.options
        total = discriminator + options.r1_weight * r1 + generator + options.feature_matching * matching
        return {
            "loss": total,
            "discriminator_loss": discriminator.detach(),
            "generator_loss": generator.detach(),
            "feature_matching": matching.detach(),
        }

    def _discriminator_loss(self, before: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Hinge loss of the discriminator, and the R1 penalty: its mean squared gradient at real frames."""
        real = torch.cat([before, real], dim=1).requires_grad_()
        real_score, _ = self.discriminator(real)
        fake_score, _ = self.discriminator(torch.cat([before, fake], dim=1))
        (gradient,) = torch.autograd.grad(real_score.sum(), real, create_graph=True)
        hinge = nn.functional.relu(1 - real_score).mean() + nn.functional.relu(1 + fake_score).mean()
        return hinge, gradient.square().sum((1, 2)).mean() / real.shape[1]

    def _generator_loss(self, before: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Hinge loss of the generator, and the feature-matching loss; the discriminator's weights get no gradient."""
        fixed = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        score, fake_features = functional_call(self.discriminator, fixed, torch.cat([before, fake], dim=1))
        with torch.no_grad():
            _, real_features = self.discriminator(torch.cat([before, real], dim=1))
        pairs = zip(fake_features, real_features, strict=True)
        distances = [(one.mean((0, 2)) - other.mean((0, 2))).abs().mean() for one, other in pairs]
        return -score.mean(), torch.stack(distances).mean()

    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.backbone(frames, state)

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        context, _ = state
        noise = sampling.normal(len(context), self.options.noise, device=context.device)
        return self.generate(context, math.sqrt(sampling.temperature) * noise)


def energy_score(one: Tensor, other: Tensor, real: Tensor) -> Tensor:
    """Energy score of two samples against the real frames, all ``[..., features]``.

    The samples' mean distance to the real frames, less half of their distance to each other. A proper scoring rule
    (Gneiting & Raftery 2007, section 4.2): its expectation is least if the samples are distributed as the real frames.
    """
    error = 0.5 * ((one - real).norm(dim=-1) + (other - real).norm(dim=-1)).mean()
    return (error - 0.5 * (one - other).norm(dim=-1).mean()) / math.sqrt(real.shape[-1])
