"""`audiogen watch`: continue recordings as they appear in a folder."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import GENERAL, OUTPUT, Command, option, print_summary, set_json_result
from audiogen.cli.options import BUDGET, DEVICE, EXTERNAL, FILE, RUN, Duration, Suggestion
from audiogen.errors import InputError
from audiogen.progress import stage, write_line


def _presets() -> list[str]:
    from audiogen.jobs.presets import PRESETS

    return list(PRESETS)


@click.command(
    cls=Command,
    examples=(
        "audiogen watch incoming continued --budget 0",
        "audiogen watch incoming loops --preset bed",
        "audiogen watch incoming continued --preset rain-settings.yaml --once",
    ),
)
@click.argument("folder", metavar="IN", type=FILE)
@click.argument("outputs", metavar="OUT", type=FILE)
@option(
    "--preset",
    group=OUTPUT,
    type=Suggestion("preset", _presets),
    default="longer",
    help="Settings of each tail: longer (30 s), long (4 minutes), bed (a loop of 60 s), variation (the tail alone), or "
    "a YAML file of options of `audiogen continue`, such as `seconds: 60`.",
)
@option(
    "--interval",
    group=GENERAL,
    type=Duration(min=0.05),
    default=2.0,
    help="Seconds between two looks at IN. A file whose size has not changed in between is complete.",
)
@option("--once", group=GENERAL, is_flag=True, help="End when all recordings in IN have been tried.")
@option("--run", "run_folder", group=GENERAL, type=RUN, help="Use this trained Run for all recordings.")
@EXTERNAL
@BUDGET
@DEVICE
@click.pass_context
def watch(
    context: click.Context,
    folder: Path,
    outputs: Path,
    preset: str,
    interval: float,
    once: bool,
    run_folder: Path | None,
    allow_external_weights: bool,
    budget: float | None,
    device: str,
) -> None:
    """Continue each recording in the folder IN into OUT, and those that appear later, until Ctrl-C.

    IN/rain.flac becomes OUT/rain.wav, with its metadata and a sidecar. A recording whose output exists is left alone
    until it changes; one that cannot be continued is reported, and tried again when it changes.

    Exit code: 130 after Ctrl-C; with --once 0 if all recordings were continued, 1 if some failed.
    """
    from audiogen.jobs.presets import find_preset

    if run_folder is not None and budget is not None:
        raise InputError("--run", "a Run is already trained", "leave out --budget")
    request = find_preset(preset)
    with stage("loading libraries"):
        from audiogen.jobs.batch.tasks import describe_error
        from audiogen.jobs.continue_sound import continue_variations, read_prompt
        from audiogen.jobs.watch import Watcher
        from audiogen.jobs.watch import watch as watch_folder
        from audiogen.sound.run_mixture import open_runs

    watcher = Watcher(folder, outputs)
    run = open_runs((run_folder,), (), allow_external_weights) if run_folder is not None else None

    def make(recording: Path, out: Path) -> None:
        prompt, remarks = read_prompt(recording)
        for _ in continue_variations(prompt, [(out, request)], run, None, budget, device, remarks):
            pass

    print_summary(f"watching {folder}; Ctrl-C ends")
    made, failed = [], []
    for recording, out, error in watch_folder(watcher, make, interval, once):
        if error is None:
            made.append(out)
            print_summary(f"{out}: continues {recording.name}")
        else:
            failed.append({"recording": recording, "error": describe_error(error)})
            write_line(f"audiogen: error: {describe_error(error)}")
    set_json_result({"outputs": made, "failed": failed})
    if failed:
        context.exit(1)
