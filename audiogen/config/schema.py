"""Conversion of nested mappings, as YAML holds them, to dataclasses of options, with errors that name the key.

A dataclass is the whole schema: its fields are the keys, their types (see `audiogen.config.option_types`) the allowed
values. A field made by `audiogen.config.choice.choice` takes ``{kind: KIND, ...}`` with the options of that kind.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from audiogen.config.choice import Choice
from audiogen.config.trees import merge, override_tree
from audiogen.errors import InputError


def build(cls: type, tree: Any, source: str, path: str = "") -> Any:
    """An instance of a dataclass from a nested mapping.

    Args:
        cls: dataclass; a field whose metadata has a ``table`` becomes a `Choice`.
        tree: keys and values; missing keys keep their defaults.
        source: file that the tree came from, for messages; empty for one that the caller names.
        path: dotted path of the tree in that file.

    Raises:
        InputError: an unknown key or kind (the message lists the choices), or a value of the wrong type or out of
            range.
    """
    fields = {item.name: item for item in dataclasses.fields(cls)}
    if not isinstance(tree, Mapping):
        raise InputError(_subject(source, path), f"it must be a mapping, not {tree!r}", f"keys: {', '.join(fields)}")
    hints = typing.get_type_hints(cls, include_extras=True)
    values = {}
    for key, value in tree.items():
        inner = f"{path}.{key}" if path else str(key)
        if key not in fields:
            raise InputError(_subject(source, inner), "there is no such key", _suggestion(str(key), fields))
        values[key] = _value(hints[key], fields[key].metadata.get("table"), value, source, inner)
    try:
        return cls(**values)
    except ValueError as error:
        if not (source or path):
            raise
        raise InputError(_subject(source, path), str(error)) from error


def build_overridden(
    cls: type,
    tree: Mapping[str, Any],
    overrides: Sequence[str],
    source: str,
    prepare: Callable[[dict[str, Any]], dict[str, Any]] = lambda tree: tree,
) -> Any:
    """`build` from a nested mapping and ``key.key=value`` overrides of it.

    Args:
        cls: as of `build`.
        tree: keys and values of the file, without the overrides; not changed.
        overrides: merged into it one after the other.
        source: as of `build`.
        prepare: applied to the merged mapping.

    Raises:
        InputError: as of `build`; its subject is the override, as it was typed, that causes the error.
    """
    merged = deepcopy(dict(tree))
    for override in overrides:
        merge(merged, override_tree(override))
    try:
        return build(cls, prepare(merged), source)
    except InputError:
        if not overrides:
            raise
    merged = deepcopy(dict(tree))
    result = build(cls, prepare(merged), source)  # raises where the file itself is wrong
    for override in overrides:
        merge(merged, override_tree(override))
        try:
            result = build(cls, prepare(merged), source)
        except InputError as error:
            key = error.subject.removeprefix(source).removeprefix(": ")
            cause = error.cause if key == override.partition("=")[0] or not key else f"{key}: {error.cause}"
            raise InputError(override, cause, error.cure) from error
    return result


def _value(hint: Any, registry: Mapping[str, Any] | None, value: Any, source: str, path: str) -> Any:
    if registry is not None:
        return _choice(registry, value, source, path)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value, source, path)
    if typing.get_origin(hint) is Literal and str(value) in typing.get_args(hint):
        value = str(value)  # YAML reads `precision: 16` as a number
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise InputError(_subject(source, path), *_explain(error, value)) from error


CURES = {
    "int": "write a whole number",
    "float": "write a number",
    "finite": "write a number",
    "bool": "write true or false",
    "string": "write a text",
    "literal": "choose from {expected}",
    "greater_than": "choose above {gt}",
    "greater_than_equal": "choose at least {ge}",
    "less_than": "choose below {lt}",
    "less_than_equal": "choose at most {le}",
}
"""What to write instead, by the type of pydantic's error, or the first word of it."""


def _explain(error: ValidationError, value: Any) -> tuple[str, str]:
    """Cause and cure of a value that a type refuses."""
    first = error.errors()[0]
    kind = first["type"]
    cure = CURES.get(kind) or CURES.get(kind.partition("_")[0])
    if cure is None:
        return f"{first['msg']}, not {value!r}", ""
    return f"it cannot be {value!r}", cure.format(**first.get("ctx", {}))


def _choice(registry: Mapping[str, Any], value: Any, source: str, path: str) -> Choice:
    value = {"kind": value} if isinstance(value, str) else value
    if not isinstance(value, Mapping) or "kind" not in value:
        cure = f"write {{kind: ...}}, one of {', '.join(registry)}"
        raise InputError(_subject(source, path), "the kind is missing", cure)
    kind = str(value["kind"])
    if kind not in registry:
        raise InputError(_subject(source, f"{path}.kind"), f"there is no {kind}", _suggestion(kind, registry))
    options = {key: item for key, item in value.items() if key != "kind"}
    return Choice(kind, build(registry[kind].Options, options, source, path))


def _subject(source: str, path: str) -> str:
    return ": ".join(filter(None, (source, path)))


def _suggestion(wrong: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(wrong, known, 1)
    listed = f"choose from {', '.join(known)}" if known else "there are no keys here"
    return (f"did you mean {close[0]}? " if close else "") + listed


def to_tree(value: Any) -> Any:
    """The nested mapping of a dataclass of options, the inverse of `build`."""
    if isinstance(value, Choice):
        return {"kind": value.kind, **to_tree(value.options)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_tree(getattr(value, item.name)) for item in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value
