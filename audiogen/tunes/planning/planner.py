"""The interface of planners: a search for a tail of high reward within a budget."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from audiogen.errors import InputError
from audiogen.tunes.planning.branches import Branch, TailSampler
from audiogen.tunes.rewards import WeightedReward
from audiogen.tunes.tune import Tune

PERFECT = 1 - 1e-9
"""A reward that cannot be improved: the search ends."""
UNPLANNED = 4  # tails that a search samples first, without a plan
BATCH_TAILS = 14
"""A batch takes as long as this number of tails longer than its tails: of the LSTM, a step of 8, 16, 32 and 64 tails
takes 2.2, 3.4, 4.9 and 7.8 ms."""
LEAST_WORK = 0.01
"""Of a tail: what sampling on counts at least, however little of the tail is left. So every search ends."""


@dataclass(frozen=True)
class Budget:
    """How long a search may last. Within a number of simulations it is reproducible, within a time it is not.

    Args:
        simulations: work of the search, in tails: each sampled bar counts for its part of one.
        seconds: time limit, instead; a batch that would exceed it becomes smaller.
        clock: that time, in seconds.

    Raises:
        InputError: not exactly one of the two, or not positive.
    """

    simulations: int | None = None
    seconds: float | None = None
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        if (self.simulations is None) == (self.seconds is None):
            raise InputError("--simulations", "a search is limited by it or by --think", "give one of the two")
        limit = self.seconds if self.simulations is None else self.simulations
        if not (limit or 0) > 0:
            raise InputError("--simulations" if self.seconds is None else "--think", "it must be positive")


@dataclass(frozen=True)
class Plan:
    """The best tail of a search.

    Args:
        tail: relative to the sampler's prompt.
        reward: of the tail, 0..1.
        unplanned: mean reward of the tails that were sampled before the search had learned anything: what sampling
            without a plan gives on average.
        simulations: number of tails that were completed and judged.
        work: of sampling them, in whole tails, as of `Budget`: less than their number where they share beginnings.
        tokens: number of tokens that were sampled.
        seconds: time spent, by the budget's clock.
        progress: pairs of simulations and best reward so far, wherever it improved.
    """

    tail: Tune
    reward: float
    unplanned: float
    simulations: int
    work: float
    tokens: int
    seconds: float
    progress: tuple[tuple[int, float], ...]


@dataclass
class Search:
    """What a planner works with: it samples, judges, and keeps the best.

    Args:
        sampler: of tails.
        reward: bound to the sampler's prompt.
        budget: of the search.
        report: called with the fraction of the budget that is spent.
    """

    sampler: TailSampler
    reward: WeightedReward
    budget: Budget
    report: Callable[[float], object] = lambda spent: None
    best: Tune | None = field(default=None, init=False)
    best_reward: float = field(default=-1.0, init=False)
    simulations: int = field(default=0, init=False)
    work: float = field(default=0.0, init=False)
    effort: float = field(default=0.0, init=False)
    unplanned: float | None = field(default=None, init=False)
    progress: list[tuple[int, float]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.began = self.budget.clock()

    @property
    def seconds(self) -> float:
        """Time spent so far."""
        return self.budget.clock() - self.began

    @property
    def spent(self) -> float:
        """Fraction of the budget that is spent; 1 also when nothing can be gained any more."""
        if self.best_reward >= PERFECT:
            return 1.0
        if self.budget.simulations is not None:
            return self.work / self.budget.simulations
        return self.seconds / (self.budget.seconds or 1.0)

    def affordable(self, wanted: int, fraction: float = 1.0) -> int:
        """Number of tails, at most ``wanted``, that can still be sampled; 0 at the end of the budget.

        Of a search that has sampled nothing, it is what was wanted.

        Args:
            wanted: number of tails.
            fraction: of each, that is to be sampled.
        """
        fraction = max(fraction, LEAST_WORK)
        if self.best_reward >= PERFECT:
            return 0
        if self.budget.simulations is not None:
            return min(wanted, max(math.ceil((self.budget.simulations - self.work) / fraction - 1e-9), 0))
        if not self.work:  # how long one takes is not known yet, and one has to be sampled
            return wanted
        left, speed = (self.budget.seconds or 0.0) - self.seconds, self.effort / max(self.seconds, 1e-9)
        return min(wanted, max(int(left * speed / fraction) - BATCH_TAILS, 0))

    def extend(self, branches: Sequence[Branch], bars: int | None = 1) -> list[Branch]:
        """Sample on from some branches, in one batch.

        Args:
            branches: to sample on from; complete ones stay what they are.
            bars: number of bar lines to reach; None to go on to the end.
        """
        ends = [path[-1] for path in self.sampler.extend(branches, bars, keep=False)]
        added = [
            0.0 if branch.is_complete else max(end.fraction - branch.fraction, LEAST_WORK)
            for branch, end in zip(branches, ends, strict=True)
        ]
        self.work += sum(added)
        self.effort += sum(added) + BATCH_TAILS * max(added, default=0.0)
        return ends

    def fitting(self, branches: Sequence[Branch]) -> int:
        """How many of some incomplete branches can be sampled to their end in the time; at least one.

        How long a batch takes is only known once it has begun; then it is made smaller, if it must be.
        """
        if self.budget.simulations is not None:
            return len(branches)
        return max(self.affordable(len(branches), 1 - min(branch.fraction for branch in branches)), 1)

    def judge(self, complete: Sequence[Branch]) -> list[float]:
        """The rewards of complete tails; the best one so far is kept. The first call sets `unplanned`."""
        rewards = []
        for branch in complete:
            tail = self.sampler.tail(branch)
            rewards.append(self.reward(tail))
            self.simulations += 1
            if rewards[-1] > self.best_reward:
                self.best, self.best_reward = tail, rewards[-1]
                self.progress.append((self.simulations, rewards[-1]))
        if self.unplanned is None:
            self.unplanned = sum(rewards) / len(rewards)
        self.report(self.spent)
        return rewards

    def partial(self, branch: Branch) -> float:
        """The reward of an incomplete tail, by the rules that do not need its end."""
        resolution, prompt = self.sampler.continuer.tokenizer.resolution, self.sampler.prompt
        stop = branch.decoder.tick * prompt.ticks_per_quarter // resolution
        return self.reward.partial(self.sampler.tail(branch), stop)

    def plan(self) -> Plan:
        """The result."""
        assert self.best is not None
        assert self.unplanned is not None
        progress = tuple(self.progress)
        reward, tokens = self.best_reward, self.sampler.tokens
        return Plan(self.best, reward, self.unplanned, self.simulations, self.work, tokens, self.seconds, progress)


class Planner(ABC):
    """A search. Subclasses implement `search`.

    Args:
        width: number of tails that are sampled in one batch; None for `default_width`.
    """

    kind: ClassVar[str]
    default_width: ClassVar[int] = 32

    def __init__(self, width: int | None = None) -> None:
        self.width = self.default_width if width is None else width

    def plan(
        self,
        sampler: TailSampler,
        reward: WeightedReward,
        budget: Budget,
        report: Callable[[float], object] = lambda spent: None,
    ) -> Plan:
        """Search for a tail of high reward.

        It is never worse than the first tails, which are sampled without a plan. A longer search finds a better one
        as a rule, not always: what is sampled later depends on the budget.

        Args:
            sampler: of tails; its generator's seed decides a search within a number of simulations.
            reward: bound to the sampler's prompt.
            budget: of the search.
            report: called with the fraction of the budget that is spent, after each batch.
        """
        search = Search(sampler, reward, budget, report)
        self.search(search)
        return search.plan()

    @abstractmethod
    def search(self, search: Search) -> None:
        """Spend the budget. At least one tail is judged, and the first ones are sampled without a plan."""


class SweepPlanner(Planner):
    """A search that samples many tails side by side, bar by bar, and again from the start while there is budget.

    Subclasses implement `select`.
    """

    def search(self, search: Search) -> None:
        unplanned = UNPLANNED
        while count := search.affordable(self.width):
            alone = [search.sampler.root()] * min(unplanned, count)
            rows = [search.sampler.root()] * (count - len(alone))
            sampled, planned, unplanned = list[Branch](), list[Branch](), 0
            while alone or rows:
                ends = search.extend([*alone, *rows])
                ends, others = ends[: len(alone)], ends[len(alone) :]
                sampled += [end for end in ends if end.is_complete]
                planned += [end for end in others if end.is_complete]
                alone = [end for end in ends if not end.is_complete]
                rows = [end for end in others if not end.is_complete]
                if alone or rows:
                    fitting = search.fitting([*alone, *rows])
                    alone = alone[:fitting]
                    rows = self.select(search, rows, fitting - len(alone)) if rows else []
            for complete in (sampled, planned):
                if complete:
                    search.judge(complete)

    @abstractmethod
    def select(self, search: Search, going: list[Branch], count: int) -> list[Branch]:
        """Beginnings to be continued by a bar each: those that look good so far, several times.

        Args:
            search: the search.
            going: at least one, none complete.
            count: number of beginnings to return; not more than are given.
        """
