"""The Head interface: a distribution over one frame given a context vector; loss and sampling in one file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from audiogen.models.base import Sampling


class Head(nn.Module, ABC):
    """Conditional distribution p(frame | context).

    Args:
        context: size of a context vector.
        features: size of a frame; for tokens, of the vocabulary.
        options: an instance of ``Options``, a frozen dataclass whose fields are the keys of ``head:`` in a config.
    """

    Options: ClassVar[type]

    @abstractmethod
    def __init__(self, context: int, features: int, options: Any) -> None:
        super().__init__()

    @abstractmethod
    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        """Losses of frames ``[n, features]`` given contexts ``[n, context]``.

        Returns:
            Scalars by name; ``"loss"`` is minimised and must be differentiable in the parameters and the context. The
            others are logged.
        """

    @abstractmethod
    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        """Sample frames ``[n, features]`` given contexts ``[n, context]``.

        All randomness comes from ``sampling``. At temperature 0 the result is deterministic given the context; the
        spread grows with the temperature.
        """

    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor | None:
        """Log density of each frame in nats, ``[n]``; None where the Head has no tractable density."""
        return None
