"""What watches a training: wall-clock budget, progress, checkpoints that survive a kill."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.callbacks import Callback

from audiogen.progress import progress
from audiogen.training.module import Fitting

MEASURED_STEPS = 15  # within the warm-up, whose rates do not depend on the horizon


class Budget(Callback):
    """Stops at a wall-clock budget, and ends the learning-rate schedule there.

    The first steps are timed, and the schedule's horizon is set to the number of steps that fit. It is recorded, so
    that the same training can be asked for by steps and horizon, on any machine.

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
        if step == 3:
            self._timed = now
        if step == MEASURED_STEPS and self._timed is not None and isinstance(module, Fitting):
            each = (now - self._timed) / (MEASURED_STEPS - 3)
            # A tenth is left for validations.
            fitting = MEASURED_STEPS + int(0.9 * (self.deadline - now) / max(each, 1e-6))
            module.horizon = max(min(fitting, module.horizon), MEASURED_STEPS + 1)
        if step >= module.horizon:
            trainer.should_stop = True


class Progress(Callback):
    """A bar of steps, with the losses beside it."""

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.bar = progress(trainer.max_steps, "training", "step")
        self.bar.update(trainer.global_step)

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, *ignored: Any) -> None:
        self.bar.update()
        if trainer.global_step % 10 == 0 and not self.bar.disable:
            losses = {name: f"{float(value):.3f}" for name, value in trainer.callback_metrics.items() if "loss" in name}
            self.bar.set_postfix(losses, refresh=False)

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        self.bar.close()

    def on_exception(self, trainer: lightning.Trainer, module: lightning.LightningModule, error: BaseException) -> None:
        if hasattr(self, "bar"):
            self.bar.close()


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear under their name whole: a kill while one is written leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        part = Path(f"{path}.part")
        super().save_checkpoint(checkpoint, part, storage_options)
        os.replace(part, path)


class Checkpoints(Callback):
    """Writes ``checkpoint.ckpt`` into the Run's folder every so many steps."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, *ignored: Any) -> None:
        # The average must have taken this step in: callbacks run in order, and this one is the last.
        if trainer.global_step % self.every == 0:
            trainer.save_checkpoint(self.path)
