"""`audiogen fill`: fill a gap between two recordings, or replace a segment of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from audiogen.cli.command import MODEL, OUTPUT, Command, option, print_summary, set_json_result
from audiogen.cli.options import (
    BUDGET,
    DEVICE,
    EXTERNAL,
    FILE,
    FORCE,
    METADATA,
    RUN,
    SEED,
    SUBTYPE,
    VOCODER,
    Duration,
    output_paths,
    refuse_to_overwrite,
    require_input,
    temperature_option,
)
from audiogen.errors import InputError
from audiogen.jobs.request import Request
from audiogen.output_names import sidecar_of
from audiogen.progress import stage


@click.command(
    cls=Command,
    examples=(
        "audiogen fill before.wav after.wav -o whole.wav --seconds 4",
        "audiogen fill interview-room.wav -o clean.wav --from 12.0 --to 15.5",
        "audiogen fill clip.wav -o patch.wav --from 1:02.5 --to 1:03.1 --gap-only",
    ),
)
@click.argument("before", metavar="BEFORE|CLIP", type=FILE)
@click.argument("after", metavar="[AFTER]", type=FILE, required=False)
@option("-o", "--output", "out", group=OUTPUT, type=FILE, required=True, help="File to write: .wav, .flac, ...")
@option(
    "--seconds",
    group=OUTPUT,
    type=Duration(min=0, min_open=True),
    help="Length of the gap between BEFORE and AFTER in seconds, or as 0:04.",
)
@option("--from", "start", group=OUTPUT, type=Duration(min=0), help="Start in CLIP of the segment to replace.")
@option("--to", "stop", group=OUTPUT, type=Duration(min=0), help="End in CLIP of the segment to replace.")
@option("--gap-only", group=OUTPUT, is_flag=True, help="Write only what fills the gap.")
@SEED
@SUBTYPE
@METADATA
@temperature_option()
@VOCODER
@option("--run", "run_folder", group=MODEL, type=RUN, help="Use this trained Run.")
@EXTERNAL
@BUDGET
@DEVICE
@FORCE
def fill(
    before: Path,
    after: Path | None,
    out: Path,
    start: float | None,
    stop: float | None,
    seconds: float | None,
    gap_only: bool,
    run_folder: Path | None,
    allow_external_weights: bool,
    budget: float | None,
    device: str,
    force: bool,
    **options: Any,
) -> None:
    """Fill the gap between BEFORE and AFTER, or replace a segment of CLIP, such as a cough, by its surroundings.

    Two continuations meet in the gap, one that leaves BEFORE and one that arrives at AFTER. Everything outside the gap
    stays as it is, sample for sample. OUT.json measures both seams against the recording's own changes.
    """
    if after is None and (start is None or stop is None or seconds is not None):
        raise InputError("fill", "one recording needs the segment to replace", "add --from and --to, or name AFTER")
    if after is not None and (seconds is None or start is not None or stop is not None):
        raise InputError("fill", "two recordings need the length of the gap", "add --seconds, without --from and --to")
    if run_folder is not None and budget is not None:
        raise InputError("--run", "a Run is already trained", "leave out --budget")
    request = Request(**options)
    require_input(before, after)
    output_paths(out, before, after)
    refuse_to_overwrite(out, sidecar_of(out), force=force)
    with stage("loading libraries"):
        from audiogen.jobs.continue_sound import read_prompt
        from audiogen.jobs.fill_gap import Gap, fill_gap, gap_in
        from audiogen.sound.run_mixture import open_runs

    first, remarks = read_prompt(before)
    if after is None:
        assert start is not None
        assert stop is not None
        gap = gap_in(first, start, stop)
    else:
        assert seconds is not None
        second, more = read_prompt(after)
        gap, remarks = Gap(first, second, round(seconds * first.sample_rate)), [*remarks, *more]
    run = open_runs((run_folder,), (), allow_external_weights) if run_folder is not None else None
    sidecar = fill_gap(gap, out, request, run, None, budget, device, gap_only, remarks)
    position = gap.before.length / gap.sample_rate
    where = f"from {position:.3f} to {position + gap.seconds:.3f} s"
    if gap_only:
        where = f"{where} of {before.name}" if after is None else f"the {gap.seconds:.3f} s after {before.name}"
    print_summary(f"{out}: {'fills' if gap_only else 'filled'} {where}; details in {sidecar_of(out).name}")
    settings = {name: value for name, value in sidecar["settings"].items() if name not in ("experiment", "training")}
    set_json_result({**sidecar, "output": out, "sidecar": sidecar_of(out), "settings": settings})
