"""What watches a training: wall-clock budget, progress, checkpoints that survive a kill."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import Callback, EarlyStopping, WeightAveraging
from torch import Tensor
from tqdm import tqdm

from audiogen.progress import LoggedBar, progress
from audiogen.training.optimisation import MEASURED_STEPS

UNTIMED_STEPS = 4  # the first ones are slower than the rest
KEPT_BACK = 0.1  # of what is left of a budget, for validations
BY_STEPS, BY_BUDGET, BY_PATIENCE, CLOSED_FORM = "steps", "budget", "early stopping", "closed form"
"""What ends a training, as ``metrics["stopped_by"]`` says it; a Model in closed form has nothing to be stopped."""


class StopAtLastStep(Callback):
    """Stops after the last step, in a way that still validates there."""

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, *ignored: Any) -> None:
        if trainer.global_step >= module.last_step:
            trainer.should_stop = True
            module.stopped_by = BY_STEPS if trainer.global_step >= module.options.steps else BY_BUDGET


class TimeBudget(Callback):
    """Stops at a wall-clock budget, and ends the learning-rate schedule there.

    The first steps are timed, and last step and horizon are set to the number of steps that fit. They are
    recorded, so that the same training can be asked for by its steps and horizon, on any machine.

    Args:
        seconds: wall clock for the whole training.
        started: `time.monotonic` when it began.
    """

    def __init__(self, seconds: float, started: float) -> None:
        self.deadline = started + seconds
        self._timed: float | None = None

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, *ignored: Any) -> None:
        now, step = time.monotonic(), trainer.global_step
        if now >= self.deadline:
            trainer.should_stop = True
            module.stopped_by = BY_BUDGET
        if step == UNTIMED_STEPS:
            self._timed = now
        if step == MEASURED_STEPS and self._timed is not None:
            each = (now - self._timed) / (MEASURED_STEPS - UNTIMED_STEPS)
            fitting = MEASURED_STEPS + int((1 - KEPT_BACK) * (self.deadline - now) / max(each, 1e-6))
            module.last_step = max(min(fitting, module.last_step), MEASURED_STEPS + 1)
            module.horizon = min(module.last_step, module.horizon)


class Patience(EarlyStopping):
    """Stops after so many validations without improvement; a training that is given more steps has them anew.

    Args:
        monitor: the logged loss.
        patience: validations.
        extended: whether a training that came to its end is given more steps.
    """

    def __init__(self, monitor: str, patience: int, extended: bool = False) -> None:
        super().__init__(monitor, patience=patience, verbose=False)
        self.extended = extended

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        if self.extended:
            self.wait_count = 0

    @property
    def state_key(self) -> str:
        return super().state_key.replace(type(self).__qualname__, EarlyStopping.__qualname__)  # as in old checkpoints


class WeightEMA(WeightAveraging):
    """Exponential moving average of the weights.

    During the warm-up it is the weights themselves: the first steps are far from where they settle and would
    only blur it.

    Args:
        decay: share of the average that a step keeps.
        warmup: steps of the warm-up.
    """

    def __init__(self, decay: float, warmup: int) -> None:
        def average(averaged: Tensor, weight: Tensor, count: Tensor | int) -> Tensor:
            return weight if int(count) <= warmup else decay * averaged + (1 - decay) * weight

        super().__init__(avg_fn=average)


class Progress(Callback):
    """A bar of steps, with the losses beside it."""

    bar: tqdm | LoggedBar | None = None

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        self.bar = progress(module.last_step, "training", "step")
        self.bar.update(trainer.global_step)

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, *ignored: Any) -> None:
        if self.bar is None:
            return
        self.bar.total = module.last_step
        self.bar.update()
        if trainer.global_step % 10 == 0 and not self.bar.disable:
            values = trainer.callback_metrics
            losses = {name: f"{float(values[name]):.3f}" for name in values if "loss" in name}
            self.bar.set_postfix(losses, refresh=False)

    def teardown(self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.close()


class LastCheckpoint(Callback):
    """Writes a checkpoint when a training ends, for --resume with more steps; to come before `WeightEMA`, which
    then puts the average in the weights' place.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        trainer.save_checkpoint(self.path)


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear under their name whole: a kill while one is written leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        part = Path(f"{path}.part")
        super().save_checkpoint(checkpoint, part, storage_options)
        os.replace(part, path)


class Checkpoints(Callback):
    """Writes ``checkpoint.ckpt`` into the Run's folder every so many steps; to be the last callback.

    Where there are validations it is written after one: what a validation changes (best weights, patience,
    rate) then belongs to it. That of the training's end is left to `LastCheckpoint`.

    Args:
        path: of the file.
        every: steps from one to the next.
        validate_every: steps between validations; None for a training without.
    """

    def __init__(self, path: Path, every: int, validate_every: int | None) -> None:
        self.path, self.every, self.validate_every = path, every, validate_every

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, *ignored: Any) -> None:
        if self.validate_every is None and trainer.global_step % self.every == 0:
            self._save(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        # The first validation at or after a multiple of `every`.
        if self.validate_every is not None and trainer.global_step % self.every < self.validate_every:
            self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        if not trainer.should_stop:
            trainer.save_checkpoint(self.path)
