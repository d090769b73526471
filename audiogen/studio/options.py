"""Settings of the page -> options of the jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audiogen.errors import InputError
from audiogen.jobs.request import Request
from audiogen.jobs.tune_request import TuneRequest
from audiogen.name_template import require_settable, require_ucs

SOUND = ("seconds", "temperature", "level", "brightness", "density", "loop", "tail_only", "match_texture", "pulse")
TUNE = ("seconds", "bars", "temperature", "takes", "tail_only")
TABLE = ("region", "morph", "count", "template", "folder", "as_set", "fields")
"""Settings of the table, which are no options of a take."""

TUNE_DEFAULTS: dict[str, Any] = {"bars": 16}
DEFAULTS: dict[str, Any] = {"seconds": 30.0, "count": 3, "template": "", "folder": "export", "as_set": False}
MAX_COUNT = 99


def defaults(tune: bool) -> dict[str, Any]:
    """Settings of a table that nobody has changed."""
    return DEFAULTS | (TUNE_DEFAULTS if tune else {})


def check_setting(name: str, value: Any, settings: Mapping[str, Any], tune: bool) -> None:
    """Raise an InputError unless a setting can have a value, beside those of the others."""
    known = TUNE if tune else SOUND
    if name not in (*known, *TABLE):
        raise InputError(name, "there is no such setting", f"choose from {', '.join((*known, *TABLE))}")
    if name in known:
        request_of({**settings, name: value}, tune, 0)
    elif name == "count" and not (isinstance(value, int) and 1 <= value <= MAX_COUNT):
        raise InputError("count", f"{value} is out of range", f"choose from 1 to {MAX_COUNT}")
    elif name == "region":
        _require_region(value, tune)
    elif name == "as_set" and not isinstance(value, bool):
        raise InputError(name, f"{value!r} is neither true nor false", "choose one of them")
    elif name == "fields":
        _require_fields(value)
    elif name in ("template", "folder") and not (isinstance(value, str) and len(value) <= 200):
        raise InputError(name, "it is not a short text", "write at most 200 characters")
    elif name == "morph" and not (value is None or isinstance(value, str)):
        raise InputError(name, "it is not the name of a recording", "choose one that is listed")


def _require_fields(value: Any) -> None:
    """Fields of UCS; an empty one is that of the recording's own name."""
    if not (isinstance(value, dict) and all(isinstance(text, str) for text in value.values())):
        raise InputError("fields", "it is no mapping of names to texts", 'write for example {"FXName": "Rain"}')
    for name, text in value.items():
        require_settable(name)
        if text:
            require_ucs(name, text)


def _require_region(value: Any, tune: bool) -> None:
    if value is None:
        return
    numbers = isinstance(value, list) and len(value) == 2 and all(isinstance(each, int | float) for each in value)
    if tune or not numbers or not 0 <= value[0] < value[1]:
        raise InputError("region", f"{value} is no part of a recording", "give its start and end in seconds")


def request_of(settings: Mapping[str, Any], tune: bool, seed: int) -> dict[str, Any]:
    """Options of a take: those settings that are options, and the seed.

    Raises:
        InputError: one is out of range, or of the wrong type.
    """
    values = defaults(tune) | dict(settings)
    chosen = {name: values[name] for name in (TUNE if tune else SOUND) if values.get(name) is not None}
    for name, value in chosen.items():
        flag = name in ("loop", "tail_only", "match_texture", "pulse")
        if isinstance(value, bool) != flag or not isinstance(value, int | float):
            raise InputError(name, f"{value!r} is not a {'yes or no' if flag else 'number'}", "choose another value")
    if tune:
        TuneRequest(**chosen, seed=seed)
        if "bars" in chosen:
            chosen.pop("seconds", None)
    else:
        Request(**chosen, seed=seed)
    return chosen | {"seed": seed}
