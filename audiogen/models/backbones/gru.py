"""Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078)."""

from torch import nn

from audiogen.models.backbones.recurrent import Recurrent


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078)."""

    cell = nn.GRU
