"""`audiogen accompany`: generate further parts to a melody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audiogen.cli.command import MODEL, OUTPUT, TUNES, Command, count, option, print_summary, set_json_result
from audiogen.cli.options import EXTERNAL, FILE, FORCE, RUN, output_paths, refuse_to_overwrite, require_input
from audiogen.cli.sampling_options import candidate_options, require_suffix
from audiogen.jobs.tune_request import SamplingOptions
from audiogen.output_names import sidecar_of


@click.command(
    "accompany",
    cls=Command,
    examples=(
        "audiogen train midi/lstm --data chorales/ -o runs/chorales",
        "audiogen accompany melody.mid -o chorale.mid --run runs/chorales --parts 3",
    ),
)
@click.argument("melody", type=FILE)
@option("-o", "--output", "out", group=OUTPUT, type=FILE, required=True, help="File to write: .mid, .wav, ...")
@option("--run", "run_folder", group=MODEL, type=RUN, required=True, help="Run trained on tunes of several parts.")
@option("--parts", group=TUNES, type=click.IntRange(1, 15), default=3, help="Number of parts to add, 1 to 15.")
@option(
    "--program",
    group=TUNES,
    type=click.IntRange(0, 127),
    help="General MIDI program of the new parts, 0 to 127.  [default: the melody's]",
)
@EXTERNAL
@candidate_options
@FORCE
def accompany(
    melody: Path,
    out: Path,
    run_folder: Path,
    parts: int,
    program: int | None,
    allow_external_weights: bool,
    force: bool,
    **options: Any,
) -> None:
    """Generate an accompaniment to MELODY, a MIDI file with any number of parts, which are kept unchanged.

    The Run decides the style: one trained on four-part chorales adds alto, tenor and bass. OUT.json, written beside
    OUT, records the settings and the result.
    """
    require_input(melody)
    output_paths(out, melody)
    require_suffix(out)
    sampling = SamplingOptions(**options)
    refuse_to_overwrite(out, sidecar_of(out), force=force)

    from audiogen.jobs.accompany_tune import accompany
    from audiogen.run import Run

    run = Run.open(run_folder, allow_external_weights)
    sidecar = accompany(melody, out, parts, program, run, sampling)
    notes = sidecar["added"]["notes"]
    set_json_result({**sidecar, "output": out, "sidecar": sidecar_of(out)})
    added = (
        f"{count(notes, 'note')} in {count(parts, 'part')} added"
        if notes
        else "no notes added: the Run predicts silence here"
    )
    print_summary(f"{out}: {added}")
