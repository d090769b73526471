"""Base classes of token schemes: `Tokenizer` (Tune <-> tokens) and its incremental `Decoder`."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from audiogen.tunes.tune import Tune, last_per_tick, tidy_pedals


class Decoder(ABC):
    """Tokens -> Tune, one token at a time; any sequence of tokens can be decoded.

    Attributes:
        tick: current position, in steps of the scheme's grid; never decreases.
        bar: index of the current bar; -1 before the first.
        bar_start: step at which that bar begins.
        seconds: current time.
        ended: whether the end token has been read; later tokens are ignored.
    """

    def __init__(self) -> None:
        self.tick, self.bar, self.bar_start, self.seconds, self.ended = 0, -1, 0, 0.0, False

    @abstractmethod
    def push(self, token: int) -> None:
        """Read one token in 0..size - 1."""

    @abstractmethod
    def allowed(self) -> np.ndarray:
        """Mask of the tokens that `Tokenizer.encode` could write next, ``[size]`` bool; at least one is set.

        Sampling only these avoids tokens without effect, and time advances after a bounded number of them.
        """

    def branch(self) -> Self:
        """A copy that can read on independently."""
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list | dict):
                setattr(other, name, value.copy())
        return other

    def constrain_to_prompt(self) -> None:
        """Restrict `allowed` to the texture of the tokens read so far.

        Parts without overlapping notes stay monophonic; where all parts never rested together, they do not after
        the next note; a tempo or meter that has not changed stays.
        """
        return

    @abstractmethod
    def tune(self) -> Tune:
        """All notes that are complete, on the scheme's grid."""


class Tokenizer(ABC):
    """A token scheme with its options. Nothing is fitted: the vocabulary depends on the options only."""

    Options: ClassVar[type]
    kind: ClassVar[str]
    vocabulary: tuple[str, ...]
    """Names of the tokens: a kind ("bar"), or kind and value ("pitch 60"). 0 is "start", 1 is "end"."""
    resolution: int
    """Grid steps per quarter note: the ``ticks_per_quarter`` of decoded tunes."""
    options: Any

    @abstractmethod
    def __init__(self, options: Any) -> None: ...

    @property
    def size(self) -> int:
        """Size of the vocabulary."""
        return len(self.vocabulary)

    @abstractmethod
    def quantised(self, tune: Tune) -> Tune:
        """The tune as tokens represent it: equal to ``decode(encode(tune))``."""

    @abstractmethod
    def encode(self, tune: Tune, ended: bool = True) -> np.ndarray:
        """Tokens of a tune, ``[time]`` int64, from "start" on.

        Args:
            tune: to encode.
            ended: close with "end"; if not, the tokens lead up to the step `join`, to be continued there.
        """

    @abstractmethod
    def decoder(self, prompt: Tune | None = None) -> Decoder:
        """A new decoder. What the tokens do not represent (tempo, program) is taken from the ``prompt``."""

    def decode(self, tokens: Iterable[int], prompt: Tune | None = None) -> Tune:
        """The tune that a sequence of tokens represents; it may have no notes."""
        decoder = self.decoder(prompt)
        for token in tokens:
            decoder.push(int(token))
        return decoder.tune()

    @abstractmethod
    def pitched(self, tokens: np.ndarray) -> np.ndarray:
        """Which tokens ``[time]`` of a tune, from its start on, a transposition moves by its semitones, bool."""

    def at_tempo(self, tokens: np.ndarray, factor: float) -> np.ndarray:
        """The tokens of the same notes ``factor`` times as fast; unchanged in schemes without tempos."""
        return tokens

    def join(self, prompt: Tune) -> int:
        """Step at which a continuation begins: the first one not before the prompt's end."""
        return -(-prompt.end * self.resolution // prompt.ticks_per_quarter)

    def tail(self, decoded: Tune, prompt: Tune) -> Tune:
        """The part of a decoded tune after its prompt, at the prompt's resolution.

        Args:
            decoded: from ``encode(prompt, ended=False)`` and the tokens sampled after it.
            prompt: the tune that was continued.

        Returns:
            Notes and pedals from `join` on, with the prompt's parts first; tempos and meters at the join (set at
            tick 0) and their changes after it.
        """
        join = self.join(prompt)
        later = decoded.between(join, max(decoded.end, join) + 1)
        parts = prompt.parts + decoded.parts[len(prompt.parts) :]
        tail = replace(later, parts=parts)
        if tail.ticks_per_quarter != prompt.ticks_per_quarter:  # a search makes thousands of tails
            tail = tail.rescaled(prompt.ticks_per_quarter)
        start = prompt.end
        return replace(
            tail,
            tempos=_after(prompt.tempos, tail.tempos, start),
            meters=_after(prompt.meters, tail.meters, start),
            pedals=tidy_pedals(tail.pedals),
        )


def _after(before: np.ndarray, changes: np.ndarray, start: int) -> np.ndarray:
    """The change in effect at ``start``, moved to tick 0, and the changes from there on."""
    current = before[before[:, 0] <= start][-1:].copy()
    current[:, 0] = 0
    return last_per_tick(np.concatenate([current, changes[changes[:, 0] >= max(start, 1)]]))
