"""Data modules: training batches, validation batch, and their conversion to the Model's frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import Tensor

from audiogen.experiment import Experiment
from audiogen.models import Model
from audiogen.representation import Representation
from audiogen.run import Run, new_model

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

Batch = Any
"""A tensor or a tuple of tensors; the first dimension counts windows."""


class DataModule(ABC):
    """Everything that a training needs to know about one modality: mel frames, tunes, or excerpts for a vocoder.

    Attributes:
        representation: fitted on the training split.
        split: name of each recording or tune -> its split; for a single one, split -> its segment.
    """

    representation: Representation
    split: dict[str, str]

    @abstractmethod
    def batch(self, step: int, size: int) -> Batch:
        """The training batch of a step: ``size`` windows, a function of the seed and the step alone."""

    @abstractmethod
    def validation_batch(self) -> Batch | None:
        """The one validation batch, the same at every call; None where nothing is held out."""

    @abstractmethod
    def frames(self, batch: Batch, augmented: bool = False) -> Any:
        """What the Model's loss takes, from a batch, on the batch's device.

        Args:
            batch: from `batch` or `validation_batch`.
            augmented: whether to apply data augmentation.
        """

    def new_model(self, experiment: Experiment) -> Any:
        """The untrained Model: a module with a ``loss`` of what `frames` returns."""
        return new_model(experiment, self.representation)

    def initial_model(self, experiment: Experiment, base: Run | None) -> Any:
        """The Model to train: a new one, fitted in closed form as far as it has one, or a copy of a Run's."""
        model = self.new_model(experiment)
        if base is None:
            model.fit_closed_form(self.sequences())
        else:
            model.load_state_dict(base.model.state_dict())
        return model

    def run(self, experiment: Experiment, model: Any, metrics: dict[str, Any]) -> Any:
        """The Run of a trained Model."""
        return Run(experiment, self.representation, model, metrics)

    def sequences(self) -> list[Tensor]:
        """The training split as the Model's frames, ``[time, feature]`` each, for `Model.fit_closed_form`."""
        return []

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of the training data and their split."""

    @abstractmethod
    def log_media(self, model: Any, batch: Batch, writer: EventWriter, step: int) -> None:
        """Write audio and images of a batch to TensorBoard.

        Args:
            model: in evaluation mode; it may be moved to another device meanwhile.
            batch: validation batch, or the next training batch where nothing is held out.
            writer: of the training's events.
            step: optimiser steps taken.
        """

    def report(self, model: Model) -> dict[str, Any]:
        """Further entries of ``metrics.json`` about a trained Model: plain numbers and strings."""
        return {}
