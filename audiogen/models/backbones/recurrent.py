"""Recurrent backbones: stacked layers of torch's fused kernels, with dropout.

A single step of an LSTM is computed here instead: torch's kernel converts all weights at each call, which takes several
times as long as the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.option_types import FractionBelowOne, Layers, Width
from audiogen.models.backbones.base import Backbone
from audiogen.models.backbones.packed_weights import PackedWeights
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

    def __init__(self, features: int, options: RecurrentOptions) -> None:
        super().__init__(features, options)
        self._packed = PackedWeights[list[tuple[Tensor, Tensor]]]()

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        single = frames.shape[1] == 1 and frames.device.type == "cpu"
        if state is None or self.training or torch.is_grad_enabled() or not single:
            return super().forward(frames, state)
        return self._step(frames[:, 0], *state)

    def _step(self, hidden: Tensor, outputs: Tensor, cells: Tensor) -> tuple[Tensor, State]:
        """One frame ``[batch, features]`` after a state of ``[batch, layers, hidden]`` outputs and cells.

        Each layer is one product of its input and its last output with all of its weights, which are read once: at a
        batch of 1, reading them is what a step takes.
        """
        after: tuple[list[Tensor], list[Tensor]] = [], []
        for layer, (weights, biases) in enumerate(self._packed.get(self.layers, self._pack)):
            gates = torch.addmm(biases, torch.cat([hidden, outputs[:, layer]], dim=1), weights)
            enter, keep, candidate, leave = gates.chunk(4, dim=1)
            cell = torch.addcmul(keep.sigmoid() * cells[:, layer], enter.sigmoid(), candidate.tanh())
            hidden = leave.sigmoid() * cell.tanh()
            after[0].append(hidden)
            after[1].append(cell)
        return hidden[:, None], (torch.stack(after[0], 1), torch.stack(after[1], 1))

    def _pack(self) -> list[tuple[Tensor, Tensor]]:
        """For each layer ``[inputs + hidden, 4 * hidden]`` weights and ``[4 * hidden]`` biases."""
        return [
            (torch.cat([ins, outs], dim=1).T.contiguous(), first + second)
            for ins, outs, first, second in self.layers.all_weights
        ]


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078)."""

    cell = nn.GRU


class RNN(Recurrent):
    """Elman network with tanh units (Elman 1990)."""

    cell = nn.RNN
