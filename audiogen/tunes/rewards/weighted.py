"""Weighted means of rewards, from options or YAML; functions of the user's own among them."""

from __future__ import annotations

import importlib
import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from audiogen.errors import InputError
from audiogen.tunes.rewards.base import RewardValue, Rule
from audiogen.tunes.rewards.passage import Passage, bar_line_after
from audiogen.tunes.rewards.registry import REWARDS
from audiogen.tunes.tune import Tune

SPECIFICATION = "NAME, NAME:ARGUMENT or MODULE:FUNCTION, with =WEIGHT for other weights than 1"


class FunctionRule(Rule):
    """A function of the user's: ``function(tail)`` or ``function(tail, prompt)`` returns a number in 0..1.

    Args:
        name: as it was written.
        function: its second parameter, if it has one, receives the prompt (or None).

    Raises:
        InputError: its parameters are not known; when it is called, it raises an exception or returns something else.
    """

    kind = "function"

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__(name)
        self.function = function
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except ValueError as error:  # of some functions written in C
            raise InputError(name, f"its parameters are not known ({error})", "wrap it in a function") from error
        required = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
        self.wants_prompt = len(required) > 1

    @property
    def name(self) -> str:
        return self.argument

    def judge(self, passage: Passage) -> float:
        try:
            result = self.function(passage.tail, passage.prompt) if self.wants_prompt else self.function(passage.tail)
        except Exception as error:
            cure = "let it return a number for every tail, also for one without notes"
            raise InputError(self.name, f"it raises {_described(error)}", cure) from error
        try:
            value = float(result)
        except (TypeError, ValueError):
            value = math.nan
        if not 0 <= value <= 1:
            raise InputError(self.name, f"it returns {result!r}", "let it return a number from 0 to 1")
        return value

    def value(self, passage: Passage) -> float:
        return self.judge(passage)  # a function decides by itself what an empty tail is worth


@dataclass(frozen=True)
class WeightedReward:
    """A weighted mean of rewards, 0..1.

    Args:
        terms: rewards and their positive weights; at least one.
        prompt: the tune that is continued; None for whole tunes.
        stop: tick at which the tails end, rests included; None for the end of their last note.
    """

    terms: tuple[tuple[Rule, float], ...]
    prompt: Tune | None = None
    stop: int | None = None

    @property
    def name(self) -> str:
        """All terms as they would be written as options."""
        return " + ".join(rule.name if weight == 1 else f"{rule.name}={weight:g}" for rule, weight in self.terms)

    def given(self, prompt: Tune, bars: int | None = None) -> WeightedReward:
        """The reward of tails of a prompt.

        Args:
            prompt: at the resolution of the tails.
            bars: length of the tails in whole bars after the one in which the prompt ends; None for the end of their
                last note.
        """
        return replace(self, prompt=prompt, stop=None if bars is None else bar_line_after(prompt, bars))

    def __call__(self, tune: Tune) -> float:
        """The weighted mean for a finished tail."""
        return weighted_mean(self.values(tune))

    def values(self, tune: Tune) -> list[RewardValue]:
        """Each term for a finished tail."""
        passage = Passage(tune, self.prompt, self.stop)
        return [RewardValue(rule.name, rule.value(passage), weight) for rule, weight in self.terms]

    def partial(self, tune: Tune, stop: int) -> float:
        """The weighted mean for a tail that is complete up to a tick, of the rules that do not need its end; 0 if all
        of them do."""
        passage = Passage(tune, self.prompt, stop, goal=self.stop if self.stop is not None else stop + 1)
        held = [(rule, weight) for rule, weight in self.terms if not rule.at_end]
        return weighted_mean([RewardValue(rule.name, rule.value(passage), weight) for rule, weight in held])


def weighted_mean(values: Sequence[RewardValue]) -> float:
    """The mean of some terms by their weights, 0..1; 0 of none."""
    total = sum(each.weight for each in values)
    return sum(each.value * each.weight for each in values) / total if total > 0 else 0.0


def build_reward(config: Mapping[str, Any] | Sequence[str] | Path) -> WeightedReward:
    """A weighted reward.

    Args:
        config: texts such as ``["ending:G", "range:..B5=2", "my_module:my_function"]``; or a mapping from such names to
            weights, ``{"ending": 1, "range:..B5": 2}``; or a YAML file with that mapping, at its top or as ``rewards``.

    Raises:
        InputError: an unknown name (the message lists the choices), an argument or a weight that cannot be used.
    """
    if isinstance(config, Path):
        config = read_rewards(config)
    if not isinstance(config, Mapping):
        config = parse_rewards(config)
    if not config:
        raise InputError("reward", "there is none", f"name one: {', '.join(REWARDS)}")
    return WeightedReward(tuple((_rule(name), _weight(name, weight)) for name, weight in config.items()))


def parse_rewards(texts: Sequence[str]) -> dict[str, float]:
    """Texts of options -> weights by name."""
    weights: dict[str, float] = {}
    for text in texts:
        name, _, weight = text.partition("=")
        if name in weights:
            raise InputError(name, "it is given twice", "give it once, with a weight")
        weights[name] = _weight(name, weight or 1)
    return weights


def _weight(name: str, value: Any) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 < weight < math.inf:
        raise InputError(name, f"its weight {value!r} is no positive number", f"write {SPECIFICATION}")
    return weight


def _rule(name: str) -> Rule:
    kind, _, argument = name.partition(":")
    if kind in REWARDS:
        variant: Any = REWARDS[kind]
        # An installed package may add a plain function instead of a class.
        return variant(argument) if isinstance(variant, type) else FunctionRule(name, variant)
    if argument and argument.isidentifier():
        return FunctionRule(name, _import(kind, argument))
    choices = f"choose from {', '.join(REWARDS)}, or name a function of your own as MODULE:FUNCTION"
    raise InputError(f"reward {name}", "there is no such reward", choices)


def _import(module: str, function: str) -> Callable[..., Any]:
    """A function of a module that is installed or lies in the working directory."""
    subject = f"reward {module}:{function}"
    known = f"name a module that can be imported here, or choose from {', '.join(REWARDS)}"
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function, None)
    except ImportError as error:
        raise InputError(subject, f"the module cannot be imported ({error})", known) from error
    except (Exception, SystemExit) as error:  # whatever its code does
        raise InputError(subject, f"importing {module} raises {_described(error)}", "correct the module") from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not callable(found):
        raise InputError(subject, f"{module} has no function {function}", "check its name")
    return found


def _described(error: BaseException) -> str:
    return f"{type(error).__name__} ({error})" if str(error) else type(error).__name__


def read_rewards(path: Path) -> dict[str, Any]:
    """Weights by name from a YAML file, at its top or as ``rewards``."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            path, f"it cannot be read as YAML ({error})", "write names and weights, such as ending: 1"
        ) from error
    tree = tree.get("rewards", tree) if isinstance(tree, dict) else tree
    if not isinstance(tree, dict):
        raise InputError(path, "it is no mapping of rewards to weights", "write names and weights, such as ending: 1")
    return {str(name): weight for name, weight in tree.items()}
