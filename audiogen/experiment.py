"""What is trained and how: dataclasses <-> YAML with `base:` deltas and key=value overrides; and the Run on disk."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from audiogen.choice import Choice, choice
from audiogen.data.recordings import Shares
from audiogen.errors import InputError
from audiogen.models import MODELS
from audiogen.representation import REPRESENTATIONS
from audiogen.vocoders.table import VOCODERS


@dataclass(frozen=True)
class Augmentation:
    """What is done to training windows; 0 switches each off. Time shift: windows start at any frame.

    Args:
        gain: standard deviation of a level shift of the whole window, dB.
        tilt: standard deviation of a spectral tilt over the whole band, dB.
        frequency_mask: widest stretch of bands replaced by their mean, as a share of all bands (SpecAugment).
        time_mask: longest stretch of frames replaced by their mean, as a share of the window (SpecAugment).
    """

    gain: float = 1.0
    tilt: float = 0.0
    frequency_mask: float = 0.0
    time_mask: float = 0.0


@dataclass(frozen=True)
class Training:
    """How a Model is trained.

    Args:
        steps: most optimiser steps.
        horizon: steps over which the schedule runs out; None for ``steps``. A training stopped by a wall-clock
            budget is repeated exactly by the ``steps`` and ``horizon`` that it reports.
        batch: windows a step.
        window: seconds of a window.
        optimizer: "adamw", "adam", "rmsprop" or "sgd" (with Nesterov momentum 0.9).
        learning_rate: peak rate.
        weight_decay: decoupled for adamw, an L2 penalty for the others.
        schedule: "cosine" to 2 % of the peak, "step" (a tenth at each third), "plateau" (halved when validation
            stalls) or "constant".
        warmup: steps of linear rise.
        clip: largest gradient norm; 0 for no clipping.
        average: decay of the exponential moving average of the weights that is kept; 0 keeps the last weights.
        validate_every: steps between validations.
        patience: validations without improvement before the training stops; 0 never stops early.
        checkpoint_every: steps between checkpoints, for trainings with a Run folder.
        listen_every: steps between audio and pictures in TensorBoard; 0 for none.
        precision: "32", "bf16" or "16"; mixed precision on CUDA.
        compile: compile the model with torch.compile on CUDA.
        shares: of the recordings (or of one recording's time) that validate and test.
        seed: of weights, windows and noise.
    """

    steps: int = 400
    horizon: int | None = None
    batch: int = 32
    window: float = 3.0
    optimizer: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    schedule: Literal["cosine", "step", "plateau", "constant"] = "cosine"
    warmup: int = 20
    clip: float = 1.0
    average: float = 0.98
    validate_every: int = 25
    patience: int = 4
    checkpoint_every: int = 200
    listen_every: int = 200
    precision: Literal["32", "bf16", "16"] = "32"
    compile: bool = False
    shares: Shares = field(default_factory=Shares)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.validate_every, self.checkpoint_every) < 1 or self.window <= 0:
            raise ValueError("steps, batch, window, validate_every and checkpoint_every must be above 0")
        if not 0 <= self.average < 1:
            raise ValueError("average must lie in 0..1, 1 excluded")


@dataclass(frozen=True)
class Experiment:
    """One YAML file: what is heard, what predicts, what renders, and how it is trained."""

    representation: Choice = choice(REPRESENTATIONS, "mel")
    model: Choice = choice(MODELS, "sequence")
    vocoder: Choice = choice(VOCODERS, "source")
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)


def read_experiment(path: Path | None = None, overrides: tuple[str, ...] = ()) -> Experiment:
    """The experiment of a YAML file (None: the defaults) with ``key.key=value`` overrides.

    A file may name another with ``base:``, relative to itself, and then says only what differs.

    Raises:
        InputError: an unreadable file, an unknown key or kind (the message lists the choices), a wrong value.
    """
    tree = merge(to_tree(Experiment()), read_tree(path) if path is not None else {})
    for override in overrides:
        merge(tree, _override(override))
    return build(Experiment, tree, str(path) if path is not None else "configuration")


def read_tree(path: Path) -> dict[str, Any]:
    """The nested mapping of a YAML file and of the files it is based on."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise InputError(path, f"it cannot be read ({error.strerror})", "name an existing YAML file") from error
    except yaml.YAMLError as error:
        raise InputError(path, f"it is not YAML ({error})", "mend the line it names") from error
    if not isinstance(tree, dict):
        raise InputError(path, "it holds no mapping", "write `key: value` lines")
    base = tree.pop("base", None)
    return merge(read_tree(path.parent / base), tree) if base is not None else tree


def merge(base: dict[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``delta`` laid over it, in place; a changed ``kind`` drops the options of the old one."""
    for key, value in delta.items():
        old = base.get(key)
        if isinstance(old, dict) and "kind" in old and isinstance(value, str):
            value = {"kind": value}
        if isinstance(old, dict) and isinstance(value, Mapping) and value.get("kind", old.get("kind")) == old.get("kind"):
            merge(old, value)
        else:
            base[key] = value
    return base


def _override(text: str) -> dict[str, Any]:
    """``a.b=1`` -> ``{"a": {"b": 1}}``."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(text, "an override reads key=value", "for example training.steps=200")
    try:
        tree: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(text, "its value is not YAML", "quote it") from error
    for name in reversed(key.split(".")):
        tree = {name: tree}
    return tree


def build(cls: type, tree: Any, where: str) -> Any:
    """An instance of the dataclass ``cls`` from a nested mapping, each unknown key and wrong value named."""
    if not isinstance(tree, Mapping):
        raise InputError(where, f"a mapping is needed, not {tree!r}", f"keys: {', '.join(_names(cls))}")
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in tree.items():
        if key not in hints:
            raise InputError(f"{where}: {key}", "there is no such key", _suggest(str(key), _names(cls)))
        found = next(item for item in dataclasses.fields(cls) if item.name == key)
        values[key] = _value(hints[key], found.metadata.get("table"), value, f"{where}: {key}")
    try:
        return cls(**values)
    except ValueError as error:
        raise InputError(where, str(error), "change it") from error


def _value(hint: Any, table: Mapping[str, Any] | None, value: Any, where: str) -> Any:
    if table is not None:
        return _choice(table, value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, where)
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise InputError(where, f"{error.errors()[0]['msg']}, not {value!r}", f"type: {_spelled(hint)}") from error


def _choice(table: Mapping[str, Any], value: Any, where: str) -> Choice:
    if not isinstance(value, Mapping) or "kind" not in value:
        raise InputError(where, "no kind is named", f"write {{kind: ...}}, one of {', '.join(table)}")
    kind = str(value["kind"])
    if kind not in table:
        raise InputError(f"{where}: kind {kind}", "there is none of that name", _suggest(kind, table))
    options = {key: item for key, item in value.items() if key != "kind"}
    return Choice(kind, build(table[kind].Options, options, where))


def _names(cls: type) -> list[str]:
    return [item.name for item in dataclasses.fields(cls)]


def _suggest(wrong: str, known: typing.Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(wrong, known, 1)
    return (f"did you mean {close[0]}? " if close else "") + f"choose from {', '.join(known)}"


def _spelled(hint: Any) -> str:
    return str(hint) if isinstance(hint, types.UnionType) or typing.get_origin(hint) else hint.__name__


def to_tree(value: Any) -> Any:
    """The nested plain mapping that `build` makes the same instance from."""
    if isinstance(value, Choice):
        return {"kind": value.kind, **to_tree(value.options)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_tree(getattr(value, item.name)) for item in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def write_text(path: Path, text: str) -> None:
    """Write a text file so that it appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def dump_yaml(experiment: Experiment) -> str:
    """The experiment as YAML, every key written out."""
    return yaml.safe_dump(to_tree(experiment), sort_keys=False, allow_unicode=True)


def dump_json(values: Any) -> str:
    """JSON with a final newline."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
