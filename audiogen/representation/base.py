"""What every Representation is: a file's content <-> Frames that a Model can predict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from torch import Tensor

from audiogen.tensors import Layout, require_layout


class Representation(ABC):
    """A code fitted on the training part and saved with the Run as plain tensors.

    Attributes:
        tokens: whether its frames are tokens, integers ``[batch, time]``.
        vocabulary: names of the tokens, where they are.
    """

    Options: ClassVar[type]
    tokens: ClassVar[bool] = False
    vocabulary: tuple[str, ...] = ()

    @property
    @abstractmethod
    def features(self) -> int:
        """Size of one of the Model's frames; of the vocabulary where they are tokens."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """What was fitted, for ``statistics.safetensors``."""

    @classmethod
    def require_layout(cls, options: Any, layout: Layout) -> None:
        """Raise a ValueError unless the tensors announced by a file's header can be those of `tensors`."""
        require_layout(layout, {})

    @classmethod
    @abstractmethod
    def from_tensors(cls, options: Any, tensors: dict[str, Tensor]) -> Self:
        """The fitted representation that `tensors` came from."""
