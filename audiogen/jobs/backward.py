"""The job of `audiogen continue --backward`: what could have come before a recording.

The recording is played backwards and continued, and the result reversed. Its patches and windows are reversed with it,
so an attack stays an attack and a decay a decay; only the order in which they are selected is that of reversed time.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording, Span, Writer, read
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.jobs.continue_sound import continue_variations
from audiogen.jobs.continuer_choice import Runs
from audiogen.jobs.loudness_target import loudness_in
from audiogen.jobs.output_metadata import Placement, metadata_for
from audiogen.jobs.provenance import collect_warnings, remove_output_on_failure
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import describe_edges, length_of, subtype_of
from audiogen.output_names import sidecar_of
from audiogen.sound.prompt_analysis import PromptParts, divide_prompt
from audiogen.text_files import dump_json, write_text


def require_reversible(request: Request, morph: bool = False) -> None:
    """Raise an InputError for a request that makes no sense, or is not supported, backwards."""
    for name, value in (("a loop", request.loop), ("a loudness", request.loudness is not None), ("a morph", morph)):
        if value:
            raise InputError("backward", f"{name} cannot be combined with it", "leave out one of the two")


def continue_backward(
    prompt: Recording,
    wanted: Sequence[tuple[Path, Request]],
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    prompt_warnings: Sequence[str] = (),
    cache: bool = True,
) -> Iterator[dict[str, Any]]:
    """Write files that end with a recording, and describe them in sidecars.

    Args:
        prompt: the recording, which the files end with, bit for bit; without a fade or silence at its start, unless
            edges are kept.
        wanted: path and request of each; a tail is held in memory.
        run, experiment, budget, device, prompt_warnings, cache: as of `continue_variations`.

    Yields:
        The content of each sidecar: ``prompt_sample`` in place of ``join_sample`` is the recording's first sample.
    """
    for _, request in wanted:
        require_reversible(request)
        length_of(prompt, request)
    first = wanted[0][1]
    with collect_warnings() as remarks:
        parts = divide_prompt(prompt, first.keep_edges, first.ambience, backward=True)
    requests = [request for _, request in wanted]
    tails = rendered_tails(parts.reversed, requests, run, experiment, budget, device, cache)
    for (out, request), (samples, sidecar) in zip(wanted, tails, strict=True):
        subtype = subtype_of(prompt, out, request)
        length = samples.shape[1]
        with collect_warnings() as texts, _writer(parts, out, request, subtype, length) as writer:
            writer.write(samples[:, ::-1], exact=not samples.any())
            if request.writes_prompt:
                writer.append(parts.before_tail)
        del sidecar["join_sample"]
        sidecar |= {
            "prompt": str(prompt.path) if prompt.path else None,
            "output": out.name,
            "subtype": subtype,
            "prompt_sample": length if request.writes_prompt else None,
            "length": length + parts.before_tail.length if request.writes_prompt else length,
            "loudness_lufs": loudness_in(out),
            "prompt_range": [parts.start, parts.stop],
            "edges": describe_edges(parts),
            "settings": sidecar["settings"] | _own_settings(request) | {"backward": True},
            "warnings": [*prompt_warnings, *remarks, *sidecar["warnings"], *texts],
        }
        with remove_output_on_failure(out):
            write_text(sidecar_of(out), dump_json(sidecar))
        yield sidecar


def rendered_tails(
    prompt: Recording | PromptParts,
    requests: Sequence[Request],
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    cache: bool = True,
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Tails alone, in memory, as they would be written; see `continue_variations` for the arguments.

    Yields:
        Samples ``[channels, time]`` of each tail, and its sidecar, whose warnings name no file.
    """
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / f"{index}.wav" for index in range(len(requests))]
        alone = [
            replace(request, tail_only=True, loop=False, loudness=None, subtype="FLOAT", metadata=False)
            for request in requests
        ]
        wanted = list(zip(names, alone, strict=True))
        sidecars = continue_variations(prompt, wanted, run, experiment, budget, device, cache=cache, drafts=True)
        for name in names:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AudioWarning)  # issued below, without the temporary file's name
                sidecar = next(sidecars)
                samples = read(name).samples
            sidecar["warnings"] = [text.removeprefix(f"{name}: ") for text in sidecar["warnings"]]
            for text in sidecar["warnings"]:
                warnings.warn(text, AudioWarning, stacklevel=2)
            name.unlink()
            yield samples, sidecar


def _own_settings(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in ("tail_only", "keep_edges", "subtype", "metadata")}


def _writer(parts: PromptParts, out: Path, request: Request, subtype: str, length: int) -> Writer:
    prompt, origin = parts.recording, length - parts.start
    if request.writes_prompt:
        placement = Placement((Span(parts.start, parts.stop, origin),), origin, (("join", length),))
    else:
        placement = Placement((), origin)
    metadata = metadata_for(prompt, placement, out, subtype, "continue --backward") if request.metadata else None
    rate, channels = prompt.sample_rate, prompt.channels
    return Writer(out, rate, channels, subtype, request.seed, prompt.layout, prompt.silent, metadata)
