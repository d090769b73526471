"""The Model under the trainer: one step, one validation, the best weights kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.models import Model
from audiogen.training.callbacks import BY_PATIENCE
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.optimisation import OPTIMIZERS, Plateau, rate_factor

VALIDATION = "validation/loss"
CURE = "put them back, or train anew with --force"


class Batches(IterableDataset):
    """Endless batches from the step at hand on: a resumed training goes on where it stopped."""

    def __init__(self, lessons: DataModule, size: int, step: Callable[[], int]) -> None:
        self.lessons, self.size, self.step = lessons, size, step

    def __iter__(self) -> Iterator[Batch]:
        step = self.step()
        while True:
            yield self.lessons.batch(step, self.size)
            step += 1


def seed_of(seed: int, step: int) -> int:
    """One number for each (seed, step): noise and dropout of a step do not depend on how it was reached."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


class TrainingModule(lightning.LightningModule):
    """Trains a Model on its Lessons."""

    def __init__(self, model: Model, lessons: DataModule, experiment: Experiment) -> None:
        super().__init__()
        self.statistics = lessons.fingerprint()
        self.model, self.experiment, self.options = model, experiment, experiment.training
        self.lessons = lessons
        self.last_step = self.options.steps
        self.horizon = self.options.schedule_steps or self.options.steps
        self.plateau = Plateau()
        self.best_loss, self.best_step = math.inf, 0
        self.best_weights: dict[str, Tensor] | None = None
        self.stopped_by = BY_PATIENCE  # unless a callback that stops it says otherwise
        self.compute_loss = model.loss

    def setup(self, stage: str) -> None:
        if self.options.compile and self.device.type == "cuda":
            self.compute_loss = torch.compile(self.model.loss)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        torch.manual_seed(seed_of(self.options.seed, self.global_step))
        losses = self.compute_loss(self.lessons.frames(batch, augmented=True))
        self.log_dict({f"train/{name}": value.detach() for name, value in losses.items()})
        self.log("train/learning_rate", self.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr]
        return losses["loss"]

    def validation_step(self, batch: Batch, index: int) -> None:
        # Averaged weights are in place here. The noise is the same each time, so that losses can be compared.
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.options.seed)
            losses = self.model.loss(self.lessons.frames(batch))
        self.log_dict({f"validation/{name}": value for name, value in losses.items()})
        loss = float(losses["loss"])
        if self.options.schedule == "plateau":
            self.plateau.look(loss)
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, self.global_step
            weights = self.model.state_dict()
            self.best_weights = {name: value.detach().cpu().clone() for name, value in weights.items()}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        self.log("train/gradient_norm", torch.nn.utils.get_total_norm(gradients))

    def configure_optimizers(self) -> Any:
        options = self.options
        make = OPTIMIZERS[options.optimizer]
        optimizer = make(self.parameters(), options.learning_rate, options.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_factor(options, step, self.horizon) * self.plateau.factor
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["fitting"] = {
            "statistics": self.statistics,
            "steps": self.options.steps,
            "last_step": self.last_step,
            "horizon": self.horizon,
            "plateau": vars(self.plateau),
            "best": (self.best_loss, self.best_step, self.best_weights),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint["fitting"]
        if saved["statistics"] != self.statistics:
            raise InputError("--resume", "the recordings are not those that the training began with", CURE)
        if self.options.steps <= saved.get("steps", self.options.steps):  # more: this experiment's own
            self.last_step, self.horizon = saved["last_step"], saved["horizon"]
        vars(self.plateau).update(saved["plateau"])
        self.best_loss, self.best_step, self.best_weights = saved["best"]
