"""Options of planning: the search for a tail that fulfils rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
from click.core import ParameterSource

from audiogen.cli.command import TUNES, combine, option
from audiogen.cli.options import FILE, Duration, Suggestion
from audiogen.errors import InputError
from audiogen.jobs.plan_request import DEFAULT_REWARDS, DEFAULT_SIMULATIONS, MAX_SIMULATIONS, PlanRequest
from audiogen.jobs.tune_request import TuneRequest

PLANNER_NAMES = ("mcts", "best-of", "beam", "smc")
REWARD_NAMES = (
    *("key", "ending", "cadence", "range", "leaps", "rhythm"),
    *("style", "repetition", "answer", "form", "voices", "chords", "critic"),
)
NAMES = ("plan", "rewards", "rewards_file", "simulations", "think")


def _planners() -> Iterable[str]:
    return PLANNER_NAMES


def _rewards() -> Iterable[str]:
    return REWARD_NAMES


plan_options = combine(
    (
        option(
            "--plan",
            group=TUNES,
            type=Suggestion("search", _planners),
            help=f"Search for a tail of high reward: {', '.join(PLANNER_NAMES)}. Recordings: best-of, by order and "
            "texture, among --takes.  [default: mcts if a reward is named]",
        ),
        option(
            "--reward",
            "rewards",
            group=TUNES,
            type=Suggestion("name[:argument][=weight]", _rewards),
            multiple=True,
            help=f"Rule that the tail should fulfil: {', '.join(REWARD_NAMES)}, or MODULE:FUNCTION of your own; "
            "such as ending:G or range:..B5=2. Repeat for several.  "
            f"[default: {', '.join(DEFAULT_REWARDS)}]",
        ),
        option("--rewards", "rewards_file", group=TUNES, type=FILE, help="YAML file of rules and their weights."),
        option(
            "--simulations",
            group=TUNES,
            type=click.IntRange(1, MAX_SIMULATIONS),
            help="Work of the search, in tails that are sampled; within it, the search is reproducible.  "
            f"[default: {DEFAULT_SIMULATIONS}]",
        ),
        option("--think", group=TUNES, type=Duration(0, min_open=True), help="Time of the search, instead."),
    )
)


def pop_plan(options: dict[str, Any], context: click.Context) -> PlanRequest | None:
    """Take the options of planning out of those of a command on a MIDI prompt; None if none is given.

    Raises:
        InputError: an unknown name (the message lists the choices), or options that contradict each other.
    """
    planner, texts, file, simulations, think = (options.pop(name) for name in NAMES)
    if planner is None and not texts and file is None and simulations is None and think is None:
        return None
    from audiogen.tunes.rewards.weighted import parse_rewards, read_rewards

    planner = planner or "mcts"
    if context.get_parameter_source("takes") is not ParameterSource.DEFAULT:
        if planner != "best-of" or simulations is not None or think is not None:
            raise InputError(
                "--takes", "a search samples as many tails as --simulations or --think allow", "leave it out"
            )
        simulations = options["takes"]
    weights = {**(read_rewards(file) if file is not None else {}), **parse_rewards(texts)}
    given = {"rewards": weights} if weights else {}
    return PlanRequest(planner, simulations=simulations, think=think, **given)


def pop_candidates(options: dict[str, Any]) -> int:
    """Take the search of a recording's tail out of the options: the number of takes; 1 for no search.

    Raises:
        InputError: another search than best-of.
    """
    planner = options.pop("plan")
    if planner is None:
        return 1
    if planner != "best-of":
        raise InputError("--plan", f"{planner} searches for notes", "choose best-of for a recording")
    takes, options["takes"] = options["takes"], TuneRequest.takes
    return takes


def plan_summary(entry: dict[str, Any]) -> str:
    """One line about a search, from its entry in the sidecar."""
    values = ", ".join(f"{each['name']} {each['value']:.2f}" for each in entry["rewards"])
    found = f"{entry['planner']}: reward {entry['reward']:.2f}, {entry['without_plan']:.2f} without a plan"
    tried, work = entry["simulations"], round(entry["work"])
    tails = "tail" if tried == 1 else "tails"
    return f"{found} ({tried} {tails} tried{f' for the work of {work}' if work != tried else ''}): {values}"
