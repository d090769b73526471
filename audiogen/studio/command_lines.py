"""The command line that does what a button does."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from audiogen.file_names import is_midi
from audiogen.jobs.request import Request
from audiogen.jobs.tune_request import TuneRequest
from audiogen.studio.export import Export

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
    words += _part(region)
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


def take_command(prompt: str, out: str, request: Mapping[str, Any], sidecar: str, more: Sequence[str] = ()) -> str:
    """The command that makes a take again.

    Args:
        prompt, out: files.
        request: of the take, with its ``region`` and ``morph``.
        sidecar: of the take, from which a kept part of a live tail is made again.
        more: further arguments.
    """
    region = request.get("region")
    if "live" in request:
        return shlex.join(["audiogen", "stream", prompt, *_part(region), "--replay", sidecar, "-o", out])
    options = {key: value for key, value in request.items() if key not in ("region", "morph")}
    return continue_command(prompt, out, options, region, request.get("morph"), more, is_midi(Path(prompt)))


def stream_command(prompt: str, request: Mapping[str, Any]) -> str:
    """``audiogen stream`` as the live tail begins, on a sound device."""
    words = ["audiogen", "stream", prompt, "--play", *_part(request.get("region"))]
    for name in ("temperature", "level", "brightness", "density"):
        if (value := request.get(name, SOUND_DEFAULTS[name])) != SOUND_DEFAULTS[name]:
            words += [f"--{name}", f"{value:.10g}"]
    if request.get("pulse") is False:
        words.append(OFF["pulse"])
    return shlex.join([*words, *(["--morph", request["morph"]] if request.get("morph") else [])])


def export_command(export: Export, paths: Sequence[Path], sidecars: Sequence[str]) -> str:
    """What makes the exported files: one command where their seeds follow each other, else one for each.

    Of a set it is one for each: the takes were kept as they are, while those of one command would avoid each other. So
    their level is the set's only where no true peak keeps that below the recording's.

    Args:
        export: kept takes.
        paths: where they go.
        sidecars: of the takes.
    """
    prompt, requests = export.prompt.name, [take.request for take in export.takes]
    as_set = ["--set"] if export.as_set else []
    folder = export.folder.name
    first, seed = requests[0], int(requests[0].get("seed", 0))
    consecutive = "live" not in first and not export.as_set
    if consecutive and requests == [first | {"seed": seed + index} for index in range(len(requests))]:
        several = ["--variations", str(len(requests))] if len(requests) > 1 else []
        names = ["--template", export.text] if export.text else []
        fields = [word for name, text in export.set_fields().items() for word in ("--field", f"{name}={text}")]
        more = [*several, *names, *fields]
        return take_command(prompt, f"{folder}/{export.out.name}", first, sidecars[0], more)
    lines = []
    for request, path, sidecar in zip(requests, paths, sidecars, strict=True):
        literal = ["--template", path.stem.replace("{", "{{").replace("}", "}}")] if as_set else []
        lines.append(take_command(prompt, f"{folder}/{path.name}", request, sidecar, [*as_set, *literal]))
    return " && ".join(lines)


def _part(region: Sequence[float] | None) -> list[str]:
    return [] if region is None else ["--from", f"{region[0]:.10g}", "--to", f"{region[1]:.10g}"]
