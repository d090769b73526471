"""The table of Models: ``model: {kind: KEY, ...}`` in a config."""

from audiogen.models.base import Model, Sampling, State
from audiogen.models.sequence import Sequence
from audiogen.models.tokens import Tokens

MODELS: dict[str, type[Model]] = {
    "sequence": Sequence,
    "tokens": Tokens,
}

__all__ = ["MODELS", "Model", "Sampling", "State"]
