"""The command line that does what a button does."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from audiogen.jobs.request import Request
from audiogen.jobs.tune_request import TuneRequest

SOUND_DEFAULTS = {field.name: field.default for field in fields(Request)}
TUNE_DEFAULTS = {field.name: field.default for field in fields(TuneRequest)}
OFF = {"match_texture": "--no-match-texture", "pulse": "--no-pulse", "metadata": "--no-metadata"}


def continue_command(
    prompt: str,
    out: str,
    request: Mapping[str, Any],
    region: Sequence[float] | None = None,
    morph: str | None = None,
    more: Sequence[str] = (),
    tune: bool = False,
) -> str:
    """``audiogen continue`` with the options that differ from their defaults.

    Args:
        prompt, out: files.
        request: fields of a `Request` or `TuneRequest`.
        region: start and end of what is continued, seconds; None for all.
        morph: recording to morph into.
        more: further arguments.
        tune: whether the prompt is a tune.
    """
    words = ["audiogen", "continue", prompt, "-o", out]
    if region is not None:
        words += ["--from", f"{region[0]:.6g}", "--to", f"{region[1]:.6g}"]
    defaults = TUNE_DEFAULTS if tune else SOUND_DEFAULTS
    for name, value in request.items():
        if (
            value is None
            or (value == defaults[name] and name != "seconds")
            or (name == "seconds" and "bars" in request)
        ):
            continue
        if value is False:
            words.append(OFF[name])
        elif value is True:
            words.append(f"--{name.replace('_', '-')}")
        else:
            words += [f"--{name.replace('_', '-')}", f"{value:.10g}" if isinstance(value, float) else str(value)]
    if morph is not None:
        words += ["--morph", morph]
    return shlex.join([*words, *more])


def replay_command(prompt: str, out: str, region: Sequence[float] | None) -> str:
    """The command that makes a kept part of a live tail again."""
    part = [] if region is None else ["--from", f"{region[0]:.6g}", "--to", f"{region[1]:.6g}"]
    return shlex.join(["audiogen", "stream", prompt, *part, "--replay", str(Path(out).with_suffix(".json")), "-o", out])
