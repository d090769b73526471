"""`audiogen continue` on a MIDI prompt: its options, and what it does with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audiogen.cli.command import report, say
from audiogen.cli.options import Number
from audiogen.output_names import sidecar_of
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.tunes.tune_continuation import ContinuedTune

PLAIN = {"bars": None, "top_k": 0, "top_p": 1.0, "min_p": 0.01, "takes": 8}
"""What is meant where nothing is asked for: as in `audiogen.jobs.tune_request.TuneRequest`."""
OPTIONS = (
    click.option("--bars", type=click.IntRange(1, 10_000), help="MIDI: bars to add, instead of --seconds."),
    click.option("--top-k", type=click.IntRange(min=0), default=0, help="MIDI: draw from this many likeliest tokens."),
    click.option("--top-p", type=Number(0, 1), default=1.0, help="MIDI: draw from this likeliest share."),
    click.option(
        "--min-p",
        type=Number(0, 1),
        default=PLAIN["min_p"],
        show_default=True,
        help="MIDI: least likelihood, as a share of the likeliest token's.",
    ),
    click.option(
        "--takes",
        type=click.IntRange(1, 99),
        default=PLAIN["takes"],
        show_default=True,
        help="MIDI: tails to choose from.",
    ),
)
SOUND = {
    "loop": False,
    "match_texture": True,
    "vocoder": None,
    "level": 0.0,
    "brightness": 0.0,
    "density": 0.0,
    "morph": None,
    "weight": (),
}


def note_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what only MIDI prompts understand."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def is_midi(path: Path) -> bool:
    """Whether a file's name is that of a MIDI file."""
    from audiogen.file_names import is_midi

    return is_midi(path)


def without(options: dict[str, Any], foreign: dict[str, Any], subject: str) -> dict[str, Any]:
    """The options less those that a prompt of this kind does not understand.

    Raises:
        InputError: one of them was asked for.
    """
    from audiogen.errors import InputError

    for name, plain in foreign.items():
        if options.get(name, plain) != plain:
            raise InputError("--" + name.replace("_", "-"), f"it means nothing for {subject}", "leave it out")
    return {name: value for name, value in options.items() if name not in foreign}


def continue_tune(
    prompt: Path,
    outs: Sequence[Path],
    page: Path | None,
    run_folder: Path | None,
    allow_external_weights: bool,
    config: Path | None,
    overrides: tuple[str, ...],
    budget: float | None,
    device: str,
    asked: dict[str, Any],
) -> None:
    """Continue the MIDI file ``prompt`` into each of ``outs``, and write a page about them where one is named."""
    with stage("loading libraries"):
        from audiogen.jobs.continue_tune import continue_tune, prompt_experiment
        from audiogen.jobs.run_choice import describe_choice
        from audiogen.jobs.tune_request import TuneRequest
        from audiogen.run import Run

    request = TuneRequest(**without(asked, SOUND, "a MIDI prompt"))
    trained = config is not None or overrides or budget
    experiment = prompt_experiment(config, overrides) if run_folder is None and trained else None
    run = Run.open(run_folder, allow_external_weights) if run_folder is not None else None
    wanted = [(path, replace(request, seed=request.seed + index)) for index, path in enumerate(outs)]
    made: list[ContinuedTune] = []
    sidecars: list[dict[str, Any]] = []
    for path, each in zip(outs, continue_tune(prompt, wanted, run, experiment, budget, device), strict=True):
        added = each.sidecar["added"]
        if page is not None:
            made.append(each)
        sidecars.append(each.sidecar)
        say(f"{path}: {added['notes']} notes, {added['seconds']:.2f} s added")
    if page is not None:
        from audiogen.reports.tune_variations_page import write_tune_variations

        with stage("writing the page"):
            write_tune_variations(page, prompt, outs, made)
        say(f"page: {page}")
    said = describe_choice(sidecars[0]["settings"])
    say(f"predicted by: {said}")
    outputs = [
        {**sidecar, "output": path, "sidecar": sidecar_of(path), "predicted_by": {"text": said}}
        for path, sidecar in zip(outs, sidecars, strict=True)
    ]
    report({"outputs": outputs, "page": page})
