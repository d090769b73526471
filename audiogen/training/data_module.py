"""What a training is fed: batches by step, what is held back, and how both become the Model's frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pytorch_lightning.callbacks import Callback
from torch import Tensor

from audiogen.experiment import Experiment
from audiogen.models import Model
from audiogen.representation import Representation
from audiogen.run import Run, new_model

Batch = Any
"""Tensors, alone or in a tuple: what the trainer library moves to the device."""


class DataModule(ABC):
    """One for each Representation.

    Attributes:
        representation: fitted on the training part.
        split: recording or tune -> part, or the stretches of a single one.
    """

    representation: Representation
    split: dict[str, str]

    @abstractmethod
    def batch(self, step: int, size: int) -> Batch:
        """The training batch of a step: a function of the seed and the step alone."""

    @abstractmethod
    def validation(self) -> Batch | None:
        """The one validation batch, the same each time; None where nothing is held back."""

    @abstractmethod
    def frames(self, batch: Batch, augmented: bool = False) -> Any:
        """The Model's frames of a batch, or whatever its loss is of, on the batch's device."""

    def new_model(self, experiment: Experiment) -> Any:
        """What is to be trained, untrained: it has a loss of the frames."""
        return new_model(experiment, self.representation)

    def run(self, experiment: Experiment, model: Any, metrics: dict[str, Any]) -> Any:
        """The Run of a trained Model: it can be saved to a folder."""
        return Run(experiment, self.representation, model, metrics)

    def sequences(self) -> list[Tensor]:
        """The training part as the Model's frames ``[time, feature]``, for `Model.fit_closed_form`."""
        return []

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 that changes with what is trained on, and with how it is split."""

    @abstractmethod
    def listening(self, every: int) -> Callback:
        """Adds sound and pictures to TensorBoard every so many steps."""

    def report(self, model: Model) -> dict[str, Any]:
        """What else there is to be said of a trained Model: plain numbers, for ``metrics.json``."""
        return {}
