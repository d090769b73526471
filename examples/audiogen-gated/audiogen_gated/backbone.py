"""Gated causal convolutions (Dauphin et al. 2017, arXiv 1612.08083)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.option_types import Layers, Width
from audiogen.models.backbones.base import Backbone
from audiogen.models.base import State


@dataclass(frozen=True)
class GatedOptions:
    """Options of `Gated`: keys of ``backbone: {kind: gated, ...}`` in a configuration.

    Args:
        width: channels of each layer.
        layers: number of layers.
        kernel: steps that each layer sees, its own included.
    """

    width: Width = 64
    layers: Layers = 3
    kernel: Width = 4


class Gated(Backbone):
    """Stacked causal convolutions with gated linear units and residual connections.

    Args:
        features: size of an input frame.
        options: see `GatedOptions`.
    """

    Options = GatedOptions

    def __init__(self, features: int, options: GatedOptions) -> None:
        super().__init__(features, options)
        self.width, self.past = options.width, options.kernel - 1
        self.enter = nn.Linear(features, options.width)
        self.layers = nn.ModuleList(
            nn.Conv1d(options.width, 2 * options.width, options.kernel) for _ in range(options.layers)
        )

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """``[batch, time, features]`` -> ``[batch, time, width]``; the state holds each layer's last inputs."""
        hidden = self.enter(frames).transpose(1, 2)
        before = state or [hidden.new_zeros(len(frames), self.width, self.past) for _ in self.layers]
        after = []
        for layer, past in zip(self.layers, before, strict=True):
            inputs = torch.cat([past, hidden], dim=2)
            after.append(inputs[:, :, inputs.shape[2] - self.past :])
            hidden = hidden + nn.functional.glu(layer(inputs), dim=1)
        return hidden.transpose(1, 2), after
