"""What all contract tests share: the error, options, random inputs, and the tensors of a state."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from audiogen.models.base import Sampling, State


class ContractError(AssertionError):
    """A variant does not keep the contract of its family."""


def require(condition: object, message: str) -> None:
    """Raise a `ContractError` unless the condition holds."""
    if not condition:
        raise ContractError(message)


def options_of(variant: Any, options: object) -> Any:
    """The options to test a variant with: those given, or its defaults.

    Raises:
        ContractError: ``Options`` is no frozen dataclass with a default for each field.
    """
    name = variant.__name__
    kind: Any = getattr(variant, "Options", None)
    require(isinstance(kind, type) and dataclasses.is_dataclass(kind), f"{name}.Options is not a dataclass")
    try:
        defaults = kind()
    except TypeError as error:
        raise ContractError(f"{name}.Options: each field needs a default ({error})") from error
    require(defaults == kind(), f"{name}.Options(): two defaults are not equal")
    try:
        hash(defaults)
    except TypeError as error:
        raise ContractError(f"{name}.Options must be frozen, and its values hashable ({error})") from error
    return defaults if options is None else options


def random_frames(batch: int, time: int, features: int, seed: int = 0) -> Tensor:
    """``[batch, time, features]`` standard normal frames."""
    return torch.randn(batch, time, features, generator=torch.Generator().manual_seed(seed))


def sampling(temperature: float = 1.0, seed: int = 0) -> Sampling:
    """Sampling with a generator of its own."""
    return Sampling(temperature, generator=torch.Generator().manual_seed(seed))


def state_tensors(state: State) -> Iterator[Tensor]:
    """All tensors in a state, in order."""
    if isinstance(state, Tensor):
        yield state
    elif dataclasses.is_dataclass(state) and not isinstance(state, type):
        for field in dataclasses.fields(state):
            yield from state_tensors(getattr(state, field.name))
    elif isinstance(state, Mapping):
        for value in state.values():
            yield from state_tensors(value)
    elif isinstance(state, (list, tuple)):
        for value in state:
            yield from state_tensors(value)


def copied(state: State) -> list[Tensor]:
    """Copies of all tensors in a state."""
    return [tensor.clone() for tensor in state_tensors(state)]


def same_tensors(tensors: list[Tensor], state: State) -> bool:
    """Whether a state still holds exactly these tensors."""
    now = list(state_tensors(state))
    return len(now) == len(tensors) and all(torch.equal(old, new) for old, new in zip(tensors, now, strict=True))
