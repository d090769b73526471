"""audiogen train: a configuration and recordings in, a Run out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audiogen.cli.command import Command, report, say
from audiogen.cli.options import CONFIG, DEVICE, EXTERNAL, FILE, FORCE, OVERRIDES, TRAINING_BUDGET
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.experiment import Experiment


@click.command("train", cls=Command)
@click.argument("config", type=CONFIG)
@OVERRIDES
@click.option("--data", type=FILE, required=True, help="A folder of recordings or tunes, a cache, or one file.")
@click.option("-o", "--output", "out", type=FILE, required=True, help="Folder of the Run.")
@click.option("--base", "base_folder", type=FILE, help="Go on from this Run: its representation and its model.")
@EXTERNAL
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
    allow_external_weights: bool,
    budget: float | None,
    resume: bool,
    device: str,
    force: bool,
) -> None:
    """Train a model by CONFIG: the name of a shipped configuration (`audiogen configs` lists them), or a YAML file.

    A folder is split by recording or tune, a single one in time. Losses, pictures and audio land in RUN/tensorboard.
    KEY=VALUE overrides the configuration, for example training.steps=2000. With --resume, a larger training.steps
    goes on with a training that came to its end.
    """
    if resume and force:
        raise click.UsageError("--resume goes on and --force trains anew: choose one")

    from audiogen.config.known_keys import require_known_keys
    from audiogen.errors import InputError

    require_known_keys(config, overrides)
    with stage("loading libraries"):
        from audiogen.experiment import read_experiment

    experiment = read_experiment(config, overrides)
    if not data.exists():
        raise InputError(data, "there is no such file or folder", "name recordings to train on")
    if out.is_file():
        raise InputError(out, "it is a file", "name a folder for the Run")
    if out.exists() and any(out.iterdir()) and not (resume or force):
        raise InputError(out, "it exists already", "use --resume to go on, --force to train anew")

    with stage("loading libraries"):
        from audiogen.audio import read
        from audiogen.run import METRICS, Run
        from audiogen.training.trainer import train as train_run

    before = (out / METRICS).read_bytes() if resume and (out / METRICS).is_file() else None
    base = Run.open(base_folder, allow_external_weights, with_vocoder=False) if base_folder is not None else None
    heard = (base.experiment if base else experiment).representation.kind == "mel"
    with stage(f"reading {data.name}") if heard and data.is_file() else nullcontext():
        source = read(data) if heard and data.is_file() else data
    run = train_run(experiment, source, out, budget, resume, device, base)
    finished_before = before is not None and (out / METRICS).read_bytes() == before
    say(f"{out}: {'it is finished already: ' if finished_before else ''}{ending(run.metrics, run.experiment)}")
    if budget is not None and not finished_before:
        steps, schedule = run.metrics["steps"], run.metrics["schedule_steps"]
        say(f"the same again: training.steps={steps} training.schedule_steps={schedule}")
    report({"run": out, "finished_before": finished_before, "metrics": run.metrics})


def ending(metrics: Mapping[str, Any], experiment: Experiment) -> str:
    """How far a training came, and why it ended there."""
    told = f"{metrics['steps']} steps, best at {metrics['best_step']}"
    wanted, patience = experiment.training.steps, experiment.training.patience
    return {
        "early stopping": f"{told}; stopped early: no improvement in {patience} validations ({wanted} steps allowed)",
        "budget": f"{told}; the time budget ended it ({wanted} steps allowed)",
        "closed form": "fitted in closed form: there are no steps to take",
    }.get(metrics.get("stopped_by", ""), told)
