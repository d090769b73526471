"""How a variant is named: a key of one visible table, and the options of the class found there.

In YAML a choice reads ``head: {kind: mixture, components: 8}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """Args:
    kind: key of the table.
    options: an instance of ``table[kind].Options``.
    """

    kind: str
    options: Any


def choice(table: Mapping[str, Any], default: str) -> Any:
    """A dataclass field that holds a `Choice` from ``table``: ``default`` with its defaults unless told."""
    return field(default_factory=lambda: Choice(default, table[default].Options()), metadata={"table": table})
