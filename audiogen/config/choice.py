"""A choice of one variant of a family: its kind and its options.

In YAML, ``head: {kind: mixture, components: 8}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """A variant of a family and its options.

    Args:
        kind: key of the family's registry.
        options: an instance of ``registry[kind].Options``.
    """

    kind: str
    options: Any


def choice(registry: Mapping[str, Any], default: str) -> Any:
    """A dataclass field that holds a `Choice`.

    Args:
        registry: of the family.
        default: kind of the default, with its default options.
    """
    return field(default_factory=lambda: Choice(default, registry[default].Options()), metadata={"table": registry})
