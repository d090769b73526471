"""The file of a tail: prompt and tail streamed to disk, measured, and described for the sidecar."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording, Span, Writer, subtype_for
from audiogen.audio.sample_formats import EXACT_SUBTYPES
from audiogen.errors import InputError
from audiogen.jobs.continuer_choice import AnyContinuer, kind_of, separate_events
from audiogen.jobs.loudness_target import Level, loudness_in, write_at_loudness
from audiogen.jobs.output_metadata import Placement, metadata_for
from audiogen.jobs.provenance import Clock, remove_output_on_failure, versions
from audiogen.jobs.request import Request
from audiogen.jobs.tail_check import check_tail
from audiogen.jobs.tail_listener import offer
from audiogen.progress import progress, stage
from audiogen.sound.join import silence
from audiogen.sound.prompt_analysis import PromptParts
from audiogen.sound.seamless_loop import close_loop, loop_on_itself

LOOPED_TONES = "its tones are not in phase where the loop closes and may waver there; without --loop they go on evenly"


def write_tail(
    prompt: PromptParts,
    continuer: AnyContinuer | None,
    out: Path,
    request: Request,
    clock: Clock,
    draft: bool = False,
    blocks: Iterator[np.ndarray] | None = None,
    level: Level | None = None,
    follows: bool = True,
) -> dict[str, Any]:
    """Stream prompt and tail to disk, and measure the file.

    Args:
        prompt: the recording, divided by purpose.
        continuer: generates the tail; None for a silent prompt.
        out: file to write.
        request: properties of the tail.
        clock: of the time spent so far.
        draft: the file is temporary: its loudness is not measured.
        blocks: of the tail, if they are being generated already; None for `tail_blocks`.
        level: that such blocks have already; None for the one that the request asks for.
        follows: whether the tail is meant to be played after the prompt, as all but takes of a set are.

    Returns:
        The sidecar's content, without what predicted.

    Warns:
        AudioWarning: measures of the tail lie far from those of the prompt's own segments; see `jobs.tail_check`.
    """
    recording = prompt.recording
    length, subtype = length_of(recording, request), subtype_of(recording, out, request)
    join_sample = prompt.before_tail.length if request.writes_prompt else 0
    with (
        writer_of(prompt, out, request) as writer,
        clock("generation"),
        progress(request.seconds, f"continuing {out.name}", "s") as bar,
    ):

        def tail() -> Iterator[np.ndarray]:
            for block in blocks or tail_blocks(prompt, continuer, length, request):
                offer(prompt, block)
                yield block
                bar.update(block.shape[1] / recording.sample_rate)

        if request.loudness is not None and level is None:
            before = prompt.before_tail if request.writes_prompt else None
            level = write_at_loudness(writer, before, tail(), request.loudness)
        else:
            if request.writes_prompt:
                writer.append(prompt.before_tail)
            for block in tail():
                writer.write(block, exact=continuer is None)  # silence needs no dither
    with remove_output_on_failure(out), clock("measuring"), stage(f"measuring {out.name}"):
        gain = level.gain_db if level else 0.0
        lossy = subtype not in EXACT_SUBTYPES
        measures, remarks = check_tail(prompt, out, join_sample, request, kind_of(continuer), gain, follows, lossy)
        loudness = level.lufs if level else None if draft else loudness_in(out)
    density, missed = describe_density(continuer)
    remarks[:0] = missed
    if request.loop and continuer is not None and continuer.partials is not None:
        remarks.insert(0, LOOPED_TONES)
    for text in remarks:
        warnings.warn(f"{out}: {text}", AudioWarning, stacklevel=2)
    settings = {key: value for key, value in asdict(request).items() if key != "seed"}
    if events := separate_events(continuer):
        settings["separate_events"] = events
    return {
        "prompt": str(recording.path) if recording.path else None,
        "output": out.name,
        "sample_rate": recording.sample_rate,
        "channels": recording.channels,
        "subtype": subtype,
        "join_sample": join_sample,
        **({"prompt_start": recording.start} if recording.start else {}),  # of a part of the file
        "prompt_range": [prompt.start, prompt.stop],
        **({"material_range": list(prompt.material_range)} if prompt.material_range else {}),  # of a long recording
        "edges": describe_edges(prompt),
        "ambience": asdict(prompt.bed) if prompt.bed is not None else None,
        "length": join_sample + length,
        "seed": request.seed,
        "settings": settings,
        "match_texture": continuer is not None and continuer.matched,
        "versions": versions(),
        "timings": clock.seconds,
        "measures": measures,
        "loudness_lufs": loudness,
        **({"loudness": asdict(level)} if level else {}),
        "drift_guard": dict(continuer.drift_guard) if continuer is not None else None,
        "partials": continuer.partials if continuer is not None else None,
        "density": density,
    }


def describe_density(continuer: AnyContinuer | None) -> tuple[dict[str, Any] | None, list[str]]:
    """The sidecar's account of the density of events, of a morph for either recording; and lines where it is missed."""
    if continuer is None:
        return None, []
    accounts = {name: side.describe() for name, side in continuer.densities.items()}
    missed = {name: side.remark() for name, side in continuer.densities.items()}
    lines = [f"of the events of its {name}, {text}" if name else text for name, text in missed.items() if text]
    return accounts.get("", accounts) or None, lines


def tail_blocks(
    prompt: PromptParts, continuer: AnyContinuer | None, length: int, request: Request
) -> Iterator[np.ndarray]:
    """Blocks ``[channels, time]`` of the requested tail, ``length`` samples in total."""

    def tail(count: int) -> Iterator[np.ndarray]:
        if continuer is None:
            return silence(prompt.recording.channels, count)
        return continuer.tail(count, request.seed, request.temperature, request.controls)

    if not request.loop or continuer is None:
        return tail(length)
    if not request.writes_prompt:
        return loop_on_itself(tail, length, prompt.recording.sample_rate)
    return close_loop(tail(length), length, prompt.before_tail)


def length_of(prompt: Recording, request: Request) -> int:
    """Length of the requested tail in samples per channel.

    Raises:
        InputError: it is 0.
    """
    length = round(request.seconds * prompt.sample_rate)
    if length == 0:
        raise InputError("seconds", f"{request.seconds:g} is less than a sample", "choose a larger value")
    return length


def subtype_of(prompt: Recording, out: Path, request: Request) -> str:
    """Sample format of a tail's file."""
    return request.subtype or subtype_for(prompt, out)


def writer_of(prompt: PromptParts, out: Path, request: Request) -> Writer:
    """Writer of a tail's file."""
    source = prompt.recording
    subtype, place = subtype_of(source, out, request), placement_of(prompt, request)
    metadata = metadata_for(source, place, out, subtype, "continue") if request.metadata else None
    layout, silent = source.layout, source.silent
    return Writer(out, source.sample_rate, source.channels, subtype, request.seed, layout, silent, metadata)


def placement_of(prompt: PromptParts, request: Request) -> Placement:
    """Where a tail's file holds the samples of the prompt."""
    length = length_of(prompt.recording, request)
    if not request.writes_prompt:
        return Placement((), origin=-prompt.stop, loop=length if request.loop else None)
    join = prompt.before_tail.length
    loop = join + length if request.loop else None
    return Placement((Span(prompt.start, prompt.stop, -prompt.start),), -prompt.start, (("join", join),), loop)


def describe_edges(prompt: PromptParts) -> dict[str, Any]:
    """The sidecar's account of what lies at the ends of a prompt."""
    return {name: asdict(edge) for name, edge in zip(("start", "end"), prompt.edges, strict=True)}
