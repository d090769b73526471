"""Train a Model: a recording, a folder or a cache in, a Run out."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, EMAWeightAveraging
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from audiogen.audio import AudioWarning, Recording
from audiogen.devices import pick_device
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, write_text
from audiogen.run import CONFIG, Run, new_model
from audiogen.training.callbacks import AtomicCheckpoints, Budget, Checkpoints, Progress
from audiogen.training.listening import Listening
from audiogen.training.material import Material, decided, fit_representation, of_folder, of_recording, windows_of
from audiogen.training.module import VALIDATION, Batches, Fitting, seed_of

CHECKPOINT, CACHE, TENSORBOARD = "checkpoint.ckpt", "cache", "tensorboard"
VALIDATION_WINDOWS = 16


def train(
    experiment: Experiment,
    data: Recording | Path,
    folder: Path | None = None,
    budget: float | None = None,
    resume: bool = False,
    device: str = "auto",
) -> Run:
    """Train a Model by the experiment and return the Run.

    Args:
        experiment: what to train and how.
        data: one Recording (split in time), or a folder of recordings or a cache (split by recording).
        folder: where the Run, its checkpoints and its TensorBoard events go; None keeps everything in memory.
        budget: most wall-clock seconds; None stops by the experiment's steps and patience alone.
        resume: go on from the folder's checkpoint, if there is one.
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: unusable data, or a device that is not there.
    """
    started = time.monotonic()
    _quiet()
    channels = data.channels if isinstance(data, Recording) else 1
    experiment = decided(experiment, channels)
    material = _material(experiment, data, folder)
    representation = fit_representation(material, experiment.representation.options)
    torch.manual_seed(seed_of(experiment.training.seed, 0))
    model = new_model(experiment, representation)
    fitting = Fitting(model, representation, experiment)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / CONFIG, dump_yaml(experiment))
    trainer = _trainer(fitting, folder, budget, started, pick_device(device), bool(material.validation))
    checkpoint = folder / CHECKPOINT if folder is not None else None
    known = checkpoint if resume and checkpoint is not None and checkpoint.exists() else None
    trainer.fit(fitting, *_loaders(fitting, material), ckpt_path=known, weights_only=False if known else None)
    if trainer.interrupted:
        raise KeyboardInterrupt
    run = _finished(fitting, material, time.monotonic() - started)
    if folder is not None:
        run.save(folder)
        run.path = folder
    return run


def _material(experiment: Experiment, data: Recording | Path, folder: Path | None) -> Material:
    options, training = experiment.representation.options, experiment.training
    if isinstance(data, Recording):
        return of_recording(data, options, training.shares)
    if folder is None:
        raise InputError(data, "a folder is trained on into a Run", "name one with -o")
    return of_folder(data, folder / CACHE, options, training.shares, training.seed)


def _loaders(fitting: Fitting, material: Material) -> tuple[DataLoader, DataLoader | None]:
    options = fitting.options
    windows = windows_of(material.train, fitting.representation, options.window, options.seed)
    batches = Batches(windows, options.batch, lambda: fitting.global_step)
    if not material.validation:
        return DataLoader(batches, batch_size=None), None
    held = windows_of(material.validation, fitting.representation, options.window, options.seed)
    # What is held back is centred like what was trained on: its own mean is part of what is to be predicted.
    if len(material.train) == 1:
        held.centres = windows.centres
    return DataLoader(batches, batch_size=None), DataLoader([held.spread(VALIDATION_WINDOWS)], batch_size=None)  # type: ignore[arg-type]


def _trainer(
    fitting: Fitting, folder: Path | None, budget: float | None, started: float, device: torch.device, validated: bool
) -> lightning.Trainer:
    options = fitting.options
    cuda = device.type == "cuda"
    callbacks: list[Callback] = [Progress()]
    if options.average > 0:
        # The first steps are far from where the weights settle and would only blur the average.
        callbacks.append(EMAWeightAveraging(decay=options.average, update_starting_at_step=options.warmup))
    if validated and options.patience > 0:
        callbacks.append(EarlyStopping(VALIDATION, patience=options.patience, verbose=False))
    if budget is not None:
        callbacks.append(Budget(budget, started))
    if folder is not None and options.listen_every > 0:
        callbacks.append(Listening(options.listen_every))
    if folder is not None:
        callbacks.append(Checkpoints(folder / CHECKPOINT, options.checkpoint_every))
    logger = TensorBoardLogger(folder, name="", version=TENSORBOARD) if folder is not None else False
    return lightning.Trainer(
        accelerator="cuda" if cuda else "cpu",
        devices=1,
        max_steps=options.steps,
        max_epochs=-1,
        precision={"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[options.precision if cuda else "32"],  # type: ignore[arg-type]
        gradient_clip_val=options.clip or None,
        val_check_interval=options.validate_every if validated else None,
        check_val_every_n_epoch=None,
        limit_val_batches=1.0 if validated else 0,
        num_sanity_val_steps=0,
        log_every_n_steps=5,
        callbacks=callbacks,
        logger=logger,
        plugins=[AtomicCheckpoints()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _finished(fitting: Fitting, material: Material, seconds: float) -> Run:
    if fitting.best_weights is not None:
        fitting.model.load_state_dict(fitting.best_weights)
    metrics: dict[str, Any] = {
        "steps": fitting.trainer.global_step,
        "horizon": fitting.horizon,
        "best_step": fitting.best_step,
        "validation_loss": fitting.best_loss if fitting.best_weights is not None else None,
        "train_loss": float(fitting.trainer.callback_metrics.get("train/loss", float("nan"))),
        "parameters": sum(weight.numel() for weight in fitting.model.parameters()),
        "seconds": round(seconds, 2),
        "device": str(fitting.device),
        "split": material.split,
    }
    return Run(fitting.experiment, fitting.representation, fitting.model.cpu().eval(), metrics)


def _quiet() -> None:
    """The trainer library talks a lot; what matters is said by audiogen itself."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="(pytorch_lightning|lightning_fabric|torch).*")
    warnings.filterwarnings("default", category=AudioWarning)
