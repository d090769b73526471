"""Long short-term memory (Hochreiter & Schmidhuber 1997)."""

from torch import nn

from audiogen.models.backbones.recurrent import Recurrent


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997)."""

    cell = nn.LSTM
