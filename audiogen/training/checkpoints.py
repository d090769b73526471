"""What a Run's folder says of the training that made it, or that was cut off in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from audiogen.audio import AudioWarning
from audiogen.config.schema import differences, read_tree
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml
from audiogen.run import CONFIG, METRICS, STATISTICS, WEIGHTS, Run
from audiogen.text_files import write_text
from audiogen.training.vocoder.vocoder_run import VocoderRun

OPENED: dict[str, Callable[[Path], Any]] = {
    "model": partial(Run.open, allow_external_weights=True),  # the command line has named what its configuration names
    "vocoder": VocoderRun.open,
}
"""How a Run is read, by its task."""
CHECKPOINT, TENSORBOARD = "checkpoint.ckpt", "tensorboard"
ENDED = "ended.ckpt"  # that of the end, until the Run is written
STEPS = "training.steps"


def begin(experiment: Experiment, folder: Path) -> None:
    """Make ``folder`` that of a training that has just begun: what an earlier one left there is removed."""
    for name in (METRICS, WEIGHTS, STATISTICS, CHECKPOINT, ENDED):
        (folder / name).unlink(missing_ok=True)
    for events in (folder / TENSORBOARD).glob("events.out.tfevents.*"):
        events.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, dump_yaml(experiment))


def finished(folder: Path, experiment: Experiment) -> Any | None:
    """The experiment's Run in ``folder``, of a Model or of a vocoder, if its training came to its end."""
    return OPENED[experiment.training.task](folder) if (folder / METRICS).is_file() else None


def extends(experiment: Experiment, folder: Path) -> bool:
    """Whether the experiment is that of the training in ``folder``, but for more steps.

    Raises:
        InputError: it is another experiment, or the training is finished and there is nothing to go on from.
    """
    if not (folder / CONFIG).is_file():
        return False
    # Through YAML, as the saved one went.
    trained = read_tree(folder / CONFIG)
    changed = differences(trained, yaml.safe_load(dump_yaml(experiment)))
    more = changed == [STEPS] and experiment.training.steps > trained["training"]["steps"]
    if more and (folder / METRICS).is_file() and not (folder / CHECKPOINT).is_file():
        cause = "its training is finished, and there is no checkpoint of its end to go on from"
        raise InputError(folder, cause, "train on from it into another Run with --base, or anew with --force")
    if changed and not more:
        raise InputError(
            folder,
            f"its training began with another {', '.join(changed)}",
            "resume with what it began with (or more training.steps), or train anew with --force",
        )
    return more


def checkpoint_in(folder: Path) -> Path | None:
    """The checkpoint to go on from; None, with a warning, where there is none."""
    if (folder / CHECKPOINT).is_file():
        return folder / CHECKPOINT
    text = f"{folder}: there is no checkpoint to resume, so the training starts from its beginning"
    warnings.warn(text, AudioWarning, stacklevel=2)
    return None
