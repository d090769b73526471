"""ConvNeXt over mel frames (Liu et al. 2022, arXiv 2201.03545), the backbone of Vocos and of the ``neural`` vocoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.option_types import Layers, Width


@dataclass(frozen=True)
class ConvNeXtSize:
    """Size of the ConvNeXt, under the names of the published configuration.

    Args:
        dim: channels.
        intermediate_dim: channels inside each block.
        num_layers: number of blocks.
    """

    dim: Width = 512
    intermediate_dim: Width = 1536
    num_layers: Layers = 8


class ConvNeXtBlock(nn.Module):
    """Residual block: depthwise convolution over 7 frames, then a pointwise network (Liu et al. 2022)."""

    def __init__(self, size: ConvNeXtSize) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(size.dim, size.dim, 7, padding=3, groups=size.dim)
        self.norm = nn.LayerNorm(size.dim, eps=1e-6)
        self.pwconv1 = nn.Linear(size.dim, size.intermediate_dim)
        self.pwconv2 = nn.Linear(size.intermediate_dim, size.dim)
        self.gamma = nn.Parameter(torch.full((size.dim,), 1.0 / size.num_layers))

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, dim, time]`` to the same shape."""
        y = self.norm(self.dwconv(x).mT)
        y = self.gamma * self.pwconv2(nn.functional.gelu(self.pwconv1(y)))
        return x + y.mT


class ConvNeXt(nn.Module):
    """ConvNeXt backbone from frames ``[batch, time, n_mels]`` to features ``[batch, time, dim]``."""

    def __init__(self, n_mels: int, size: ConvNeXtSize) -> None:
        super().__init__()
        self.embed = nn.Conv1d(n_mels, size.dim, 7, padding=3)
        self.norm = nn.LayerNorm(size.dim, eps=1e-6)
        self.convnext = nn.ModuleList(ConvNeXtBlock(size) for _ in range(size.num_layers))
        self.final_layer_norm = nn.LayerNorm(size.dim, eps=1e-6)

    def forward(self, frames: Tensor) -> Tensor:
        x = self.norm(self.embed(frames.mT).mT).mT
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x.mT)
