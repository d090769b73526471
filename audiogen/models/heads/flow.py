"""Flow matching (Lipman et al. 2023, arXiv 2210.02747; rectified flow, Liu et al. 2023, arXiv 2209.03003).

A small network carries noise to a frame along straight lines, conditioned on the context by adaptive layer
norms (Peebles & Xie 2023, arXiv 2212.09748). As a head on an autoregressive backbone: Li et al. 2024, arXiv
2406.11838.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen.config.option_types import Layers, NonNegativeInt, Share, Width
from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head


@dataclass(frozen=True)
class FlowOptions:
    """Args:
    width: units of the velocity network.
    blocks: its residual blocks.
    draws: noise and time draws for each context in training; the backbone's pass is shared by them.
    steps: Heun steps from noise to frame when sampling; each costs two passes. After 3 the frames are within
        5 % (rms) of those after 60.
    dropout: share of units dropped in each block, in training.
    tails: 0 starts from Gaussian noise; 3 and more from Student's t of so many degrees of freedom, of unit variance,
        which describes sound that is now softer, now louder (Pandey et al. 2024, "Heavy-tailed diffusion models", arXiv
        2410.14171).
    """

    width: Width = 128
    blocks: Layers = 3
    draws: Layers = 2
    steps: Layers = 3
    dropout: Share = 0.0
    tails: NonNegativeInt = 0

    def __post_init__(self) -> None:
        if self.tails in (1, 2):
            raise ValueError(f"tails ({self.tails}) must be 0, or 3 or more: fewer degrees of freedom have no variance")


class AdaptiveBlock(nn.Module):
    """A residual block whose scale, shift and gate come from the condition."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.condition = nn.Linear(width, 3 * width)
        self.inner = nn.Sequential(
            nn.Linear(width, 2 * width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        nn.init.zeros_(self.condition.weight)
        nn.init.zeros_(self.condition.bias)

    def forward(self, hidden: Tensor, modulation: Tensor) -> Tensor:
        """``modulation``: ``self.condition`` of the condition, ``[n, 3 * width]``."""
        scale, shift, gate = modulation.chunk(3, dim=-1)
        return hidden + gate * self.inner(self.norm(hidden) * (1 + scale) + shift)


class Velocity(nn.Module):
    """v(x, t | context): the direction from noise to frame at time t in 0 (noise) .. 1 (frame)."""

    rates: Tensor

    def __init__(self, context: int, features: int, options: FlowOptions) -> None:
        super().__init__()
        self.register_buffer("rates", torch.exp(torch.linspace(0, math.log(200.0), 32)), persistent=False)
        self.enter = nn.Linear(features, options.width)
        self.time = nn.Linear(64, options.width)
        self.context = nn.Linear(context, options.width)
        self.blocks = nn.ModuleList(AdaptiveBlock(options.width, options.dropout) for _ in range(options.blocks))
        self.norm = nn.LayerNorm(options.width)
        self.leave = nn.Linear(options.width, features)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, point: Tensor, modulations: Iterable[Tensor]) -> Tensor:
        """``[n, features]``, with the `modulations` of its time and context."""
        hidden = self.enter(point)
        for block, modulation in zip(self._stack(), modulations, strict=True):
            hidden = block(hidden, modulation)
        return self.leave(self.norm(hidden))

    def modulations(self, times: Tensor, context: Tensor) -> list[tuple[Tensor, ...]]:
        """For each of the times ``[t, 1 or n, 1]`` the blocks' modulations ``[n, 3 * width]``, all at once.

        They do not depend on the point, so they need not be computed again on its way. ``context``: already through
        ``self.context``, ``[n, width]``.
        """
        angles = times * self.rates
        condition = functional.silu(context + self.time(torch.cat([angles.sin(), angles.cos()], dim=-1)))
        return list(zip(*(block.condition(condition).unbind() for block in self._stack()), strict=True))

    def _stack(self) -> list[AdaptiveBlock]:
        return cast(list[AdaptiveBlock], list(self.blocks))


class Flow(Head):
    """Rectified flow. Temperature tau scales the starting noise by sqrt(tau)."""

    Options = FlowOptions

    def __init__(self, context: int, features: int, options: FlowOptions) -> None:
        super().__init__(context, features, options)
        self.features, self.draws, self.steps, self.tails = features, options.draws, options.steps, options.tails
        self.velocity = Velocity(context, features, options)

    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        condition = self.velocity.context(context).repeat(self.draws, 1)
        frame = frame.repeat(self.draws, 1)
        noise = self._tailed(torch.randn(len(frame), self.features + self.tails, device=frame.device))
        # Logit-normal times spend the draws where the velocity is hard to tell (Esser et al. 2024, arXiv
        # 2403.03206).
        time = torch.randn(len(frame), 1, device=frame.device).sigmoid()
        point = time * frame + (1 - time) * noise
        (modulations,) = self.velocity.modulations(time[None], condition)
        error = functional.mse_loss(self.velocity(point, modulations), frame - noise)
        return {"loss": error, "flow": error.detach()}

    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        noise = self._tailed(sampling.normal(len(context), self.features + self.tails, device=context.device))
        point = math.sqrt(sampling.temperature) * noise
        times = torch.linspace(0, 1, self.steps + 1, device=context.device).view(-1, 1, 1)
        modulations = self.velocity.modulations(times, self.velocity.context(context))
        step = 1 / self.steps
        for now, then in pairwise(modulations):
            slope = self.velocity(point, now)
            slope_there = self.velocity(point + step * slope, then)
            point = point + 0.5 * step * (slope + slope_there)
        return point

    def _tailed(self, normal: Tensor) -> Tensor:
        """Noise ``[n, features]`` from normal draws ``[n, features + tails]``."""
        noise, others = normal.split([self.features, self.tails], dim=-1)
        return noise * ((self.tails - 2) / others.square().sum(-1, keepdim=True)).sqrt() if self.tails else noise

    def log_noise(self, point: Tensor) -> Tensor:
        """``[n]`` nats of noise ``[n, features]``."""
        power, size, tails = point.square().sum(-1), self.features, self.tails
        if not tails:
            return -0.5 * (power + size * math.log(2 * math.pi))
        height = math.lgamma((tails + size) / 2) - math.lgamma(tails / 2) - size / 2 * math.log((tails - 2) * math.pi)
        return height - (tails + size) / 2 * torch.log1p(power / (tails - 2))
