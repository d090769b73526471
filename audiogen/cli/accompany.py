"""audiogen accompany: a melody in, the melody with further parts out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audiogen.cli.command import Command, report, say
from audiogen.cli.options import EXTERNAL, FILE, FORCE, places, require_input
from audiogen.cli.sampling_options import drawing_options, require_suffix
from audiogen.output_names import sidecar_of


@click.command("accompany", cls=Command)
@click.argument("melody", type=FILE)
@click.option("-o", "--output", "out", type=FILE, required=True, help="File to write: .mid, .wav, ...")
@click.option("--run", "run_folder", type=FILE, required=True, help="Predict by this Run, of tunes of several parts.")
@click.option("--parts", type=click.IntRange(1, 15), default=3, show_default=True, help="Parts to add.")
@click.option("--program", type=click.IntRange(0, 127), help="General MIDI program of the new parts.")
@EXTERNAL
@drawing_options
@FORCE
def accompany(
    melody: Path,
    out: Path,
    run_folder: Path,
    parts: int,
    program: int | None,
    allow_external_weights: bool,
    force: bool,
    **asked: Any,
) -> None:
    """Let further parts play along with MELODY, a MIDI file of any number of parts, which stays as it is.

    The Run decides what it sounds like: one that has learned four-part chorales (audiogen train
    configs/midi/lstm.yaml --data FOLDER -o RUN) adds alto, tenor and bass. Beside OUT, OUT.json says what was done.
    """
    require_input(melody)
    places(out, melody, force=force)
    require_suffix(out)

    from audiogen.jobs.infill_tune import accompany
    from audiogen.jobs.tune_request import SamplingOptions
    from audiogen.run import Run

    run = Run.open(run_folder, allow_external_weights)
    told = accompany(melody, out, parts, program, run, SamplingOptions(**asked))
    count = told["added"]["notes"]
    nothing = "no note added: the Run plays nothing beside what is given"
    report({**told, "output": out, "sidecar": sidecar_of(out)})
    say(f"{out}: {count} notes in {parts} parts added" if count else f"{out}: {nothing}")
