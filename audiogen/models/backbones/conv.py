"""Causal dilated convolutions with gated units (van den Oord et al. 2016, WaveNet, arXiv 1609.03499)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import linear

from audiogen.config.option_types import FractionBelowOne, Layers, Width
from audiogen.models.backbones.base import Backbone
from audiogen.models.base import State


@dataclass(frozen=True)
class ConvOptions:
    """Options of the dilated convolutions.

    Args:
        channels: width of the residual stream.
        kernel: taps of each convolution.
        dilations: dilation of each layer; the receptive field is ``1 + (kernel - 1) * sum(dilations)`` frames.
        dropout: fraction of units dropped after each layer, in training.
    """

    channels: Width = 160
    kernel: Layers = 2
    dilations: Annotated[tuple[Width, ...], Field(max_length=1024)] = (1, 2, 4, 8, 16, 1, 2, 4, 8, 16)
    dropout: FractionBelowOne = 0.1


class GatedLayer(nn.Module):
    """One residual layer: a dilated causal convolution with tanh and sigmoid gates (WaveNet, eq. 2).

    Attributes:
        past: earlier frames that the convolution reaches back to.
    """

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.past = (kernel - 1) * dilation
        self.gate = nn.Conv1d(channels, 2 * channels, kernel, dilation=dilation)
        self.out = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, stream: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Map one chunk.

        Args:
            stream: ``[batch, channels, time]``.
            past: ``[batch, channels, self.past]``, the frames before.

        Returns:
            ``[batch, channels, time]``, and the ``past`` of the next chunk.
        """
        padded = torch.cat([past, stream], dim=-1)
        if stream.shape[-1] == 1:  # a product: the convolution of a single frame takes ten times as long
            taps = padded[..., :: self.gate.dilation[0]].flatten(1)
            filtered, gated = linear(taps, self.gate.weight.flatten(1), self.gate.bias).chunk(2, dim=1)
            update = linear(self.dropout(filtered.tanh() * gated.sigmoid()), self.out.weight[..., 0], self.out.bias)
            return stream + update[..., None], padded[..., 1:]
        filtered, gated = self.gate(padded).chunk(2, dim=1)
        update = self.out(self.dropout(filtered.tanh() * gated.sigmoid()))
        return stream + update, padded[..., padded.shape[-1] - self.past :]


class Conv(Backbone):
    """A stack of `GatedLayer`; the state holds the last inputs of each layer that later frames still depend on."""

    Options = ConvOptions

    def __init__(self, features: int, options: ConvOptions) -> None:
        super().__init__(features, options)
        self.enter = nn.Conv1d(features, options.channels, 1)
        self.layers = nn.ModuleList(
            GatedLayer(options.channels, options.kernel, dilation, options.dropout) for dilation in options.dilations
        )
        self.norm = nn.LayerNorm(options.channels)
        self.width = options.channels

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        stream = self.enter(frames.transpose(1, 2))
        if state is None:
            state = [stream.new_zeros(len(stream), stream.shape[1], layer.past) for layer in self.layers]
        after = []
        for layer, past in zip(self.layers, state, strict=True):
            stream, past = layer(stream, past)
            after.append(past)
        return self.norm(stream.transpose(1, 2)), after
