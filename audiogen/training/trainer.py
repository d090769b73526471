"""Train a Model: a recording, a folder or a cache in, a Run out."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback
from torch.utils.data import DataLoader

from audiogen import __version__
from audiogen.audio import Recording
from audiogen.devices import pick_device
from audiogen.errors import InputError
from audiogen.experiment import Experiment, checked
from audiogen.progress import stage
from audiogen.representation import Representation
from audiogen.run import Run
from audiogen.training.callbacks import (
    CLOSED_FORM,
    AtomicCheckpoints,
    Checkpoints,
    LastCheckpoint,
    Patience,
    Progress,
    StopAtLastStep,
    TimeBudget,
    WeightEMA,
)
from audiogen.training.checkpoints import CHECKPOINT, ENDED, TENSORBOARD, begin, checkpoint_in, extends, finished
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.mel.mel_data_module import mel_data_module
from audiogen.training.mel.mel_splits import decided
from audiogen.training.tensorboard import EventLogger
from audiogen.training.training_module import VALIDATION, Batches, TrainingModule, seed_of
from audiogen.training.tunes.tune_data_module import tune_data_module
from audiogen.training.vocoder.vocoder_data_module import vocoder_data_module
from audiogen.tunes.tune import Tune

DATA_MODULES: dict[str, Callable[[Experiment, object, Path | None, Representation | None], DataModule]] = {
    "mel": mel_data_module,
    "midi": tune_data_module,
    "vocoder": vocoder_data_module,
}
"""What a training learns from, by the kind of its Representation, or of a vocoder's training (see `task_of`)."""
LOG_EVERY = 5  # steps
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
TALKATIVE = ("pytorch_lightning", "lightning_fabric", "lightning")


def train(
    experiment: Experiment,
    data: Recording | Tune | Path,
    folder: Path | None = None,
    budget: float | None = None,
    resume: bool = False,
    device: str = "auto",
    base: Run | None = None,
) -> Run:
    """Train a Model by the experiment and return the Run.

    Args:
        experiment: what to train and how.
        data: for ``mel``, one Recording (split in time), or a folder of recordings or a cache (split by recording);
            for ``midi``, one Tune or MIDI file (split in time), or a folder or data set of tunes (split by tune).
        folder: where the Run, its checkpoints and its TensorBoard events go, instead of what a Run there
            held; None keeps everything in memory.
        budget: most wall-clock seconds; None stops by the experiment's steps and patience alone.
        resume: go on from the folder's checkpoint, if there is one; a training that is finished is only
            opened, unless the experiment has more steps.
        device: "auto", "cpu" or "cuda".
        base: what to go on from: its Model and its Representation take the place of the experiment's.

    Raises:
        InputError: unusable data, a device that is not there, values out of range, a loss that is no number, a base
            that is no vocoder's, or another experiment or other data than that of the training to be resumed.
    """
    started = time.monotonic()
    where = pick_device(device)
    if base is not None:
        if experiment.training.task == "vocoder":
            raise InputError(
                "--base", "a vocoder goes on from no Model", "name weights: vocoder_training.init_from=RUN"
            )
        experiment = replace(experiment, representation=base.experiment.representation, model=base.experiment.model)
    experiment = decided(checked(experiment), data.channels if isinstance(data, Recording) else 1)
    checkpoint, extended = None, False
    if folder is not None and resume:
        extended = extends(experiment, folder)
        if not extended and (run := finished(folder, experiment)) is not None:
            return run
        checkpoint = checkpoint_in(folder)
    with stage("preparing the training data") if not _counted(data) else nullcontext():
        lessons = DATA_MODULES[task_of(experiment)](experiment, data, folder, base.representation if base else None)
    if folder is not None and checkpoint is None:
        begin(experiment, folder)
    with _own_randomness(where), _quiet():
        torch.manual_seed(seed_of(experiment.training.seed, 0))
        model = lessons.new_model(experiment)
        if base is None:
            with stage("fitting what has a closed form"):
                model.fit_closed_form(lessons.sequences())
        else:
            model.load_state_dict(base.model.state_dict())
        fitting = TrainingModule(model, lessons, experiment)
        held = lessons.validation()
        trainer = fitting.trainer = _trainer(fitting, folder, budget, started, where, held is not None, extended)
        losses: dict[str, float] = {}
        if any(weight.requires_grad for weight in model.parameters()):
            _fit(trainer, fitting, held, checkpoint)
        else:  # prepared, and done
            losses = _measured(fitting, held)
    with stage("measuring the trained model"):
        run = _finished(fitting, lessons, time.monotonic() - started, losses)
    if folder is not None:
        if isinstance(trainer.logger, EventLogger):
            trainer.logger.log_outcome(folder.name, fitting.experiment, run.metrics)
        run.save(folder)
        run.path = folder
        if (folder / ENDED).is_file():
            (folder / ENDED).replace(folder / CHECKPOINT)
    return run


def _counted(data: object) -> bool:
    """Whether the data are read with a bar of their own."""
    return isinstance(data, Path) and data.is_dir()


def _measured(fitting: TrainingModule, held: Batch | None) -> dict[str, float]:
    """The losses of a Model in closed form, on one batch of the training part and on what is held back; logged, too."""
    fitting.stopped_by = CLOSED_FORM
    found = {}
    batches = {"train": fitting.lessons.batch(0, fitting.options.batch_size), "validation": held}
    for part, batch in batches.items():
        if batch is None:
            continue
        with torch.no_grad():
            losses = fitting.model.eval().loss(fitting.lessons.frames(batch))
        found[f"{part}_loss"] = float(losses["loss"])
        if isinstance(fitting.trainer.logger, EventLogger):
            fitting.trainer.logger.log_losses(part, losses, 0)
    return found


def task_of(experiment: Experiment) -> str:
    """Key of the experiment's `DATA_MODULES`."""
    return "vocoder" if experiment.training.task == "vocoder" else experiment.representation.kind


def _fit(trainer: lightning.Trainer, fitting: TrainingModule, held: Batch | None, checkpoint: Path | None) -> None:
    """`Trainer.fit`, but Ctrl-C stays Ctrl-C: the library exits with 1, and goes deaf to any further one."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        trainer.fit(fitting, *_loaders(fitting, held), ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


def _loaders(fitting: TrainingModule, held: Batch | None) -> tuple[DataLoader, DataLoader | None]:
    batches = Batches(fitting.lessons, fitting.options.batch_size, lambda: fitting.global_step)
    validation: Any = None if held is None else DataLoader([held], batch_size=None)  # type: ignore[arg-type]
    return DataLoader(batches, batch_size=None), validation


def _trainer(
    fitting: TrainingModule,
    folder: Path | None,
    budget: float | None,
    started: float,
    device: torch.device,
    validated: bool,
    extended: bool,
) -> lightning.Trainer:
    options = fitting.options
    cuda = device.type == "cuda"
    return lightning.Trainer(
        accelerator="cuda" if cuda else "cpu",
        devices=1,
        max_steps=options.steps,
        max_epochs=-1,
        precision=PRECISIONS[options.precision if cuda else "32"],  # type: ignore[arg-type]
        gradient_clip_val=options.gradient_clip or None,
        val_check_interval=options.validate_every if validated else None,
        check_val_every_n_epoch=None,
        limit_val_batches=1.0 if validated else 0,
        num_sanity_val_steps=0,
        log_every_n_steps=LOG_EVERY,
        callbacks=_callbacks(fitting, folder, budget, started, validated, extended),
        logger=EventLogger(folder, TENSORBOARD) if folder is not None else False,
        plugins=[AtomicCheckpoints()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _callbacks(
    fitting: TrainingModule, folder: Path | None, budget: float | None, started: float, validated: bool, extended: bool
) -> list[Callback]:
    """In the order in which they are called: what changes a training comes before what records it."""
    options = fitting.options
    callbacks: list[Callback] = [Progress()]
    if budget is not None:
        callbacks.append(TimeBudget(budget, started))
    callbacks.append(StopAtLastStep())
    if folder is not None:
        callbacks.append(LastCheckpoint(folder / ENDED))
    if options.ema_decay > 0:
        callbacks.append(WeightEMA(options.ema_decay, options.warmup))
    if validated and options.patience > 0:
        callbacks.append(Patience(VALIDATION, options.patience, extended))
    if folder is not None and options.log_media_every > 0:
        callbacks.append(fitting.lessons.listening(options.log_media_every))
    if folder is not None:
        interval = options.validate_every if validated else None
        callbacks.append(Checkpoints(folder / CHECKPOINT, options.checkpoint_every, interval))
    return callbacks


def _finished(fitting: TrainingModule, lessons: DataModule, seconds: float, losses: Mapping[str, float]) -> Any:
    model, trainer = fitting.model, fitting.trainer
    if fitting.best_weights is not None:
        model.load_state_dict(fitting.best_weights)
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        raise InputError("training", "the loss is no number any more", "lower training.learning_rate")
    loss = float(trainer.callback_metrics.get("train/loss", math.nan))
    metrics: dict[str, Any] = {
        "steps": trainer.global_step,
        "schedule_steps": fitting.horizon,
        "best_step": fitting.best_step if fitting.best_weights is not None else trainer.global_step,
        "validation_loss": fitting.best_loss if fitting.best_weights is not None else None,
        "train_loss": loss if math.isfinite(loss) else None,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "seconds": round(seconds, 2),
        "device": str(fitting.device),
        "stopped_by": fitting.stopped_by,
        "version": __version__,
        "split": lessons.split,
        **{name: loss if math.isfinite(loss) else None for name, loss in losses.items()},
    } | lessons.report(model.cpu().eval())
    return lessons.run(fitting.experiment, model.cpu().eval(), metrics)


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """The training's draws leave the caller's generators as they were."""
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """The trainer library talks a lot; what matters is said by audiogen itself."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="(pytorch_lightning|lightning_fabric|torch).*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
