"""Beam search over bars: the beginnings with the highest reward so far are continued, several ways each."""

from __future__ import annotations

from audiogen.tunes.planning.branches import Branch
from audiogen.tunes.planning.planner import Search, SweepPlanner

WAYS = 4
"""Continuations of each beginning, of which together a ``WAYS``-th is kept."""


class Beam(SweepPlanner):
    """Stochastic beam search (cf. Kool et al. 2019, arXiv 1903.06059), by reward instead of likelihood.

    All beginnings are continued by one bar, `WAYS` times each, and the best ones by `WeightedReward.partial` are kept.
    Rules that need the end decide among the complete tails only.
    """

    kind = "beam"

    def select(self, search: Search, going: list[Branch], count: int) -> list[Branch]:
        beam = _distinct(sorted(going, key=search.partial, reverse=True))[: -(-len(going) // WAYS)]
        return [beam[row % len(beam)] for row in range(count)]


def _distinct(branches: list[Branch]) -> list[Branch]:
    """The branches without those whose last bar another one has as well."""
    return list({branch.last_bar: branch for branch in reversed(branches)}.values())[::-1]
