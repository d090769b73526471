"""Options of planning: which search, for which rewards, and for how long.

Imports no torch, so that the command line can read the defaults for its ``--help``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from audiogen.errors import InputError, require_number

if TYPE_CHECKING:
    from audiogen.tunes.planning import Budget

MAX_SIMULATIONS = 1_000_000
DEFAULT_SIMULATIONS = 200
DEFAULT_REWARDS = ("key", "ending", "range", "leaps", "rhythm", "repetition")


@dataclass(frozen=True)
class PlanRequest:
    """Options of a search for the tail of a MIDI prompt.

    Args:
        planner: "mcts", "beam", "smc", "best-of", or one that another package adds.
        rewards: weights by name, as of `audiogen.tunes.rewards.build_reward`.
        simulations: work of the search, in tails, 1 to 1,000,000; with it a search is reproducible.
        think: time of the search in seconds of the clock, instead.

    Raises:
        InputError: a value is out of range, or both limits are given.
    """

    planner: str = "mcts"
    rewards: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(DEFAULT_REWARDS, 1.0))
    simulations: int | None = None
    think: float | None = None

    def __post_init__(self) -> None:
        if self.simulations is not None and self.think is not None:
            raise InputError("--think", "--simulations limits the search too", "leave out one of the two")
        for name, value, whole in (("--simulations", self.simulations, True), ("--think", self.think, False)):
            if value is not None:
                require_number(name, value, whole)
        if self.simulations is not None and not 1 <= self.simulations <= MAX_SIMULATIONS:
            cause = f"{self.simulations} is out of range"
            raise InputError("--simulations", cause, f"choose from 1 to {MAX_SIMULATIONS}")
        if self.think is not None and not 0 < self.think < float("inf"):
            raise InputError("--think", f"{self.think:g} is out of range", "give a time above 0")

    @property
    def budget(self) -> Budget:
        """The limit of the search; `DEFAULT_SIMULATIONS` if none was given."""
        from audiogen.tunes.planning import Budget

        if self.think is not None:
            return Budget(seconds=self.think)
        return Budget(self.simulations or DEFAULT_SIMULATIONS)
