"""Nested mappings, as YAML holds them <-> dataclasses of options; whatever does not fit is named.

A dataclass says everything: its fields are the keys, their types (see `audiogen.config.option_types`) the values that
are allowed, and a field made by `audiogen.config.choice.choice` reads ``{kind: KEY, ...}`` with the options of that
kind.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from audiogen.config.choice import Choice
from audiogen.config.former_keys import current_key
from audiogen.errors import InputError

MOST_BYTES = 1 << 18  # of a configuration; those that ship have 3,000
MOST_NODES = 50_000  # keys and values of a YAML document, aliases counted as what they stand for
DEEPEST = 64  # levels of nesting


class BoundedLoader(yaml.SafeLoader):
    """`yaml.SafeLoader`, which executes nothing, of documents that cannot expand without bound."""

    most_nodes = MOST_NODES

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.sizes: dict[int, int] = {}  # of each node that is complete, by its identity

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.depth == DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST} levels deep")
        repeated = self.check_event(yaml.AliasEvent)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if repeated and id(node) not in self.sizes:
            raise yaml.YAMLError("an alias stands for what it is part of")
        if node is not None and not repeated:
            self.sizes[id(node)] = size = 1 + sum(self.sizes[id(inner)] for inner in _children(node))
            if size > self.most_nodes:
                raise yaml.YAMLError(f"it has more than {self.most_nodes:,} values, aliases expanded")
        return node


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def load_yaml(text: str, loader: type[BoundedLoader] = BoundedLoader) -> Any:
    """The content of one YAML document that neither executes anything nor expands without bound.

    Raises:
        ValueError: it is no YAML, is nested more than `DEEPEST` levels deep, or has more than `MOST_NODES` values.
    """
    try:
        return yaml.load(text, loader)  # a SafeLoader
    except (yaml.YAMLError, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error


def read_bounded(path: Path, most: int, cure: str) -> bytes:
    """A file's bytes.

    Raises:
        InputError: it cannot be read, is no regular file, or has more than ``most`` bytes.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe would be waited for
            raise InputError(path, "it is not a regular file", cure)
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(path, f"it cannot be read ({reason})", cure) from error
    if len(content) > most:
        raise InputError(path, f"it has more than {most:,} bytes", cure)
    return content


def read_tree(path: Path, based_on_by: tuple[Path, ...] = (), inside: Path | None = None) -> dict[str, Any]:
    """The nested mapping of a YAML file, laid over that of its ``base:`` (a path relative to itself).

    Args:
        path: the YAML file.
        based_on_by: the files whose bases led here.
        inside: folder that the file and all of its bases must lie in, links followed; None for anywhere.

    Raises:
        InputError: an unreadable file, one outside of ``inside``, something else than a mapping, or files that are
            based on one another.
    """
    if path.resolve() in based_on_by:
        files = " -> ".join(file.name for file in (*based_on_by, path))
        raise InputError(path, f"it is based on itself ({files})", "remove one `base:`")
    if inside is not None and not path.resolve().is_relative_to(inside.resolve()):
        cause = f"its settings are read from outside of it ({path.resolve()}, {size_of(path)})"
        raise InputError(inside, cause, "copy them into it, or allow it: --allow-external-weights")
    try:
        tree = load_yaml(read_bounded(path, MOST_BYTES, "name an existing YAML file").decode("utf-8"))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(path, f"it is not YAML ({error})", "mend the line it names") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise InputError(path, "it holds no mapping", "write `key: value` lines")
    base = tree.pop("base", None)
    if base is None:
        return merge({}, tree)
    if not isinstance(base, str):
        raise InputError(f"{path}: base", f"a file name is needed, not {base!r}", "for example `base: base.yaml`")
    return merge(read_tree(path.parent / base, (*based_on_by, path.resolve()), inside), tree)


def size_of(path: Path) -> str:
    """A file's size, or that of a folder's files, in words; it is not opened."""
    try:
        files = [file for file in path.iterdir() if file.is_file()] if path.is_dir() else [path]
        return f"{sum(file.stat().st_size for file in files) / 1e6:,.1f} MB"
    except OSError:
        return "which is not there"


def merge(base: dict[str, Any], delta: Mapping[str, Any], section: str = "", kind: str | None = None) -> dict[str, Any]:
    """Lay ``delta`` over ``base``, in place; keys of earlier versions get today's names.

    A changed ``kind`` drops the options of the former one.

    Args:
        base: nested mapping that is changed.
        delta: nested mapping whose values win.
        section: dotted path of both mappings in an Experiment, by which `FORMER_KEYS` are looked up.
        kind: kind of the choice that they describe, where neither names it.

    Returns:
        ``base``.
    """
    kind = delta.get("kind", base.get("kind", kind))
    for former, value in delta.items():
        key = current_key(section, kind, former)
        if key is None:
            continue
        old, inner = base.get(key), f"{section}.{key}" if section else str(key)
        if isinstance(old, dict) and "kind" in old and isinstance(value, str):
            value = {"kind": value}
        if isinstance(value, Mapping):
            same = isinstance(old, dict) and value.get("kind", old.get("kind")) == old.get("kind")
            base[key] = merge(old if isinstance(old, dict) and same else {}, value, inner)
        else:
            base[key] = value
    return base


def override_tree(text: str) -> dict[str, Any]:
    """``a.b=1`` -> ``{"a": {"b": 1}}``.

    Raises:
        InputError: it is not of that form.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise InputError(text, "an override reads key=value", "for example training.steps=200")
    try:
        tree: Any = load_yaml(value)
    except ValueError as error:
        raise InputError(text, "its value is not YAML", "quote it") from error
    for name in reversed(key.split(".")):
        tree = {name: tree}
    return tree


def build(cls: type, tree: Any, source: str, path: str = "") -> Any:
    """An instance of the dataclass ``cls`` from a nested mapping.

    Args:
        cls: dataclass; a field's ``table`` metadata makes it a `Choice`.
        tree: keys and values; keys that are left out keep their defaults.
        source: file that the tree came from, for messages.
        path: of the tree inside that file, dotted.

    Raises:
        InputError: an unknown key or kind (the message lists the choices), or a value of a wrong type or out
        of range.
    """
    fields = {item.name: item for item in dataclasses.fields(cls)}
    if not isinstance(tree, Mapping):
        raise InputError(_place(source, path), f"keys are needed, not {tree!r}", f"keys: {', '.join(fields)}")
    hints = typing.get_type_hints(cls, include_extras=True)
    values = {}
    for key, value in tree.items():
        inner = f"{path}.{key}" if path else str(key)
        if key not in fields:
            raise InputError(_place(source, inner), "there is no such key", _suggest(str(key), fields))
        values[key] = _value(hints[key], fields[key].metadata.get("table"), value, source, inner)
    try:
        return cls(**values)
    except ValueError as error:
        raise InputError(_place(source, path), str(error)) from error


def _value(hint: Any, table: Mapping[str, Any] | None, value: Any, source: str, path: str) -> Any:
    if table is not None:
        return _choice(table, value, source, path)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, source, path)
    if typing.get_origin(hint) is Literal and str(value) in typing.get_args(hint):
        value = str(value)  # YAML reads `precision: 16` as a number
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise InputError(_place(source, path), f"{error.errors()[0]['msg']}, not {value!r}") from error


def _choice(table: Mapping[str, Any], value: Any, source: str, path: str) -> Choice:
    value = {"kind": value} if isinstance(value, str) else value
    if not isinstance(value, Mapping) or "kind" not in value:
        raise InputError(_place(source, path), "no kind is named", f"write {{kind: ...}}, one of {', '.join(table)}")
    kind = str(value["kind"])
    if kind not in table:
        raise InputError(_place(source, f"{path}.kind"), f"there is no {kind}", _suggest(kind, table))
    options = {key: item for key, item in value.items() if key != "kind"}
    return Choice(kind, build(table[kind].Options, options, source, path))


def _place(source: str, path: str) -> str:
    return f"{source}: {path}" if path else source


def _suggest(wrong: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(wrong, known, 1)
    listed = f"choose from {', '.join(known)}" if known else "there are no keys here"
    return (f"did you mean {close[0]}? " if close else "") + listed


def to_tree(value: Any) -> Any:
    """The nested plain mapping that `build` makes the same instance from."""
    if isinstance(value, Choice):
        return {"kind": value.kind, **to_tree(value.options)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_tree(getattr(value, item.name)) for item in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Dotted keys at which two trees differ."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return [] if one == other else [path]
    found = []
    for key in dict.fromkeys([*one, *other]):
        inner = f"{path}.{key}" if path else str(key)
        found += differences(one.get(key), other.get(key), inner)
    return found
