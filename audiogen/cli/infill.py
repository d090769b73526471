"""`audiogen infill`: regenerate some bars of a MIDI file."""

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
    "infill",
    cls=Command,
    examples=(
        "audiogen infill tune.mid -o new.mid --bars 9-12",
        "audiogen infill tune.mid -o new.wav --bars 9 --run runs/fiddle --candidates 64",
    ),
)
@click.argument("tune", type=FILE)
@option("-o", "--output", "out", group=OUTPUT, type=FILE, required=True, help="File to write: .mid, .wav, ...")
@option(
    "--bars",
    group=TUNES,
    required=True,
    metavar="FIRST-LAST",
    help="Bars to regenerate, counted from 1: 9-12, or 9.",
)
@option(
    "--run", "run_folder", group=MODEL, type=RUN, help="Use this trained Run.  [default: a Markov chain of the tune]"
)
@EXTERNAL
@candidate_options
@FORCE
def infill(
    tune: Path,
    out: Path,
    bars: str,
    run_folder: Path | None,
    allow_external_weights: bool,
    force: bool,
    **options: Any,
) -> None:
    """Regenerate bars of TUNE, a MIDI file, so that they fit the bars around them (infilling).

    All other notes are kept unchanged. Without --run, a Markov chain is estimated from the other bars. OUT.json,
    written beside OUT, records the settings and the result.
    """
    require_input(tune)
    output_paths(out, tune)
    require_suffix(out)
    first_and_last, sampling = bar_range(bars), SamplingOptions(**options)
    refuse_to_overwrite(out, sidecar_of(out), force=force)

    from audiogen.jobs.infill_tune import infill
    from audiogen.run import Run

    run = Run.open(run_folder, allow_external_weights) if run_folder is not None else None
    sidecar = infill(tune, out, first_and_last, run, sampling)
    set_json_result({**sidecar, "output": out, "sidecar": sidecar_of(out)})
    filled = sidecar["filled"]
    print_summary(f"{out}: {count(filled['notes'], 'note')} in place of {filled['removed']}")


def bar_range(text: str) -> tuple[int, int]:
    """Parse a range of bars: ``"9-12"`` -> (9, 12); ``"9"`` -> (9, 9).

    Raises:
        InputError: another form, or the last bar comes before the first.
    """
    from audiogen.errors import InputError

    cure = "write the first and the last bar, for example 9-12"
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise InputError("--bars", f"{text} is not a range of bars", cure)
    if last and int(last) < int(first):
        raise InputError("--bars", f"{text} ends before it begins", cure)
    return int(first), int(last or first)
