"""Train a Model or a vocoder: recordings or tunes in, a Run out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from audiogen import __version__
from audiogen.audio import Recording
from audiogen.devices import pick_device
from audiogen.errors import InputError
from audiogen.experiment import Experiment, checked
from audiogen.models import Model
from audiogen.progress import report_to, stage
from audiogen.run import Run
from audiogen.training.checkpoints import (
    CHECKPOINT,
    FINAL_CHECKPOINT,
    TENSORBOARD,
    begin,
    checkpoint_in,
    extends,
    finished,
    remove_without_checkpoint,
)
from audiogen.training.data_module import DataModule
from audiogen.training.loop import TrainingLoop, seed_of
from audiogen.training.mel.mel_data_module import mel_data_module
from audiogen.training.mel.mel_splits import with_channels
from audiogen.training.optimisation import TimeBudget
from audiogen.training.processes import joined_processes
from audiogen.training.tunes.critic_data_module import critic_data_module
from audiogen.training.tunes.fine_tuning_data_module import fine_tuning_data_module
from audiogen.training.tunes.tune_data_module import tune_data_module
from audiogen.training.vocoder.vocoder_data_module import vocoder_data_module
from audiogen.tunes.tune import Tune

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

DATA_MODULES: dict[str, Callable[[Experiment, object, Path | None, Run | None], DataModule]] = {
    "mel": mel_data_module,
    "midi": tune_data_module,
    "vocoder": vocoder_data_module,
    "fine_tune": fine_tuning_data_module,
    "critic": critic_data_module,
}
"""Data modules by `task_of` an experiment."""
CLOSED_FORM = "closed form"
"""Value of ``metrics["stopped_by"]`` for a Model without weights to optimise."""


def train(
    experiment: Experiment,
    data: Recording | Tune | Path,
    folder: Path | None = None,
    budget: float | None = None,
    resume: bool = False,
    device: str = "auto",
    base: Run | None = None,
) -> Run:
    """Train a Model or a vocoder and return its Run.

    Started by ``torchrun``, the processes train together, one on each GPU, and share the windows of each batch.

    Args:
        experiment: what to train and how.
        data: for ``mel``, one Recording (split in time), or a folder of recordings or a cache (split by recording);
            for ``midi``, one Tune or MIDI file (split in time), or a folder or data set of tunes (split by tune).
        folder: where the Run, its checkpoints and its TensorBoard events are written, in place of a Run that is there;
            None keeps everything in memory.
        budget: wall-clock limit in seconds; None stops by the experiment's steps and patience alone.
        resume: continue from the folder's checkpoint, if there is one; a finished training is only opened, unless the
            experiment has more steps.
        device: "auto", "cpu" or "cuda".
        base: Run to fine-tune: its Model and Representation take the place of the experiment's. With ``training.task:
            fine_tune``, a reward decides what is better; else the loss on the data. With ``critic``, what is told from
            the data.

    Raises:
        InputError: unusable data, a missing device, values out of range, a loss that is not finite, a base for a
            vocoder, or an experiment or data other than those of the training to resume.
    """
    started = time.monotonic()
    where = pick_device(device)
    if base is not None:
        if experiment.training.task == "vocoder":
            raise InputError("--base", "a vocoder is not trained from a Model", "give vocoder_training.init_from=RUN")
        experiment = replace(experiment, representation=base.experiment.representation)
        if experiment.training.task != "critic":
            experiment = replace(experiment, model=base.experiment.model)
        if experiment.training.task in ("fine_tune", "critic"):
            named = "" if base.path is None else str(base.path)
            experiment = replace(experiment, fine_tuning=replace(experiment.fine_tuning, base=named))
    experiment = with_channels(checked(experiment), data.channels if isinstance(data, Recording) else 1)
    checkpoint = None
    if folder is not None and resume:
        if not extends(experiment, folder) and (run := finished(folder, experiment)) is not None:
            return run
        checkpoint = checkpoint_in(folder)
    with joined_processes(where) as processes, report_to(_nothing if processes.rank else None), ExitStack() as cleanup:
        processes.require_equal_parts(experiment.training.batch_size)
        if processes.count > 1 and experiment.training.task == "fine_tune":
            # Each process would adapt the weight of the divergence by its own tails.
            raise InputError("training.task", "fine-tuning runs in one process", "start it without torchrun")
        cleanup.enter_context(remove_without_checkpoint(None if processes.rank else folder))
        with processes.main_first():
            with stage("preparing the training data") if not _is_folder(data) else nullcontext():
                source = DATA_MODULES[task_of(experiment)](experiment, data, folder, base)
            if processes.rank:
                folder = None
            elif folder is not None and checkpoint is None:
                begin(experiment, folder)
        with _own_randomness(where), _event_writer(folder) as writer:
            torch.manual_seed(seed_of(experiment.training.seed, 0))
            with stage("fitting in closed form") if base is None else nullcontext():
                model = source.initial_model(experiment, base)
            if any(weight.requires_grad for weight in model.parameters()):
                loop = TrainingLoop(model, source, experiment, where, processes)
                if checkpoint is not None:
                    loop.load(checkpoint)
                limit = TimeBudget(budget, started) if budget is not None else None
                loop.run(limit, writer, folder / CHECKPOINT if folder is not None else None)
                if folder is not None:
                    loop.save(folder / FINAL_CHECKPOINT)
                outcome = loop.finish()
            else:
                outcome = _closed_form_outcome(model, source, experiment, writer)
            with stage("measuring the trained model"):
                run = _run_of(model, source, experiment, outcome, time.monotonic() - started)
            if writer is not None and folder is not None:
                writer.add_outcome(folder.name, experiment, run.metrics)
        with processes.main_first():  # so that no process looks for the Run before it is written
            if folder is not None:
                run.save(folder)
                run.path = folder
                if (folder / FINAL_CHECKPOINT).is_file():
                    (folder / FINAL_CHECKPOINT).replace(folder / CHECKPOINT)
    return run


def task_of(experiment: Experiment) -> str:
    """Key of the experiment's `DATA_MODULES`: its task, or for "model" the kind of the Representation."""
    task = experiment.training.task
    return experiment.representation.kind if task == "model" else task


def _run_of(model: Model, data: DataModule, experiment: Experiment, outcome: dict[str, Any], seconds: float) -> Run:
    """The Run of a trained Model, with its metrics."""
    weights = list(model.parameters())
    if not all(bool(weight.isfinite().all()) for weight in weights):
        raise InputError("training", "the loss is not finite any more", "lower training.learning_rate")
    metrics = outcome | {
        "parameters": sum(weight.numel() for weight in weights),
        "seconds": round(seconds, 2),
        "device": str(weights[0].device) if weights else "cpu",
        "version": __version__,
        "split": data.split,
    }
    for name in ("train_loss", "validation_loss"):
        if metrics[name] is not None and not math.isfinite(metrics[name]):
            metrics[name] = None
    model.cpu().eval()
    return data.run(experiment, model, metrics | data.report(model))


def _closed_form_outcome(
    model: Model, data: DataModule, experiment: Experiment, writer: EventWriter | None
) -> dict[str, Any]:
    """Metrics of a Model without weights to optimise: its losses on a training batch and the validation batch."""
    training = experiment.training
    losses: dict[str, float | None] = {"train": None, "validation": None}
    for split, batch in {"train": data.batch(0, training.batch_size), "validation": data.validation_batch()}.items():
        if batch is None:
            continue
        with torch.no_grad():
            found = model.eval().loss(data.frames(batch))
        losses[split] = float(found["loss"])
        if writer is not None:
            writer.add_losses(split, found, 0)
    return {
        "steps": 0,
        "schedule_steps": training.schedule_steps or training.steps,
        "best_step": 0,
        "validation_loss": losses["validation"],
        "train_loss": losses["train"],
        "stopped_by": CLOSED_FORM,
    }


def _event_writer(folder: Path | None) -> AbstractContextManager[EventWriter | None]:
    """A writer of TensorBoard events, closed at the end of the block; None without a folder."""
    if folder is None:
        return nullcontext()
    from audiogen.training.tensorboard import EventWriter  # loads TensorBoard

    return EventWriter(str(folder / TENSORBOARD))


def _is_folder(data: object) -> bool:
    """Whether the data are read with a progress bar of their own."""
    return isinstance(data, Path) and data.is_dir()


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Leaves the caller's random generators as they were."""
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
        yield


def _nothing(*ignored: object) -> None:
    """Takes the progress of processes other than the first, and shows none."""
