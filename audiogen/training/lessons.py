"""What a training is fed: batches by step, what is held back, and how both become the Model's frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pytorch_lightning.callbacks import Callback
from torch import Tensor

from audiogen.models import Model
from audiogen.representation import Representation

Batch = Any
"""Tensors, alone or in a tuple: what the trainer library moves to the device."""


class Lessons(ABC):
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
    def frames(self, batch: Batch, augmented: bool = False) -> Tensor:
        """The Model's frames of a batch, on the batch's device."""

    def sequences(self) -> list[Tensor]:
        """The training part as the Model's frames ``[time, feature]``, for `Model.prepare`."""
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
