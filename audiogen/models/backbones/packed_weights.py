"""Weights of a module in the layout that a single step reads fastest, kept for as long as they stay the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from torch import nn

T = TypeVar("T")


class PackedWeights(Generic[T]):
    """What a function makes of the parameters of a module; made again when training or loading has changed them."""

    def __init__(self) -> None:
        self._packed: T | None = None
        self._source: list[tuple[dict[str, nn.Parameter | None], str, nn.Parameter, int, int]] = []

    def get(self, module: nn.Module, pack: Callable[[], T]) -> T:
        """The result of ``pack()``, which depends on nothing but the parameters of the module."""
        if self._packed is None or not self._is_current():
            self._packed = pack()
            self._source = [
                (owner._parameters, name, weight, weight.data_ptr(), weight._version)
                for owner in module.modules()
                for name, weight in owner._parameters.items()
                if weight is not None
            ]
        return self._packed

    def _is_current(self) -> bool:
        """Whether each parameter is the same tensor with the same content: it is asked in every step."""
        return all(
            owned[name] is weight and weight._version == changes and weight.data_ptr() == address
            for owned, name, weight, address, changes in self._source
        )
