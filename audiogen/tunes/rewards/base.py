"""The interface of rewards, and the base class of those that ship."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, runtime_checkable

from audiogen.tunes.rewards.passage import Passage, bar_line_after
from audiogen.tunes.tune import Tune


@runtime_checkable
class Reward(Protocol):
    """A number in 0..1 that says how well a tune does what it should.

    The tune is a tail, as `audiogen.tunes.tokens.tokenizer.Tokenizer.tail` returns it. Rules that compare it with its
    prompt are bound to one by `given`; without, they judge the tune by itself.

    Attributes:
        name: as it stands in options, sidecars and logs, such as "range:..B5".
    """

    name: str

    def __call__(self, tune: Tune) -> float: ...


@dataclass(frozen=True)
class RewardValue:
    """One term of a weighted mean.

    Args:
        name: of the reward.
        value: 0..1.
        weight: positive.
    """

    name: str
    value: float
    weight: float


class Rule(ABC):
    """A reward that judges a `Passage`; subclasses implement `judge`.

    Args:
        argument: text after the colon of its name; "" for none.

    Attributes:
        kind: key in `REWARDS`.
        at_end: whether it only holds of finished tails; while a tail is searched for, it is left out.

    Raises:
        InputError: the argument cannot be read.
    """

    kind: ClassVar[str]
    at_end: ClassVar[bool] = False
    prompt: Tune | None = None
    stop: int | None = None

    def __init__(self, argument: str = "") -> None:
        self.argument = argument

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind

    @abstractmethod
    def judge(self, passage: Passage) -> float:
        """How well a passage with at least one melodic note fulfils the rule, 0..1, before `Passage.substance`."""

    def given(self, prompt: Tune | None, bars: int | None = None) -> Self:
        """The rule for tails of a prompt.

        Args:
            prompt: the tune that is continued, at the resolution of the tails; None for whole tunes.
            bars: length of the tails in bars; None for the end of their last note.
        """
        bound = copy.copy(self)
        bound.prompt = prompt
        bound.stop = None if prompt is None or bars is None else bar_line_after(prompt, bars)
        return bound

    def value(self, passage: Passage) -> float:
        """The reward of a passage, 0..1; 0 without notes."""
        if not len(passage.notes):
            return 0.0
        return min(max(self.judge(passage), 0.0), 1.0) * passage.substance

    def __call__(self, tune: Tune) -> float:
        return self.value(Passage(tune, self.prompt, self.stop))
