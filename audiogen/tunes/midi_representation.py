"""Representation ``midi``: Tune <-> tokens, by one of the token schemes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor

from audiogen.config.choice import Choice, choice
from audiogen.representation.base import Representation
from audiogen.tunes.tokens import TOKENIZERS


@dataclass(frozen=True)
class MidiOptions:
    """Options of the Representation ``midi``.

    Args:
        scheme: token scheme, one of `TOKENIZERS`.
    """

    scheme: Choice = choice(TOKENIZERS, "events")


class Midi(Representation):
    """Tune <-> tokens ``[time]``. Nothing is fitted.

    Args:
        options: see `MidiOptions`.
    """

    Options = MidiOptions
    tokens: ClassVar[bool] = True

    def __init__(self, options: MidiOptions) -> None:
        self.options = options
        self.tokenizer = TOKENIZERS[options.scheme.kind](options.scheme.options)
        self.vocabulary = self.tokenizer.vocabulary

    @property
    def features(self) -> int:
        """Size of the vocabulary."""
        return self.tokenizer.size

    def tensors(self) -> dict[str, Tensor]:
        return {}

    @classmethod
    def from_tensors(cls, options: MidiOptions, tensors: dict[str, Tensor]) -> Self:
        return cls(options)
