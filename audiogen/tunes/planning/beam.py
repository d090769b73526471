"""Beam search over bars: the beginnings with the highest reward so far are continued, several ways each."""

from __future__ import annotations

from audiogen.tunes.planning.branches import Branch
from audiogen.tunes.planning.planner import Planner, Search

FIRST = 4  # tails that are sampled without a plan
WAYS = 4
"""Continuations of each beginning, of which together a ``WAYS``-th is kept."""


class Beam(Planner):
    """Stochastic beam search (cf. Kool et al. 2019, arXiv 1903.06059), by reward instead of likelihood.

    All beginnings are continued by one bar, `WAYS` times each, and the best ones by `WeightedReward.partial` are kept.
    Rules that need the end decide among the complete tails only. The search starts again while there is budget.
    """

    kind = "beam"

    def search(self, search: Search) -> None:
        search.sample(max(search.affordable(FIRST), 1))
        while count := search.affordable(self.width):
            search.judge(self._sweep(search, count))

    def _sweep(self, search: Search, count: int) -> list[Branch]:
        """``count`` complete tails from one beam."""
        sampler = search.sampler
        ways = min(WAYS, count)
        kept, width = [sampler.root()], count // ways
        while not sampler.is_complete(kept[0]):
            # The first bar has one beginning, which is continued as often as all of them together later.
            paths = sampler.extend([kept[row % len(kept)] for row in range(width * ways)], bars=1)
            ends = [path[-1] for path in paths]
            if all(sampler.is_complete(end) for end in ends):
                return ends
            values = [search.partial(end) for end in ends]
            order = sorted(range(len(ends)), key=lambda row: -values[row])
            kept = _distinct([ends[row] for row in order])[:width]
        return kept


def _distinct(branches: list[Branch]) -> list[Branch]:
    """The branches without those whose last bar another one has as well."""
    return list({branch.last_bar: branch for branch in reversed(branches)}.values())[::-1]
