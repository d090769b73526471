"""The job of `audiogen continue` for a recording: continue it into an audio file with a sidecar.

`continue_variations` has the prompt checked and what continues it chosen (`prepare_tail`); `continue_prepared` has each
tail streamed to disk and measured (`tail_file`), and writes OUT.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording, open_recording
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.jobs.best_take import choose_take
from audiogen.jobs.continuer_choice import MorphTarget, Runs, describe_runs
from audiogen.jobs.prepare_tail import PreparedTail, PreparedTails, prepare_tails
from audiogen.jobs.provenance import Clock, collect_warnings, remove_output_on_failure
from audiogen.jobs.pulse_choice import describe_rhythm
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import length_of, write_tail, writer_of
from audiogen.jobs.tails_ahead import TailsAhead
from audiogen.output_names import sidecar_of
from audiogen.progress import stage
from audiogen.sound.prompt_analysis import MATERIAL_SECONDS, PromptParts
from audiogen.text_files import dump_json, write_text

DEFAULT_REQUEST = Request()


def continue_recording(
    prompt: Recording,
    out: Path | str,
    request: Request = DEFAULT_REQUEST,
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    morph_target: MorphTarget | None = None,
    cache: bool = True,
) -> dict[str, Any]:
    """Continue a recording into an audio file, and describe the result in a sidecar beside it.

    Args:
        prompt: the recording to continue.
        out: audio file to write; the suffix names the container. OUT.json is the sidecar.
        request: properties of the tail.
        run: what predicts, one Run or a mixture; None for the base, or one trained on the prompt (`choose_run`).
        experiment: to train on the prompt; None for the default, which the base replaces if it continues better.
        budget: limit of the training time in seconds, infinite for none; None or 0 for the base without training.
        device: to train on: "auto", "cpu" or "cuda".
        morph_target: what the tail morphs into; None for the prompt's own texture throughout.
        cache: whether to look for, and to keep, what is trained (`run_cache`).

    Returns:
        The sidecar's content.

    Raises:
        InputError: the prompt or the request is unusable.
    """
    outputs = [(Path(out), request)]
    variations = continue_variations(
        prompt, outputs, run, experiment, budget, device, morph_target=morph_target, cache=cache
    )
    return next(variations)


def continue_variations(
    prompt: Recording | PromptParts,
    outputs: list[tuple[Path, Request]],
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    prompt_warnings: Sequence[str] = (),
    morph_target: MorphTarget | None = None,
    cache: bool = True,
    takes: int = 1,
    drafts: bool = False,
) -> Iterator[dict[str, Any]]:
    """Continue one recording into several files, with one training and one analysis of the prompt.

    Args:
        prompt: the recording, or its parts if it is divided already. All arguments that are not listed here are those
            of `continue_recording`.
        outputs: path and request of each tail.
        budget: a morph spends half of it on each of its two recordings.
        prompt_warnings: warnings that the sidecars repeat, such as those of reading the prompt.
        takes: tails to generate for each output, of which the best is written (`jobs.best_take`).
        drafts: the files are temporary: their loudness is not measured.

    Yields:
        The content of each sidecar, once its tail is written.
    """

    def rehearse(prepared: PreparedTails) -> None:
        for out, request in outputs:
            length_of(prepared.prompt, request)
            writer_of(prepared.parts(request), out, request).rehearse()

    requests = [request for _, request in outputs]
    with collect_warnings() as general:
        choice = (morph_target, run, experiment, budget, device, cache)
        prepared = prepare_tails(prompt, requests, *choice, before_training=rehearse)
    with TailsAhead(prepared, requests, threads=None if takes == 1 else 1) as ahead:
        for index, (out, request) in enumerate(outputs):
            with collect_warnings() as particular:
                tail, blocks = ahead.tail(index)
            given = [*prompt_warnings, *prepared.warnings_of(request, general), *particular]
            yield continue_prepared(prepared, tail, out, request, given, takes, drafts, blocks)


def continue_prepared(
    prepared: PreparedTails,
    tail: PreparedTail,
    out: Path,
    request: Request,
    prompt_warnings: Sequence[str] = (),
    takes: int = 1,
    draft: bool = False,
    blocks: Iterator[np.ndarray] | None = None,
) -> dict[str, Any]:
    """Write the tail of one of the requests that a prompt was prepared for; see `continue_variations`.

    Args:
        tail: what generates it: `PreparedTails.tail` of the request, or of `TailsAhead`.
        blocks: of the tail, if they are being generated already.
    """
    parts, continuer = tail
    with collect_warnings() as particular:
        spent, plan = Clock(prepared.clock.seconds), dict[str, Any]()
        if takes > 1 and continuer is not None:
            with spent("choosing"):
                request, plan["plan"] = choose_take(parts, continuer, request, takes)
        sidecar = write_tail(parts, continuer, out, request, spent, draft, blocks) | plan
    return write_sidecar(prepared, out, request, sidecar, [*prompt_warnings, *particular])


def write_sidecar(
    prepared: PreparedTails, out: Path, request: Request, sidecar: dict[str, Any], texts: list[str]
) -> dict[str, Any]:
    """Complete what `write_tail` says of a tail, and write it beside the output, which is removed if that fails.

    Args:
        texts: all warnings.
    """
    with remove_output_on_failure(out):
        sidecar["settings"] |= _describe(prepared, request)
        sidecar["warnings"] = texts
        write_text(sidecar_of(out), dump_json(sidecar))
    return sidecar


def _describe(prepared: PreparedTails, request: Request) -> dict[str, Any]:
    """The sidecar's account of what generates a tail."""
    rhythm = prepared.rhythm_of(request)
    if rhythm is not None:
        return describe_runs(None) | {"rhythm": describe_rhythm(rhythm)}
    described = describe_runs(prepared.run)
    if (target := prepared.morph_target) is not None:
        path = target.recording.path
        described["morph"] = {"recording": str(path) if path else None, **describe_runs(target.run or prepared.run)}
    return described


def read_prompt(path: Path, start: float | None = None, stop: float | None = None) -> tuple[Recording, list[str]]:
    """Read a prompt, or a part of it, and collect the warnings about it; of a long one, only its end is held.

    Args:
        path: audio file.
        start, stop: of the part to read, seconds; None for the beginning and the end.

    Raises:
        InputError: it cannot be read, or it has no such part.
    """
    with collect_warnings() as texts, stage(f"reading {path.name}"):
        recording = open_recording(path, start, stop, MATERIAL_SECONDS)
    if not recording.length:
        part = f"from {start or 0:g} s" + ("" if stop is None else f" to {stop:g} s")
        raise InputError(path, f"it has nothing {part}", "choose another part (`audiogen info` shows its length)")
    return recording, texts
