"""Registries: the variants of a family by their kind, each imported when it is first used.

Each family has one in its package: ``BACKBONES``, ``HEADS``, ``MODELS``, ``VOCODERS`` and others. Their keys are what
configurations name as ``kind``. Another package adds a variant by an entry point::

    [project.entry-points."audiogen.backbones"]
    gated = "my_package.gated:Gated"

or, within one process, by `Registry.register`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, MutableMapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Generic, TypeVar

from audiogen.errors import InputError

T = TypeVar("T")


class Registry(MutableMapping[str, type[T]], Generic[T]):
    """The variants of a family, by the kind that configurations name.

    Args:
        group: entry-point group of the family, such as ``"audiogen.backbones"``.
        shipped: kind -> ``"module:Class"`` of the variants that ship with audiogen.
    """

    by_group: ClassVar[dict[str, Registry[Any]]] = {}
    """The registries of the families whose package is imported."""

    def __init__(self, group: str, shipped: dict[str, str]) -> None:
        self.group = group
        self.shipped = dict(shipped)
        self._registered: dict[str, type[T]] = {}
        Registry.by_group[group] = self

    def register(self, kind: str) -> Callable[[type[T]], type[T]]:
        """Class decorator that adds a variant for the rest of this process.

        Args:
            kind: the name that configurations will use.

        Raises:
            ValueError: the kind exists already.
        """
        if kind in self:
            raise ValueError(f"{self.group}: {kind} exists already")

        def add(variant: type[T]) -> type[T]:
            self._registered[kind] = variant
            return variant

        return add

    @cached_property
    def _installed(self) -> dict[str, EntryPoint]:
        """Variants of other installed packages; those that ship with audiogen take precedence."""
        return {point.name: point for point in entry_points(group=self.group)}

    def __getitem__(self, kind: str) -> type[T]:
        if kind in self._registered:
            return self._registered[kind]
        if kind in self.shipped:
            module, _, name = self.shipped[kind].partition(":")
            return getattr(importlib.import_module(module), name)
        point = self._installed[kind]
        try:
            return point.load()
        except Exception as error:
            cause = f"{point.value} of another package does not load ({error})"
            raise InputError(f"{self.group} {kind}", cause, "repair or uninstall that package") from error

    def __setitem__(self, kind: str, variant: type[T]) -> None:
        self._registered[kind] = variant

    def __delitem__(self, kind: str) -> None:
        del self._registered[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._registered or kind in self.shipped or kind in self._installed

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self.shipped, *self._registered, *self._installed)))

    def __len__(self) -> int:
        return len(list(iter(self)))
