"""audiogen train: a configuration and recordings in, a Run out."""

from __future__ import annotations

from pathlib import Path

import click

from audiogen.cli.options import DEVICE, FILE, FORCE, OVERRIDES, TRAINING_BUDGET


@click.command("train", cls=Command)
@click.argument("config", type=FILE)
@OVERRIDES
@click.option("--data", type=FILE, required=True, help="A folder of recordings or tunes, a cache, or one file.")
@click.option("-o", "--output", "out", type=FILE, required=True, help="Folder of the Run.")
@click.option("--base", "base_folder", type=FILE, help="Go on from this Run: its representation and its model.")
@TRAINING_BUDGET
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in the Run's folder.")
@DEVICE
@FORCE
def train(
    config: Path,
    overrides: tuple[str, ...],
    data: Path,
    out: Path,
    base_folder: Path | None,
    budget: float | None,
    resume: bool,
    device: str,
    force: bool,
) -> None:
    """Train a model by the YAML file CONFIG.

    A folder is split by recording or tune, a single one in time. Losses, pictures and audio land in RUN/tensorboard.
    KEY=VALUE overrides the configuration, for example training.steps=2000.
    """
    if resume and force:
        raise click.UsageError("--resume goes on and --force trains anew: choose one")

    from audiogen.errors import InputError
    from audiogen.experiment import read_experiment

    experiment = read_experiment(config, overrides)
    if not data.exists():
        raise InputError(data, "there is no such file or folder", "name recordings to train on")
    if out.is_file():
        raise InputError(out, "it is a file", "name a folder for the Run")
    if out.exists() and any(out.iterdir()) and not (resume or force):
        raise InputError(out, "it exists already", "use --resume to go on, --force to train anew")

    from audiogen.audio import read
    from audiogen.run import Run
    from audiogen.training.fit import train as train_run

    base = Run.open(base_folder) if base_folder is not None else None
    heard = (base.experiment if base else experiment).representation.kind == "mel"
    source = read(data) if heard and data.is_file() else data
    run = train_run(experiment, source, out, budget, resume, device, base)
    click.echo(f"{out}: {run.metrics['steps']} steps, best at {run.metrics['best_step']}")
    if budget is not None:
        steps, horizon = run.metrics["steps"], run.metrics["horizon"]
        click.echo(f"the same again: training.steps={steps} training.horizon={horizon}")
