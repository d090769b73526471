"""The folder of a training: its checkpoints, and whether a training there is finished or can be resumed."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
import yaml

from audiogen.audio import AudioWarning
from audiogen.config.trees import differences, read_tree
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml
from audiogen.run import CONFIG, METRICS, STATISTICS, WEIGHTS, Run
from audiogen.text_files import write_text
from audiogen.training.vocoder.vocoder_run import VocoderRun
from audiogen.tunes.rewards.critic import CriticRun

_open_run = partial(Run.open, allow_external_weights=True)  # the command line has named what its configuration names
OPENED: dict[str, Callable[[Path], Any]] = {
    "model": _open_run,
    "vocoder": VocoderRun.open,
    "fine_tune": _open_run,
    "critic": CriticRun.open,
}
"""How to open a Run, by ``training.task``."""
CHECKPOINT, TENSORBOARD = "checkpoint.ckpt", "tensorboard"
FINAL_CHECKPOINT = "ended.ckpt"  # replaces the last checkpoint once the Run is written
STEPS = "training.steps"
FORMAT = 2
"""Version of the checkpoint's content; another one is refused."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically: a kill meanwhile leaves the former one intact."""
    part = Path(f"{path}.part")
    torch.save({"format": FORMAT, **state}, part)
    os.replace(part, path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote, on the CPU; nothing in the file is executed.

    Raises:
        InputError: it cannot be read, or another version of audiogen wrote it.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(path, f"it cannot be read ({reason})", "train again with --force") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(path, "another version of audiogen wrote this checkpoint", "train again with --force")
    return state


def begin(experiment: Experiment, folder: Path) -> None:
    """Prepare the folder of a new training: remove what an earlier one left, and write the configuration."""
    for name in (METRICS, WEIGHTS, STATISTICS, CHECKPOINT, FINAL_CHECKPOINT):
        (folder / name).unlink(missing_ok=True)
    for events in (folder / TENSORBOARD).glob("events.out.tfevents.*"):
        events.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, dump_yaml(experiment))


@contextmanager
def remove_without_checkpoint(folder: Path | None) -> Iterator[None]:
    """Remove what a training wrote if it is interrupted, or fails, before its first checkpoint.

    What is left would be no use to --resume, and would make the same command refuse the folder.

    Args:
        folder: of the Run; None for a training that writes nothing.
    """
    if folder is None:
        yield
        return
    before = _entries(folder)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except (KeyboardInterrupt, InputError):
        if not any((folder / name).is_file() for name in (CHECKPOINT, METRICS)):
            after, config = _entries(folder), folder / CONFIG
            own = {config, folder / TENSORBOARD} if after.get(config) != before.get(config) else set()
            for path in (after.keys() - before.keys()) | (after.keys() & own):
                rmtree(path) if path.is_dir() else path.unlink()
            for path in missing:
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()
        raise


def _entries(folder: Path) -> dict[Path, int]:
    """What a folder holds, with the time of its last change."""
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()} if folder.is_dir() else {}


def finished(folder: Path, experiment: Experiment) -> Any | None:
    """The Run in a folder, of a Model or a vocoder, if its training is finished; else None."""
    return OPENED[experiment.training.task](folder) if (folder / METRICS).is_file() else None


def extends(experiment: Experiment, folder: Path) -> bool:
    """Whether an experiment differs from that of the training in a folder by more steps, and by nothing else.

    Raises:
        InputError: it differs otherwise, or the training is finished and left no checkpoint to continue from.
    """
    if not (folder / CONFIG).is_file():
        return False
    trained = read_tree(folder / CONFIG)
    changed = differences(trained, yaml.safe_load(dump_yaml(experiment)))  # through YAML, as the saved one went
    longer = STEPS in changed and experiment.training.steps > trained["training"]["steps"]
    more = longer and changed == [STEPS]
    if more and (folder / METRICS).is_file() and not (folder / CHECKPOINT).is_file():
        cause = "its training is finished, and it left no checkpoint to continue from"
        raise InputError(folder, cause, "fine-tune it into another Run with --base, or train again with --force")
    if changed and not more:
        raise InputError(
            folder,
            f"its training began with another {', '.join(key for key in changed if not (longer and key == STEPS))}",
            "resume with the same settings (or more training.steps), or train again with --force",
        )
    return more


def checkpoint_in(folder: Path) -> Path | None:
    """The checkpoint to resume from; None, with a warning, if there is none."""
    if (folder / CHECKPOINT).is_file():
        return folder / CHECKPOINT
    text = f"{folder}: there is no checkpoint to resume from, so the training starts from the beginning"
    warnings.warn(text, AudioWarning, stacklevel=2)
    return None
