"""Elman network with tanh units (Elman 1990)."""

from torch import nn

from audiogen.models.backbones.recurrent import Recurrent


class RNN(Recurrent):
    """Elman network with tanh units (Elman 1990)."""

    cell = nn.RNN
