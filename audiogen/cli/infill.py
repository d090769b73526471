"""audiogen infill: some bars of a MIDI file, played anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audiogen.cli.command import Command, report, say
from audiogen.cli.options import EXTERNAL, FILE, FORCE, places, require_input
from audiogen.cli.sampling_options import drawing_options, require_suffix
from audiogen.output_names import sidecar_of


@click.command("infill", cls=Command)
@click.argument("tune", type=FILE)
@click.option("-o", "--output", "out", type=FILE, required=True, help="File to write: .mid, .wav, ...")
@click.option("--bars", required=True, metavar="FIRST-LAST", help="Bars to play anew, from 1 on: 9-12, or 9.")
@click.option("--run", "run_folder", type=FILE, help="Predict by this Run.")
@EXTERNAL
@drawing_options
@FORCE
def infill(
    tune: Path,
    out: Path,
    bars: str,
    run_folder: Path | None,
    allow_external_weights: bool,
    force: bool,
    **asked: Any,
) -> None:
    """Play some bars of TUNE, a MIDI file, anew, so that they lead from the bars before them to those behind.

    All other notes stay as they are. Without --run, a Markov chain learns from the other bars. Beside OUT, OUT.json
    says what was done.
    """
    require_input(tune)
    places(out, tune, force=force)
    require_suffix(out)
    chosen = bars_of(bars)

    from audiogen.jobs.infill_tune import infill
    from audiogen.jobs.tune_request import SamplingOptions
    from audiogen.run import Run

    run = Run.open(run_folder, allow_external_weights) if run_folder is not None else None
    told = infill(tune, out, chosen, run, SamplingOptions(**asked))
    report({**told, "output": out, "sidecar": sidecar_of(out)})
    say(f"{out}: {told['filled']['notes']} notes instead of {told['filled']['removed']}")


def bars_of(text: str) -> tuple[int, int]:
    """``"9-12"`` -> (9, 12); ``"9"`` -> (9, 9).

    Raises:
        InputError: it is neither, or ends before it begins.
    """
    from audiogen.errors import InputError

    cure = "write the first and the last one, for example 9-12"
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise InputError("--bars", f"{text} names no bars", cure)
    if last and int(last) < int(first):
        raise InputError(
            "--bars", f"{text} ends before it begins", "write the first and the last one, for example 9-12"
        )
    return int(first), int(last or first)
