"""Planning: search, while decoding, for a tail of high reward among those that a token Model finds likely.

One interface, `Planner`, and one budget for all; the Model samples every token, so that what is found remains music of
its kind. `mcts` is a tree search; `best-of`, `beam` and `smc` are the controls that it has to beat.
"""

from __future__ import annotations

from audiogen.config.registry import Registry
from audiogen.tunes.planning.planner import Budget, Plan, Planner

PLANNERS: Registry[Planner] = Registry(
    "audiogen.planners",
    {
        "mcts": "audiogen.tunes.planning.mcts:TreeSearch",
        "best-of": "audiogen.tunes.planning.best_of:BestOf",
        "beam": "audiogen.tunes.planning.beam:Beam",
        "smc": "audiogen.tunes.planning.smc:ParticleSearch",
    },
)
"""The planners by the name that ``--plan`` takes."""

__all__ = ["PLANNERS", "Budget", "Plan", "Planner"]
