"""Best-of-N: whole tails are sampled independently, and the best is kept."""

from __future__ import annotations

from audiogen.tunes.planning.planner import Planner, Search


class BestOf(Planner):
    """The control without a plan: what the same time buys by sampling alone."""

    kind = "best-of"

    def search(self, search: Search) -> None:
        while count := search.affordable(self.width):
            begun = search.extend([search.sampler.root()] * count)
            going = [branch for branch in begun if not branch.is_complete]
            kept = going[: search.fitting(going)] if going else []
            search.judge([branch for branch in begun if branch.is_complete] + search.extend(kept, bars=None))
