"""What every token scheme is: Tune <-> a sequence of integers, each of which a Head can draw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any, ClassVar, Self

import numpy as np

from audiogen.errors import InputError
from audiogen.tunes.tune import Tune, last_per_tick, tidy_pedals


class Decoder(ABC):
    """Tokens -> Tune, one at a time, whatever the tokens are; says at any moment how far the music has come.

    Attributes:
        tick: now, in steps of the scheme's grid; never falls.
        bar: index of the bar that now lies in; -1 before the first.
        bar_start: where that bar begins, in steps.
        seconds: now.
        ended: whether the end token has come; all later tokens are ignored.
    """

    def __init__(self) -> None:
        self.tick, self.bar, self.bar_start, self.seconds, self.ended = 0, -1, 0, 0.0, False

    @abstractmethod
    def push(self, token: int) -> None:
        """Take one token in 0..size - 1."""

    @abstractmethod
    def allowed(self) -> np.ndarray:
        """Which tokens `Tokenizer.encode` could put next, ``[size]`` bool; at least one of them. Drawing only
        these wastes nothing, and time never stands still for long."""

    def constrain_to_prompt(self) -> None:
        """From here on, a part that has sounded one note at a time so far is allowed to go on so only; where there has
        been no rest of all parts, there is none after the next note; a tempo or meter that has not changed stays."""
        return

    @abstractmethod
    def tune(self) -> Tune:
        """All notes that are complete by now, on the scheme's grid."""


class Tokenizer(ABC):
    """A token scheme with its options. Nothing is fitted: the vocabulary follows from the options alone."""

    Options: ClassVar[type]
    kind: ClassVar[str]
    vocabulary: tuple[str, ...]
    """Names of the tokens: a kind ("pitch") or kind and value ("pitch 60"). 0 is "start", 1 is "end"."""
    resolution: int
    """Grid steps a quarter note: the ``ticks_per_quarter`` of decoded tunes."""
    options: Any

    @abstractmethod
    def __init__(self, options: Any) -> None: ...

    @property
    def size(self) -> int:
        """Number of different tokens."""
        return len(self.vocabulary)

    @abstractmethod
    def quantised(self, tune: Tune) -> Tune:
        """What the tokens hold of a tune: ``decode(encode(tune))``, computed without tokens."""

    @abstractmethod
    def encode(self, tune: Tune, ended: bool = True) -> np.ndarray:
        """Tokens ``[time]`` int64, from "start" on.

        Args:
            ended: close with "end"; if not, the tokens lead up to `join` and wait there for what comes next.
        """

    @abstractmethod
    def decoder(self, prompt: Tune | None = None) -> Decoder:
        """A fresh decoder. What the tokens do not say (a tempo, a program) it takes from the ``prompt``."""

    def decode(self, tokens: Iterable[int], prompt: Tune | None = None) -> Tune:
        """The tune that a sequence of tokens stands for. Any sequence stands for one; it may be without
        notes.
        """
        decoder = self.decoder(prompt)
        for token in tokens:
            decoder.push(int(token))
        return decoder.tune()

    @abstractmethod
    def pitched(self, tokens: np.ndarray) -> np.ndarray:
        """Which of the tokens ``[time]`` of a tune, from its start on, are pitches that a transposition moves by as
        much, ``[time]`` bool."""

    def at_tempo(self, tokens: np.ndarray, factor: float) -> np.ndarray:
        """The tokens of the same notes ``factor`` times as fast; a scheme without tempos knows no difference."""
        return tokens

    def join(self, prompt: Tune) -> int:
        """Grid step at which a continuation begins: the first one not before the prompt's end."""
        return -(-prompt.end * self.resolution // prompt.ticks_per_quarter)

    def tail(self, decoded: Tune, prompt: Tune) -> Tune:
        """What a decoded tune says after the prompt's end: for `extend_midi`.

        Args:
            decoded: of ``encode(prompt, ended=False)`` and the tokens drawn after it.

        Returns:
            Notes and pedals from `join` on, and the prompt's clock with the changes from there on; on the
            prompt's resolution, for the prompt's parts.
        """
        join = self.join(prompt)
        later = decoded.between(join, max(decoded.end, join) + 1)
        parts = prompt.parts + decoded.parts[len(prompt.parts) :]
        tail = replace(later, parts=parts).rescaled(prompt.ticks_per_quarter)
        start = prompt.end
        return replace(
            tail,
            tempos=_after(prompt.tempos, tail.tempos, start),
            meters=_after(prompt.meters, tail.meters, start),
            pedals=tidy_pedals(tail.pedals),
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for JSON or YAML; `tokenizer_of` reads them back."""
        return {"kind": self.kind, "options": asdict(self.options), "vocabulary": list(self.vocabulary)}

    @classmethod
    def check(cls, described: dict[str, Any]) -> Self:
        """The scheme that `describe` described.

        Raises:
            InputError: its vocabulary is not the one that this version makes of those options.
        """
        tokenizer = cls(cls.Options(**described["options"]))
        if list(tokenizer.vocabulary) != list(described["vocabulary"]):
            raise InputError("vocabulary", f"it is not that of the scheme {cls.kind}", "train the run again")
        return tokenizer


def _after(before: np.ndarray, changes: np.ndarray, start: int) -> np.ndarray:
    """The value that holds at ``start``, set at tick 0, then the changes from there on."""
    held = before[before[:, 0] <= start][-1:].copy()
    held[:, 0] = 0
    return last_per_tick(np.concatenate([held, changes[changes[:, 0] >= max(start, 1)]]))
