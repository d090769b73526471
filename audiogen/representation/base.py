"""The Representation interface: a fitted code between a recording's content and the frames that a Model predicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from torch import Tensor

from audiogen.tensors import Layout, require_layout


class Representation(ABC):
    """A code fitted on the training split and saved with the Run as plain tensors.

    Attributes:
        tokens: whether the Model's frames are tokens, integers ``[batch, time]``.
        vocabulary: names of the tokens; empty for float frames.
    """

    Options: ClassVar[type]
    tokens: ClassVar[bool] = False
    vocabulary: tuple[str, ...] = ()

    @property
    @abstractmethod
    def features(self) -> int:
        """Size of one of the Model's frames; for tokens, of the vocabulary."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """The fitted tensors by name, as saved in ``statistics.safetensors``."""

    @classmethod
    def require_layout(cls, options: Any, layout: Layout) -> None:
        """Check the names, types and shapes in a file's header before its tensors are read.

        Raises:
            ValueError: they cannot be those of `tensors` under these options.
        """
        require_layout(layout, {})

    @classmethod
    @abstractmethod
    def from_tensors(cls, options: Any, tensors: dict[str, Tensor]) -> Self:
        """The fitted representation of which `tensors` were saved."""
