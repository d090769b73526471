"""The table of Backbones: ``backbone: {kind: KEY, ...}`` in a config."""

from audiogen.models.backbones.base import Backbone
from audiogen.models.backbones.conv import Conv
from audiogen.models.backbones.gru import GRU
from audiogen.models.backbones.lstm import LSTM
from audiogen.models.backbones.rnn import RNN
from audiogen.models.backbones.transformer import Transformer

BACKBONES: dict[str, type[Backbone]] = {
    "lstm": LSTM,
    "gru": GRU,
    "rnn": RNN,
    "conv": Conv,
    "transformer": Transformer,
}
