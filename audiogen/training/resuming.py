"""What a Run's folder says of the training that made it, or that was cut off in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from audiogen.audio import AudioWarning
from audiogen.configuration import differences, read_tree
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, write_text
from audiogen.run import CONFIG, METRICS, STATISTICS, WEIGHTS, Run
from audiogen.training.vocoder_run import VocoderRun

OPENED: dict[str, Callable[[Path], Any]] = {
    "model": partial(Run.open, allow_external_weights=True),  # the command line has named what its configuration names
    "vocoder": VocoderRun.open,
}
"""How a Run is read, by its task."""
CHECKPOINT, TENSORBOARD = "checkpoint.ckpt", "tensorboard"


def begin(experiment: Experiment, folder: Path) -> None:
    """Make ``folder`` that of a training that has just begun: what an earlier one left there is removed."""
    for name in (METRICS, WEIGHTS, STATISTICS, CHECKPOINT):
        (folder / name).unlink(missing_ok=True)
    for events in (folder / TENSORBOARD).glob("events.out.tfevents.*"):
        events.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, dump_yaml(experiment))


def finished(folder: Path, experiment: Experiment) -> Any | None:
    """The experiment's Run in ``folder``, of a Model or of a vocoder, if its training came to its end."""
    return OPENED[experiment.training.task](folder) if (folder / METRICS).is_file() else None


def refuse_changes(experiment: Experiment, folder: Path) -> None:
    """Raise an InputError if the training in ``folder`` is that of another experiment."""
    if not (folder / CONFIG).is_file():
        return
    # Through YAML, as the saved one went.
    changed = differences(read_tree(folder / CONFIG), yaml.safe_load(dump_yaml(experiment)))
    if changed:
        raise InputError(
            folder,
            f"its training began with another {', '.join(changed)}",
            "resume with what it began with, or train anew with --force",
        )


def checkpoint_in(folder: Path) -> Path | None:
    """The checkpoint to go on from; None, with a warning, where there is none."""
    if (folder / CHECKPOINT).is_file():
        return folder / CHECKPOINT
    text = f"{folder}: there is no checkpoint to resume, so the training starts from its beginning"
    warnings.warn(text, AudioWarning, stacklevel=2)
    return None
