"""The training loop: optimiser steps, validation, weight averaging, early stopping, checkpoints and logs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.models import Model
from audiogen.progress import LoggedBar, progress
from audiogen.training.checkpoints import load_checkpoint, save_checkpoint
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.optimisation import MEASURED_STEPS, OPTIMIZERS, Plateau, TimeBudget, averaged_model, rate_factor
from audiogen.training.processes import Processes

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

LOG_EVERY = 5  # steps
CHECKPOINT_SECONDS = 20.0  # from one checkpoint to the next at most, where steps are slow
DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}
BY_STEPS, BY_BUDGET, BY_PATIENCE = "steps", "budget", "early stopping"
"""Why a training ended: values of ``metrics["stopped_by"]``."""


def seed_of(*numbers: int) -> int:
    """One seed for a tuple of numbers: the noise and dropout of a step depend on the seed and the step alone."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


class TrainingLoop:
    """Minimises a Model's loss on the batches of a DataModule.

    The random numbers of each step depend on the seed and the step alone, so a training that is resumed from a
    checkpoint ends with the same weights as one that was never interrupted.

    Args:
        model: what is trained; it is moved to the device.
        data: source of the batches.
        experiment: its ``training`` decides everything here.
        device: where the Model is trained.
        processes: this process among those that train together.

    Attributes:
        step: optimiser steps taken.
        last_step: step to stop after; a wall-clock budget lowers it.
        schedule_steps: step at which the learning-rate schedule ends.
        losses: named losses of the last step.
        validation_loss: that of the last validation; None before the first.
        evaluated: the Model that is validated and kept: the averaged one, if weights are averaged.
        best_loss, best_step, best_weights: the lowest validation loss, the step of it and the weights there; the
            weights are None until there is a validation.
    """

    def __init__(
        self, model: Model, data: DataModule, experiment: Experiment, device: torch.device, processes: Processes
    ) -> None:
        options = experiment.training
        self.model, self.data, self.options = model.to(device), data, options
        self.device, self.processes = device, processes
        self.validation_batch = to_device(data.validation_batch(), device)
        self.fingerprint = data.fingerprint()
        self.step, self.last_step = 0, options.steps
        self.schedule_steps = options.schedule_steps or options.steps
        self.losses: dict[str, Tensor] = {}
        self.validation_loss: float | None = None
        self.best_loss, self.best_step = math.inf, 0
        self.best_weights: dict[str, Tensor] | None = None
        self.plateau, self.waited, self.exhausted = Plateau(), 0, False
        self.saved = 0.0  # when the last checkpoint was written, on the clock of `time.perf_counter`

        cuda = device.type == "cuda"
        self.precision = DTYPES[options.precision if cuda else "32"]
        self.compute_loss = torch.compile(model.loss) if options.compile and cuda else model.loss
        processes.share_weights(model)
        self.parameters = list(model.parameters())
        self.optimizer = OPTIMIZERS[options.optimizer](self.parameters, options.learning_rate, options.weight_decay)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.average = averaged_model(model, options.ema_decay, options.warmup) if options.ema_decay > 0 else None
        self.evaluated: Any = self.model if self.average is None else self.average.module
        self._set_learning_rate()

    def run(self, budget: TimeBudget | None, writer: EventWriter | None, checkpoint: Path | None) -> None:
        """Train until the last step, the end of the budget or early stopping.

        Args:
            budget: wall-clock limit.
            writer: TensorBoard events; None for none.
            checkpoint: file that checkpoints go to; None for none.
        """
        options = self.options
        validated = self.validation_batch is not None
        self.saved = time.perf_counter()
        with progress(self.last_step, "training", "step") as bar:
            bar.update(self.step)
            while self.step < self.last_step and not self.exhausted:
                rate = self.optimizer.param_groups[0]["lr"]
                norm = self._train_step()
                self._set_learning_rate()
                if budget is not None:
                    self._keep_within(budget)
                if self.average is not None:
                    self.average.update_parameters(self.model)
                ending = self.step >= self.last_step
                if writer is not None and (ending or self.step % LOG_EVERY == 0):
                    extra = {"learning_rate": rate, "gradient_norm": norm}
                    writer.add_losses("train", self.losses | extra, self.step)
                if writer is not None and options.log_media_every and self.step % options.log_media_every == 0:
                    self._log_media(writer)
                if validated and (ending or self.step % options.validate_every == 0):
                    losses = self._validate()
                    if writer is not None:
                        writer.add_losses("validation", losses, self.step)
                if checkpoint is not None and self._checkpoint_is_due():
                    self.save(checkpoint)
                self._show(bar)

    def finish(self) -> dict[str, Any]:
        """Load the weights to keep into the Model, those of the best validation or the last ones; returns metrics.

        Raises:
            InputError: the loss of no validation was finite.
        """
        validated = self.best_weights is not None
        if self.validation_loss is not None and not validated:
            raise InputError("training", "the validation loss is not finite", "lower training.learning_rate")
        self.model.load_state_dict(self.best_weights or self.evaluated.state_dict())
        if self.step >= self.last_step:
            stopped_by = BY_STEPS if self.step >= self.options.steps else BY_BUDGET
        else:
            stopped_by = BY_PATIENCE
        return {
            "steps": self.step,
            "schedule_steps": self.schedule_steps,
            "best_step": self.best_step if validated else self.step,
            "validation_loss": self.best_loss if validated else None,
            "train_loss": float(self.losses["loss"]) if self.losses else None,
            "stopped_by": stopped_by,
        }

    def _train_step(self) -> Tensor:
        """Take one optimiser step; returns the norm of the gradient before it is clipped."""
        batch = self.processes.part_of(self.data.batch(self.step, self.options.batch_size))
        rank = self.processes.rank
        torch.manual_seed(seed_of(self.options.seed, self.step, *([rank] if rank else [])))
        with self._mixed_precision():
            losses = self.compute_loss(self.data.frames(to_device(batch, self.device), augmented=True))
        self.optimizer.zero_grad()
        self.scaler.scale(losses["loss"]).backward()
        self.processes.average_gradients(self.parameters)
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.get_total_norm([weight.grad for weight in self.parameters if weight.grad is not None])
        if self.options.gradient_clip > 0:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.options.gradient_clip, norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self.losses = {name: value.detach() for name, value in losses.items()}
        return norm

    @torch.no_grad()
    def _validate(self) -> Mapping[str, Tensor]:
        """Losses of the validation batch; keeps the best weights, and counts validations without improvement."""
        model = self.evaluated.eval()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), self._mixed_precision():
            torch.manual_seed(self.options.seed)  # the same noise each time, so that losses can be compared
            losses = model.loss(self.data.frames(self.validation_batch))
        model.train()
        [loss] = self.processes.from_main(float(losses["loss"]))
        improved = loss < self.best_loss
        if self.options.schedule == "plateau":
            self.plateau.step(improved)
        self.waited = 0 if improved else self.waited + 1
        self.validation_loss = loss
        if improved:
            self.best_loss, self.best_step = loss, self.step
            self.best_weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        if self.options.patience > 0:
            self.exhausted = self.waited >= self.options.patience or not math.isfinite(loss)
        return losses

    def _mixed_precision(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.precision == torch.float32 else torch.autocast(self.device.type, self.precision)

    def _set_learning_rate(self) -> None:
        """Set the rate of the next step."""
        factor = rate_factor(self.options, self.step, self.schedule_steps) * self.plateau.factor
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * factor

    def _keep_within(self, budget: TimeBudget) -> None:
        """Lower the last step to the budget's, and end the schedule there."""
        now = time.monotonic()
        steps = budget.steps_that_fit(self.step, now)
        if steps is not None:
            self.last_step = min(max(steps, MEASURED_STEPS + 1), self.last_step)
            self.schedule_steps = min(self.last_step, self.schedule_steps)
        if now >= budget.deadline:
            self.last_step = min(self.step, self.last_step)
        self.last_step, self.schedule_steps = map(int, self.processes.from_main(self.last_step, self.schedule_steps))

    def _checkpoint_is_due(self) -> bool:
        """Whether to write one: at each ``checkpoint_every`` steps or, with validations, at the first one from there.

        On a slow machine, and for a slow Model, so many steps take minutes: then at each multiple of ``validate_every``
        that comes `CHECKPOINT_SECONDS` after the last checkpoint, so that an interruption costs no more.

        What a validation changes (best weights, patience, rate) then belongs to the checkpoint. The end of a training
        is left to whoever finishes the Run.
        """
        if self.step >= self.last_step or self.exhausted:
            return False
        since = self.step % self.options.checkpoint_every
        validating = self.step % self.options.validate_every == 0
        if validating and time.perf_counter() - self.saved > CHECKPOINT_SECONDS:
            return True
        if self.validation_batch is None:
            return since == 0
        return validating and since < self.options.validate_every

    def _log_media(self, writer: EventWriter) -> None:
        batch = self.validation_batch
        if batch is None:
            batch = to_device(self.data.batch(self.step, self.options.batch_size), self.device)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            self.model.eval()
            self.data.log_media(self.model, batch, writer, self.step)
            self.model.train()

    def _show(self, bar: Any | LoggedBar) -> None:
        bar.total = self.last_step
        bar.update()
        if self.step % 10 == 0 and not bar.disable:
            shown = {"loss": float(self.losses["loss"]), "validation": self.validation_loss}
            bar.set_postfix({name: f"{loss:.3f}" for name, loss in shown.items() if loss is not None}, refresh=False)

    def save(self, path: Path) -> None:
        """Write a checkpoint, from which `load` continues."""
        state = {
            "data": self.fingerprint,
            "step": self.step,
            "steps": self.options.steps,
            "last_step": self.last_step,
            "schedule_steps": self.schedule_steps,
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "plateau": vars(self.plateau),
            "waited": self.waited,
            "best": (self.best_loss, self.best_step, self.best_weights),
        }
        save_checkpoint(path, state)
        self.saved = time.perf_counter()

    def load(self, path: Path) -> None:
        """Continue from a checkpoint; one whose training came to its end continues with this experiment's steps.

        Raises:
            InputError: it cannot be read, or belongs to other data.
        """
        state = load_checkpoint(path)
        if state["data"] != self.fingerprint:
            cure = "put them back, or train again with --force"
            raise InputError("--resume", "the training data are not those that the training began with", cure)
        self.step, self.waited = state["step"], state["waited"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:  # empty where the training began without mixed precision, as on the CPU
            self.scaler.load_state_dict(state["scaler"])
        if isinstance(self.average, AveragedModel):
            self.average.load_state_dict(state["average"])
        vars(self.plateau).update(state["plateau"])
        self.best_loss, self.best_step, self.best_weights = state["best"]
        if self.options.steps > state["steps"]:
            self.waited = 0
        else:
            self.last_step, self.schedule_steps = state["last_step"], state["schedule_steps"]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """A batch on a device: a tensor, a tuple of tensors, or None."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    return batch if batch is None else tuple(part.to(device, non_blocking=True) for part in batch)
