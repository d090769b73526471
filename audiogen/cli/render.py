"""audiogen render: a job file in, a folder of clips and a results table out."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.command import Command, report, say
from audiogen.cli.options import BUDGET, DEVICE, EXTERNAL, FILE, FORCE, require_extra
from audiogen.progress import stage, write_line


@click.command(cls=Command)
@click.argument("jobs", type=FILE)
@click.option("-o", "--output", "folder", type=FILE, required=True, metavar="DIR", help="Folder for clips and results.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")
@click.option("--engine", default="local", show_default=True, help="Who hands out the work: local or ray.")
@click.option("--resume", is_flag=True, help="Go on in DIR: check what is finished, make the rest.")
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
    resume: bool,
    allow_external_weights: bool,
    budget: float | None,
    device: str,
    force: bool,
) -> None:
    """Make every clip of JOBS, a .csv, .jsonl or .yaml file.

    Its columns: prompt, and optionally name, run, weights, morph, config, seconds, seed, temperature, level,
    brightness, density, tail_only, loop, match_texture, vocoder and subtype. Relative paths start from the job
    file's folder. Several Runs that predict together, and their weights, are written with ; between. In .jsonl
    and .yaml, a list instead of a value stands for a row of each. Seconds may be written as 4:00. Beside the clips,
    DIR/results.csv and results.jsonl say what became of each row.

    Exit code: 0 all rows are finished, 1 some failed, 2 the job file or DIR cannot be used.
    """
    if resume and force:
        raise click.UsageError("--resume goes on and --force starts over: choose one")

    if engine == "ray":
        require_extra("ray", "--engine ray")  # before every prompt is read

    with stage("loading libraries"):
        from audiogen.jobs.batch.render import render as render_jobs
        from audiogen.jobs.batch.results import FAILED, FINISHED, TABLE

    def tell(line: str) -> None:
        write_line(line)

    external = allow_external_weights
    results = render_jobs(jobs, folder, workers, engine, resume, force, budget, device, tell, external)
    failed, made = len(results.with_status(FAILED)), len(results.with_status(FINISHED))
    report({"table": folder / TABLE, "finished": made, "failed": failed, "rows": list(results.records.values())})
    say(f"{folder / TABLE}: {made} finished, {failed} failed")
    if failed:
        context.exit(1)
