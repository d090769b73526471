"""What every Head is: a distribution over one frame given a context vector; loss and sample in one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from audiogen.models.base import Sampling


class Head(nn.Module, ABC):
    """p(frame | context).

    Args:
        context: size of a context vector.
        features: size of a frame.
        options: the dataclass named by ``Options``.
    """

    Options: ClassVar[type]

    @abstractmethod
    def __init__(self, context: int, features: int, options: Any) -> None:
        super().__init__()

    @abstractmethod
    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        """Named losses of ``[n, features]`` given ``[n, context]``; ``"loss"`` is the one to minimise."""

    @abstractmethod
    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        """Draw ``[n, features]`` given ``[n, context]``."""

    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor | None:
        """``[n]`` nats of each frame, or None where the Head has no tractable density."""
        return None
