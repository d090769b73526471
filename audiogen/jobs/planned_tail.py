"""Job step: search for the tail of a tune, and what the sidecar says about the search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from audiogen.errors import InputError
from audiogen.jobs.plan_request import PlanRequest
from audiogen.jobs.tune_request import TuneRequest
from audiogen.progress import progress
from audiogen.tunes.planning import PLANNERS
from audiogen.tunes.planning.branches import TailSampler
from audiogen.tunes.planning.planner import Planner
from audiogen.tunes.rewards import WeightedReward, build_reward
from audiogen.tunes.tune import Tune
from audiogen.tunes.tune_continuation import TuneContinuer


@dataclass(frozen=True)
class PreparedPlan:
    """A search that was checked before any work is done.

    Args:
        request: of the search.
        planner: that searches.
        reward: not yet bound to a prompt.
    """

    request: PlanRequest
    planner: Planner
    reward: WeightedReward


def prepare_plan(request: PlanRequest) -> PreparedPlan:
    """The planner and the reward of a request.

    Raises:
        InputError: an unknown planner or reward; the message lists the choices.
    """
    if request.planner not in PLANNERS:
        raise InputError("--plan", f"there is no {request.planner}", f"choose from {', '.join(PLANNERS)}")
    return PreparedPlan(request, PLANNERS[request.planner](), build_reward(request.rewards))


def planned_tail(continuer: TuneContinuer, request: TuneRequest, prepared: PreparedPlan) -> tuple[Tune, dict[str, Any]]:
    """Search for a tail.

    Args:
        continuer: prompt and Model.
        request: length of the tail, and how tokens are sampled.
        prepared: the search.

    Returns:
        The tail, as `TuneContinuer.tail` returns it, and the entry of the sidecar.
    """
    bars = request.bars
    sampler = TailSampler(continuer, continuer.length(None if bars else request.seconds, bars), request.sampling)
    context = continuer.context
    reward = prepared.reward.given(context, bars)
    with progress(1.0, "planning", "of the search") as shown:
        plan = prepared.planner.plan(
            sampler, reward, prepared.request.budget, lambda spent: shown.update(min(spent, 1.0) - shown.n)
        )
    entry = {
        "planner": prepared.planner.kind,
        "reward": round(plan.reward, 4),
        "without_plan": round(plan.unplanned, 4),
        "gain": round(plan.reward - plan.unplanned, 4),
        "rewards": [
            {"name": each.name, "value": round(each.value, 4), "weight": each.weight}
            for each in reward.values(plan.tail)
        ],
        "simulations": plan.simulations,
        "work": round(plan.work, 2),
        "tokens": plan.tokens,
        "progress": [[count, round(value, 4)] for count, value in plan.progress],
    }
    return continuer.placed(plan.tail), entry
