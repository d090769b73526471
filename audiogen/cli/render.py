"""`audiogen render`: render many continuations from a table of jobs."""

from __future__ import annotations

import re
from pathlib import Path

import click

from audiogen.cli.command import GENERAL, OUTPUT, Command, option, print_summary, set_json_result
from audiogen.cli.options import BUDGET, DEVICE, EXTERNAL, FILE, FORCE, Suggestion, require_extra, require_input
from audiogen.errors import InputError
from audiogen.progress import stage, write_line


@click.command(
    cls=Command,
    examples=(
        "audiogen render jobs.csv -o clips",
        "audiogen render jobs.csv -o clips --resume --workers 8",
        "audiogen render jobs.yaml -o clips --engine ray --workers 64 --budget 30",
        "audiogen render jobs.csv -o clips --shard $SLURM_ARRAY_TASK_ID/16",
    ),
)
@click.argument("jobs", type=FILE)
@option("-o", "--output", "folder", group=OUTPUT, type=FILE, required=True, metavar="DIR", help="Folder to write.")
@option("--resume", group=OUTPUT, is_flag=True, help="Keep finished clips and make the rest.")
@option("--workers", group=GENERAL, type=click.IntRange(1, 256), default=1, help="Worker processes, 1 to 256.")
@option(
    "--engine",
    group=GENERAL,
    type=Suggestion("engine", lambda: ("local", "ray")),
    default="local",
    help="Execution engine: local or ray.",
)
@option(
    "--shard",
    group=GENERAL,
    metavar="I/N",
    help="Render part I of N of the rows only, such as 2/8; other processes render the others into the same DIR.",
)
@EXTERNAL
@BUDGET
@DEVICE
@FORCE
@click.pass_context
def render(
    context: click.Context,
    jobs: Path,
    folder: Path,
    workers: int,
    engine: str,
    shard: str | None,
    resume: bool,
    allow_external_weights: bool,
    budget: float | None,
    device: str,
    force: bool,
) -> None:
    """Render one continuation per row of JOBS, a .csv, .jsonl or .yaml file.

    Columns: prompt, and optionally name, run, weights, morph, config, seconds, seed, temperature, level, brightness,
    density, tail_only, loop, keep_edges, ambience, match_texture, vocoder, subtype, metadata, loudness and raw; they
    mean what the options of `audiogen continue` mean. Relative paths are relative to the folder of the job file.
    Several Runs, and their weights, are separated by a semicolon. Seconds may be written as 4:00. In .jsonl and .yaml,
    a list in place of a value makes a row of each.

    DIR receives the clips, results.csv and results.jsonl, which record the status of each row.

    Exit code: 0 if all rows are finished, 1 if some failed, 2 if the job file or DIR cannot be used.
    """
    if resume and force:
        raise click.UsageError("--resume continues and --force starts over: choose one")

    part = None if shard is None else _shard(shard)
    require_input(jobs)
    if engine == "ray":
        require_extra("ray", "--engine ray")  # before every prompt is read

    with stage("loading libraries"):
        from audiogen.jobs.batch.render import render as render_jobs
        from audiogen.jobs.batch.results_table import FAILED, FINISHED

    results = render_jobs(
        jobs, folder, workers, engine, resume, force, budget, device, write_line, allow_external_weights, part
    )
    failed, finished = len(results.with_status(FAILED)), len(results.with_status(FINISHED))
    rows = list(results.records.values())
    set_json_result({"table": results.table, "finished": finished, "failed": failed, "rows": rows})
    print_summary(f"{results.table}: {finished} finished, {failed} failed")
    if failed:
        context.exit(1)


def _shard(text: str) -> tuple[int, int]:
    """Parse ``I/N``."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if match is None:
        raise InputError("--shard", f"{text!r} is not a part of a whole", "write 2/8 for the second of eight parts")
    return int(match[1]), int(match[2])
