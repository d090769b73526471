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

    def sweep(self, search: Search, count: int) -> list[Branch]:
        sampler = search.sampler
        ways = min(WAYS, count)
        beam, complete = [sampler.root()], list[Branch]()
        while beam:
            # The first bar has one beginning, which is continued as often as all of them together later.
            rows = count // ways * ways - len(complete)
            paths = sampler.extend([beam[row % len(beam)] for row in range(rows)], bars=1)
            ends = [path[-1] for path in paths]
            complete += [end for end in ends if sampler.is_complete(end)]
            going = [end for end in ends if not sampler.is_complete(end)]
            beam = _distinct(sorted(going, key=search.partial, reverse=True))[: -(-len(going) // ways)]
        return complete


def _distinct(branches: list[Branch]) -> list[Branch]:
    """The branches without those whose last bar another one has as well."""
    return list({branch.last_bar: branch for branch in reversed(branches)}.values())[::-1]
