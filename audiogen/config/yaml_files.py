"""YAML files of unknown origin: they execute nothing, and their size is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from audiogen.errors import InputError

MAX_BYTES = 1 << 18  # of a configuration; those that ship have 3,000
MAX_NODES = 50_000  # keys and values of a YAML document, with aliases expanded
MAX_DEPTH = 64  # levels of nesting


class BoundedLoader(yaml.SafeLoader):
    """`yaml.SafeLoader` with limits on the nesting and on the number of values, aliases expanded."""

    max_nodes = MAX_NODES

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.sizes: dict[int, int] = {}  # of each complete node, by its identity

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.depth == MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} levels deep")
        is_alias = self.check_event(yaml.AliasEvent)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if is_alias and id(node) not in self.sizes:
            raise yaml.YAMLError("an alias refers to a node that contains it")
        if node is not None and not is_alias:
            self.sizes[id(node)] = size = 1 + sum(self.sizes[id(inner)] for inner in _children(node))
            if size > self.max_nodes:
                raise yaml.YAMLError(f"it has more than {self.max_nodes:,} values, aliases expanded")
        return node


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def load_yaml(text: str, loader: type[BoundedLoader] = BoundedLoader) -> Any:
    """Parse one YAML document.

    Raises:
        ValueError: it is not YAML, is nested more than `MAX_DEPTH` levels deep, or has more than ``loader.max_nodes``
            values.
    """
    try:
        return yaml.load(text, loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise ValueError(f"{place}{error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error


def read_bounded(path: Path, max_bytes: int, cure: str) -> bytes:
    """The content of a file.

    Args:
        path: of the file.
        max_bytes: larger files are refused.
        cure: what a user can do about a file that is refused.

    Raises:
        InputError: it cannot be read, is not a regular file, or is larger than ``max_bytes``.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # reading a pipe would block
            raise InputError(path, "it is not a regular file", cure)
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(path, f"it cannot be read ({reason})", cure) from error
    if len(content) > max_bytes:
        raise InputError(path, f"it has more than {max_bytes:,} bytes", cure)
    return content


def size_of(path: Path) -> str:
    """The size of a file, or of the files in a folder, for messages; nothing is opened."""
    try:
        files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
        return f"{sum(file.stat().st_size for file in files) / 1e6:,.1f} MB"
    except OSError:
        return "missing"
