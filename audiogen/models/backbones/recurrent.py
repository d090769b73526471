"""What the recurrent backbones share: stacked layers with dropout between them, in torch's fused kernels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from audiogen.models.backbones.base import Backbone
from audiogen.models.base import State


@dataclass(frozen=True)
class RecurrentOptions:
    """Args:
    hidden: units of each layer.
    layers: number of stacked layers.
    dropout: share of units dropped between layers, and after the last one, in training.
    """

    hidden: int = 256
    layers: int = 2
    dropout: float = 0.1


class Recurrent(Backbone):
    """Stacked recurrent layers; the state is that of the torch module named by ``cell``."""

    Options = RecurrentOptions
    cell: type[nn.RNNBase]

    def __init__(self, features: int, options: RecurrentOptions) -> None:
        super().__init__(features, options)
        between = options.dropout if options.layers > 1 else 0.0
        self.layers = self.cell(features, options.hidden, options.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(options.dropout)
        self.width = options.hidden

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        hidden, state = self.layers(frames, state)
        return self.dropout(hidden), state
