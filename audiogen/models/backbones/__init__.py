"""Backbones: causal sequence maps; `BACKBONES` names them for ``backbone: {kind: KEY, ...}`` in a config."""

from audiogen.config.registry import Registry
from audiogen.models.backbones.base import Backbone

BACKBONES: Registry[Backbone] = Registry(
    "audiogen.backbones",
    {
        "lstm": "audiogen.models.backbones.recurrent:LSTM",
        "gru": "audiogen.models.backbones.recurrent:GRU",
        "rnn": "audiogen.models.backbones.recurrent:RNN",
        "conv": "audiogen.models.backbones.conv:Conv",
        "transformer": "audiogen.models.backbones.transformer:Transformer",
    },
)
