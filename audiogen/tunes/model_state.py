"""States of token Models as trees of tensors: apply a function to all of them, and list their shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from audiogen.models import State


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply a function to the corresponding tensors of one or several states of the same structure."""
    first = states[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return function(*states)
    return type(first)(map_state(function, *items) for items in zip(*states, strict=True))


def state_bytes(state: State) -> int:
    """Size of all tensors of a state."""
    sizes = list[int]()

    def measure(value: Tensor) -> Tensor:
        sizes.append(value.nbytes)
        return value

    map_state(measure, state)
    return sum(sizes)


def state_shapes(state: State) -> Iterator[torch.Size]:
    """Shapes of all tensors of a state."""
    if isinstance(state, Tensor):
        yield state.shape
    elif state is not None:
        for item in state:
            yield from state_shapes(item)
