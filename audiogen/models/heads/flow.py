"""Flow-matching head (Lipman et al. 2023, arXiv 2210.02747), as a rectified flow (Liu et al. 2023, arXiv 2209.03003).

A small network predicts the velocity from noise to frame, conditioned on the context by adaptive layer norm (Peebles &
Xie 2023, arXiv 2212.09748). As a head on an autoregressive backbone: Li et al. 2024, arXiv 2406.11838.
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

from audiogen.config.option_types import FractionBelowOne, Layers, NonNegativeInt, Width
from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head


@dataclass(frozen=True)
class FlowOptions:
    """Options of the flow-matching head.

    Args:
        width: units of the velocity network.
        blocks: residual blocks of the velocity network.
        draws: noise and time samples per context in training; they share one pass of the backbone.
        steps: Heun steps from noise to frame when sampling, two network passes each. After 3 steps the frames are
            within 5 % (rms) of those after 60.
        dropout: fraction of units dropped in each block, in training.
        noise_dof: degrees of freedom of the starting noise: 0 for Gaussian noise, 3 or more for Student's t of unit
            variance, which describes sound of changing variance (Pandey et al. 2024, "Heavy-tailed diffusion models",
            arXiv 2410.14171).
    """

    width: Width = 128
    blocks: Layers = 3
    draws: Layers = 2
    steps: Layers = 3
    dropout: FractionBelowOne = 0.0
    noise_dof: NonNegativeInt = 0

    def __post_init__(self) -> None:
        if self.noise_dof in (1, 2):
            raise ValueError(f"noise_dof ({self.noise_dof}) must be 0, or 3 or more: below, the variance is not finite")


STEPS = 16  # Heun steps from frame to noise of the likelihood


class AdaptiveBlock(nn.Module):
    """Residual block with adaptive layer norm: scale, shift and gate are linear in the condition (adaLN-Zero)."""

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
        """Apply the block.

        Args:
            hidden: ``[n, width]``.
            modulation: ``[n, 3 * width]``, ``self.condition`` applied to the condition.
        """
        scale, shift, gate = modulation.chunk(3, dim=-1)
        return hidden + gate * self.inner(self.norm(hidden) * (1 + scale) + shift)


class Velocity(nn.Module):
    """Velocity v(x, t | context) of the flow, from noise at t = 0 to the frame at t = 1."""

    rates: Tensor

    def __init__(self, context: int, features: int, options: FlowOptions) -> None:
        super().__init__()
        # On the CPU also where a Run is only laid out: on the meta device, linspace imports the compiler of torch: 3 s.
        self.register_buffer("rates", torch.exp(torch.linspace(0, math.log(200.0), 32, device="cpu")), persistent=False)
        self.enter = nn.Linear(features, options.width)
        self.time = nn.Linear(64, options.width)
        self.context = nn.Linear(context, options.width)
        self.blocks = nn.ModuleList(AdaptiveBlock(options.width, options.dropout) for _ in range(options.blocks))
        self.norm = nn.LayerNorm(options.width)
        self.leave = nn.Linear(options.width, features)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, point: Tensor, modulations: Iterable[Tensor]) -> Tensor:
        """Velocity at points ``[n, features]``, given the `modulations` of their time and context."""
        hidden = self.enter(point)
        for block, modulation in zip(self._stack(), modulations, strict=True):
            hidden = block(hidden, modulation)
        return self.leave(self.norm(hidden))

    def modulations(self, times: Tensor, context: Tensor) -> list[tuple[Tensor, ...]]:
        """The blocks' modulations at several times, computed at once since they do not depend on the point.

        Args:
            times: ``[t, 1 or n, 1]``.
            context: ``[n, width]``, ``self.context`` applied to the contexts.

        Returns:
            For each time, ``[n, 3 * width]`` per block.
        """
        angles = times * self.rates
        condition = functional.silu(context + self.time(torch.cat([angles.sin(), angles.cos()], dim=-1)))
        return list(zip(*(block.condition(condition).unbind() for block in self._stack()), strict=True))

    def _stack(self) -> list[AdaptiveBlock]:
        return cast(list[AdaptiveBlock], list(self.blocks))


class Flow(Head):
    """Rectified flow. Temperature tau multiplies the starting noise by sqrt(tau)."""

    Options = FlowOptions

    def __init__(self, context: int, features: int, options: FlowOptions) -> None:
        super().__init__(context, features, options)
        self.features, self.dof = features, options.noise_dof
        self.draws, self.steps = options.draws, options.steps
        self.velocity = Velocity(context, features, options)

    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        condition = self.velocity.context(context).repeat(self.draws, 1)
        frame = frame.repeat(self.draws, 1)
        noise = self._student_t_noise(torch.randn(len(frame), self.features + self.dof, device=frame.device))
        # Logit-normal times: more samples where the velocity is hard to predict (Esser et al. 2024, arXiv 2403.03206).
        time = torch.randn(len(frame), 1, device=frame.device).sigmoid()
        point = time * frame + (1 - time) * noise
        (modulations,) = self.velocity.modulations(time[None], condition)
        error = functional.mse_loss(self.velocity(point, modulations), frame - noise)
        return {"loss": error, "flow": error.detach()}

    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        noise = self._student_t_noise(sampling.normal(len(context), self.features + self.dof, device=context.device))
        point = math.sqrt(sampling.temperature) * noise
        times = torch.linspace(0, 1, self.steps + 1, device=context.device).view(-1, 1, 1)
        modulations = self.velocity.modulations(times, self.velocity.context(context))
        step = 1 / self.steps
        for now, then in pairwise(modulations):
            slope = self.velocity(point, now)
            slope_there = self.velocity(point + step * slope, then)
            point = point + 0.5 * step * (slope + slope_there)
        return point

    @torch.no_grad()
    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor:
        """Log density of each frame in nats, ``[n]``, by the instantaneous change of variables; it has no gradient.

        Chen et al. (2018), "Neural ordinary differential equations", arXiv 1806.07366, equation 8: the log density of
        the noise that the frame is mapped to, minus the integral of the velocity's divergence, which is exact (its
        trace is summed over all features).
        """
        times = torch.linspace(1, 0, STEPS + 1, device=frame.device).view(-1, 1, 1)
        modulations = self.velocity.modulations(times, self.velocity.context(context))
        point, total, step = frame, frame.new_zeros(len(frame)), 1 / STEPS
        for now, then in pairwise(modulations):
            slope, spread = self._slope_and_divergence(point, now)
            slope_there, spread_there = self._slope_and_divergence(point - step * slope, then)
            point = point - 0.5 * step * (slope + slope_there)
            total = total + 0.5 * step * (spread + spread_there)
        return self._noise_log_density(point) - total

    def _slope_and_divergence(self, point: Tensor, modulations: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Velocity ``[n, features]`` and its divergence ``[n]`` at points ``[n, features]``."""
        with torch.enable_grad():
            point = point.detach().requires_grad_()
            slope = self.velocity(point, [each.detach() for each in modulations])
            parts = [
                torch.autograd.grad(slope[:, k].sum(), point, retain_graph=True)[0][:, k] for k in range(point.shape[1])
            ]
        return slope.detach(), torch.stack(parts).sum(0)

    def _noise_log_density(self, point: Tensor) -> Tensor:
        """Log density of starting noise ``[n, features]`` in nats, ``[n]``."""
        power, size, dof = point.square().sum(-1), self.features, self.dof
        if not dof:
            return -0.5 * (power + size * math.log(2 * math.pi))
        constant = math.lgamma((dof + size) / 2) - math.lgamma(dof / 2) - size / 2 * math.log((dof - 2) * math.pi)
        return constant - (dof + size) / 2 * torch.log1p(power / (dof - 2))

    def _student_t_noise(self, normal: Tensor) -> Tensor:
        """Starting noise ``[n, features]`` from standard normal ``[n, features + dof]``."""
        noise, chi = normal.split([self.features, self.dof], dim=-1)
        return noise * ((self.dof - 2) / chi.square().sum(-1, keepdim=True)).sqrt() if self.dof else noise
