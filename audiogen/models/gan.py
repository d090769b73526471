"""Recurrent generator trained against a discriminator that hears its free-running continuations.

Goodfellow et al. (2014), arXiv 1406.2661; the hinge loss of Lim & Ye (2017), arXiv 1705.02894, with matching of the
discriminator's features (Salimans et al. 2016, arXiv 1606.03498) and its gradient at real frames kept small (Mescheder
et al. 2018, arXiv 1801.04406). Continuations are judged, not single frames: Lamb et al. (2016), arXiv 1610.09038.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from audiogen.config.choice import Choice, choice
from audiogen.config.option_types import Layers, NonNegativeFloat, Share, Width
from audiogen.models.backbones import BACKBONES
from audiogen.models.base import ContextModel, Sampling, State


@dataclass(frozen=True)
class GANOptions:
    """Args:
    backbone: options of one of `BACKBONES`.
    noise: size of the noise that a frame is made of.
    width: units of generator and discriminator.
    rollout: frames that the generator goes on by itself for, in training.
    matching: weight of matching the means of the discriminator's features.
    penalty: weight of the discriminator's squared gradient at real frames.
    dropout: share of the context's units dropped, in training.
    """

    backbone: Choice = choice(BACKBONES, "lstm")
    noise: Width = 32
    width: Width = 128
    rollout: Layers = 8
    matching: NonNegativeFloat = 5.0
    penalty: NonNegativeFloat = 1.0
    dropout: Share = 0.1


class Discriminator(nn.Module):
    """Convolutions over time: how real each stretch of some frames sounds.

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
        """``[batch, time, features]`` -> verdicts ``[batch, time]``, and each layer's output."""
        hidden, heard = frames.transpose(1, 2), []
        for layer in self.layers:
            hidden = nn.functional.leaky_relu(layer(hidden), 0.2)
            heard.append(hidden)
        return self.verdict(hidden)[:, 0], heard


class GAN(ContextModel):
    """A frame is what a network makes of the context and of noise. Temperature tau multiplies the noise by sqrt(tau).

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

    def made(self, context: Tensor, noise: Tensor) -> Tensor:
        """``[n, width]`` and ``[n, noise]`` -> ``[n, features]``."""
        return self.generator(torch.cat([self.dropout(context), noise], dim=-1))

    def continued(self, prompt: Tensor, steps: int) -> Tensor:
        """``[batch, steps, features]`` after a prompt ``[batch, time, features]``, fed back to itself."""
        context, memory = self.backbone(prompt)
        frames = []
        for _ in range(steps):
            noise = torch.randn(len(prompt), self.options.noise, device=prompt.device)
            frames.append(self.made(context[:, -1], noise))
            context, memory = self.backbone(frames[-1].unsqueeze(1), memory)
        return torch.stack(frames, dim=1)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        """In training the losses of both players, each with the other held still; else the energy score."""
        steps = min(self.options.rollout, frames.shape[1] - 1)
        prompt, real = frames[:, :-steps], frames[:, -steps:]
        made = self.continued(prompt, steps)
        if not self.training:
            score = energy_score(made, self.continued(prompt, steps), real)
            return {"loss": score, "energy": score}
        judged, penalty = self._judge(prompt[:, -steps:], real, made.detach())
        fooled, matched = self._fool(prompt[:, -steps:], real, made)
        options = self.options
        total = judged + options.penalty * penalty + fooled + options.matching * matched
        return {
            "loss": total,
            "discriminator": judged.detach(),
            "generator": fooled.detach(),
            "matching": matched.detach(),
        }

    def _judge(self, before: Tensor, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's loss, and its squared gradient at real frames."""
        genuine = torch.cat([before, real], dim=1).requires_grad_()
        trusted, _ = self.discriminator(genuine)
        doubted, _ = self.discriminator(torch.cat([before, made], dim=1))
        (slope,) = torch.autograd.grad(trusted.sum(), genuine, create_graph=True)
        hinge = nn.functional.relu(1 - trusted).mean() + nn.functional.relu(1 + doubted).mean()
        return hinge, slope.square().sum((1, 2)).mean() / genuine.shape[1]

    def _fool(self, before: Tensor, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """The generator's loss, and the distance of the means of features, by a discriminator that holds still."""
        still = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        verdict, features = functional_call(self.discriminator, still, torch.cat([before, made], dim=1))
        with torch.no_grad():
            _, wanted = self.discriminator(torch.cat([before, real], dim=1))
        pairs = zip(features, wanted, strict=True)
        distances = [(one.mean((0, 2)) - other.mean((0, 2))).abs().mean() for one, other in pairs]
        return -verdict.mean(), torch.stack(distances).mean()

    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.backbone(frames, state)

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        context, _ = state
        noise = sampling.normal(len(context), self.options.noise, device=context.device)
        return self.made(context, math.sqrt(sampling.temperature) * noise)


def energy_score(one: Tensor, other: Tensor, real: Tensor) -> Tensor:
    """How far two draws are from what truly came, less half of how far they are from each other, ``[..., features]``.

    A proper score (Gneiting & Raftery 2007, section 4.2): least where both are drawn as the real frames are.
    """
    away = 0.5 * ((one - real).norm(dim=-1) + (other - real).norm(dim=-1)).mean()
    return (away - 0.5 * (one - other).norm(dim=-1).mean()) / math.sqrt(real.shape[-1])
