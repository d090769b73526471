"""The base class of rules, and the value of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from audiogen.tunes.rewards.passage import Passage


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

    Rules that compare the tail with its prompt judge a passage without one by itself. A rule gives 0 where it has
    nothing to judge: a form of which no section is complete, voices that never sound together, no range to keep to.
    (`leaps` is a prohibition, and fulfilled by a melody without any.)

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

    def __init__(self, argument: str = "") -> None:
        self.argument = argument

    @property
    def name(self) -> str:
        """As it stands in options, sidecars and logs, such as "range:..B5"."""
        return f"{self.kind}:{self.argument}" if self.argument else self.kind

    @abstractmethod
    def judge(self, passage: Passage) -> float:
        """How well a passage with at least one melodic note fulfils the rule, 0..1, before `Passage.substance`."""

    def value(self, passage: Passage) -> float:
        """The reward of a passage, 0..1; 0 without notes."""
        if not len(passage.notes):
            return 0.0
        return min(max(self.judge(passage), 0.0), 1.0) * passage.substance
