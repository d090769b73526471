"""`audiogen train`: train a model on recordings or MIDI files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audiogen.cli.command import DATA, MODEL, OUTPUT, Command, count, option, print_summary, set_json_result
from audiogen.cli.interruption import was_interrupted
from audiogen.cli.messages import Interrupted
from audiogen.cli.options import CONFIG, DEVICE, EXTERNAL, FILE, FORCE, OVERRIDES, RUN, TRAINING_BUDGET
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.experiment import Experiment


@click.command(
    "train",
    cls=Command,
    examples=(
        "audiogen train mel/lstm-flow --data rain/ -o runs/rain",
        "audiogen train mel/lstm-flow --data rain.wav -o runs/rain --budget 10:00 training.window=6",
        "audiogen train midi/lstm --data tunes/ -o runs/tunes --device cuda",
        "audiogen continue rain.wav -o longer.wav --run runs/rain",
    ),
)
@click.argument("config", type=CONFIG)
@OVERRIDES
@option("--data", group=DATA, type=FILE, required=True, help="Folder of recordings or MIDI files, cache, or one file.")
@option("-o", "--output", "out", group=OUTPUT, type=RUN, required=True, help="Folder of the Run.")
@option("--base", "--run", "base_folder", group=MODEL, type=RUN, help="Fine-tune this Run.")
@EXTERNAL
@TRAINING_BUDGET
@option("--resume", group=OUTPUT, is_flag=True, help="Resume from the last checkpoint of the Run.")
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
    """Train a model with CONFIG: the name of a shipped configuration (`audiogen configs` lists them), or a YAML file.

    A folder is split into training, validation and test sets by recording or tune, a single file in time. Losses,
    spectrograms and audio are logged to RUN/tensorboard. KEY=VALUE overrides the configuration, for example
    training.steps=2000. With --resume, a larger training.steps extends a training that has ended.
    """
    if resume and force:
        raise click.UsageError("--resume continues and --force starts over: choose one")

    from audiogen.config.known_keys import require_known_keys
    from audiogen.errors import InputError

    require_known_keys(config, overrides)
    with stage("loading libraries"):
        from audiogen.experiment import read_experiment

    experiment = read_experiment(config, overrides)
    if not data.exists():
        raise InputError(data, "there is no such file or folder", "name recordings or MIDI files to train on")
    if out.is_file():
        raise InputError(out, "it is a file", "name a folder for the Run")
    if out.exists() and any(out.iterdir()) and not (resume or force):
        raise InputError(out, "it exists already", "use --resume to continue, or --force to start over")

    with stage("loading libraries"):
        from audiogen.audio import read
        from audiogen.run import METRICS, Run
        from audiogen.training.checkpoints import CHECKPOINT
        from audiogen.training.trainer import train as train_run

    before = (out / METRICS).read_bytes() if resume and (out / METRICS).is_file() else None
    base = Run.open(base_folder, allow_external_weights, with_vocoder=False) if base_folder is not None else None
    wanted = experiment.representation.kind
    if base is not None and base.experiment.representation.kind != wanted:
        kinds = {"mel": "recordings", "midi": "tunes"}
        cause = f"it is a Run of {kinds[base.experiment.representation.kind]}"
        raise InputError(base_folder or "--run", cause, f"name one of {kinds[wanted]} for this configuration")
    is_recording = data.is_file() and (base.experiment if base else experiment).representation.kind == "mel"
    with stage(f"reading {data.name}") if is_recording else nullcontext():
        source = read(data) if is_recording else data
    try:
        run = train_run(experiment, source, out, budget, resume, device, base)
    except (KeyboardInterrupt, Exception) as error:
        if (out / CHECKPOINT).is_file() and was_interrupted(error):
            raise Interrupted(f"{out} keeps the last checkpoint", "--resume continues from it") from None
        raise
    was_finished = before is not None and (out / METRICS).read_bytes() == before
    print_summary(f"{out}: {'already finished: ' if was_finished else ''}{outcome(run.metrics, run.experiment)}")
    if budget is not None and not was_finished:
        steps, schedule = run.metrics["steps"], run.metrics["schedule_steps"]
        print_summary(f"to repeat it: training.steps={steps} training.schedule_steps={schedule}")
    set_json_result({"run": out, "finished_before": was_finished, "metrics": run.metrics})


def outcome(metrics: Mapping[str, Any], experiment: Experiment) -> str:
    """How many steps a training took, and why it ended."""
    steps = f"{count(metrics['steps'], 'step')}, best at {metrics['best_step']}"
    max_steps, patience = experiment.training.steps, experiment.training.patience
    return {
        "early stopping": f"{steps}; early stopping: no improvement in {patience} validations (of {max_steps} steps)",
        "budget": f"{steps}; the time limit was reached (of {max_steps} steps)",
        "closed form": "fitted in closed form, without steps",
    }.get(metrics.get("stopped_by", ""), steps)
