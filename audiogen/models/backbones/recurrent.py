"""What the recurrent backbones share: stacked layers with dropout between them, in torch's fused kernels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from audiogen.config.option_types import Layers, Share, Width
from audiogen.models.backbones.base import Backbone
from audiogen.models.base import State


@dataclass(frozen=True)
class RecurrentOptions:
    """Args:
    hidden: units of each layer.
    layers: number of stacked layers.
    dropout: share of units dropped between layers, and after the last one, in training.
    """

    hidden: Width = 160
    layers: Layers = 2
    dropout: Share = 0.1


class Recurrent(Backbone):
    """Stacked recurrent layers; the state is that of the torch module named by ``cell``, batch first."""

    Options = RecurrentOptions
    cell: type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]

    def __init__(self, features: int, options: RecurrentOptions) -> None:
        super().__init__(features, options)
        between = options.dropout if options.layers > 1 else 0.0
        self.layers = self.cell(features, options.hidden, options.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(options.dropout)
        self.width = options.hidden

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        hidden, state = self.layers(frames, None if state is None else _swapped(state))
        return self.dropout(hidden), _swapped(state)


def _swapped(state: State) -> State:
    """torch keeps ``[layers, batch, hidden]`` even where it is told "batch first"; a State is batch first."""
    if isinstance(state, Tensor):
        return state.transpose(0, 1).contiguous()
    return tuple(_swapped(item) for item in state)
