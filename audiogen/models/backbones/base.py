"""The Backbone interface: a causal sequence map that also runs step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from audiogen.models.base import State


class Backbone(nn.Module, ABC):
    """Causal sequence map ``[batch, time, features] -> [batch, time, width]``.

    Contract (checked for every registered backbone):

    - Causality: output t depends on inputs 0..t only, and so do its gradients.
    - Stepping equals the full forward pass: a sequence fed in chunks of any sizes, with the state passed on, gives the
      same outputs, up to rounding, as the sequence fed at once.
    - The state is batch first, of bounded size, and never modified in place.

    Args:
        features: size of an input frame.
        options: an instance of ``Options``, a frozen dataclass whose fields are the keys of ``backbone:`` in a config.

    Attributes:
        width: size of an output vector; set by the constructor.
    """

    Options: ClassVar[type]
    width: int

    @abstractmethod
    def __init__(self, features: int, options: Any) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Map a chunk of a sequence.

        Args:
            frames: ``[batch, time, features]``, time >= 1.
            state: returned for the previous chunk; None at the start of a sequence.

        Returns:
            ``[batch, time, width]`` outputs, and the state after the last frame.
        """
