"""What every Backbone is: a causal map of a sequence that can also be fed piece by piece."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from audiogen.models.base import State


class Backbone(nn.Module, ABC):
    """Causal sequence map ``[batch, time, features] -> [batch, time, width]``.

    Output t depends on inputs 0..t only, and feeding a sequence in pieces, handing the state on, gives the
    same outputs as feeding it whole.

    Args:
        features: size of an input frame.
        options: the dataclass named by ``Options``.
    """

    Options: ClassVar[type]
    width: int

    @abstractmethod
    def __init__(self, features: int, options: Any) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """``[batch, time, features]``, the state before it -> ``[batch, time, width]``, the state after it.

        ``state=None`` is the state before anything was heard.
        """
