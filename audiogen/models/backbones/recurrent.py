"""Recurrent backbones: stacked layers of torch's fused kernels, with dropout."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from audiogen.config.option_types import FractionBelowOne, Layers, Width
from audiogen.models.backbones.base import Backbone
from audiogen.models.base import State


@dataclass(frozen=True)
class RecurrentOptions:
    """Options of the recurrent backbones.

    Args:
        hidden: units of each layer.
        layers: number of stacked layers.
        dropout: fraction of units dropped between layers and after the last one, in training.
    """

    hidden: Width = 160
    layers: Layers = 2
    dropout: FractionBelowOne = 0.1


class Recurrent(Backbone):
    """Stacked recurrent layers; the state is that of the torch module, transposed to batch first.

    Attributes:
        cell: the torch module of the layers.
    """

    Options = RecurrentOptions
    cell: type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]

    def __init__(self, features: int, options: RecurrentOptions) -> None:
        super().__init__(features, options)
        between = options.dropout if options.layers > 1 else 0.0
        self.layers = self.cell(features, options.hidden, options.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(options.dropout)
        self.width = options.hidden

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        hidden, state = self.layers(frames, None if state is None else _transposed(state))
        return self.dropout(hidden), _transposed(state)


def _transposed(state: State) -> State:
    """Swap the first two axes: torch's states are ``[layers, batch, hidden]`` even with ``batch_first=True``."""
    if isinstance(state, Tensor):
        return state.transpose(0, 1).contiguous()
    return tuple(_transposed(item) for item in state)


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997)."""

    cell = nn.LSTM


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078)."""

    cell = nn.GRU


class RNN(Recurrent):
    """Elman network with tanh units (Elman 1990)."""

    cell = nn.RNN
