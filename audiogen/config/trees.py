"""Configurations as nested mappings: read from YAML files with their bases, merged, overridden, compared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiogen.config.former_keys import current_key
from audiogen.config.shipped import shipped_configs
from audiogen.config.yaml_files import MAX_BYTES, load_yaml, read_bounded, size_of
from audiogen.errors import InputError


def read_tree(path: Path, derived: tuple[Path, ...] = (), inside: Path | None = None) -> dict[str, Any]:
    """Read a YAML file and merge it over its ``base:`` (a path relative to the file, or the name of one that ships).

    Args:
        path: of the file.
        derived: files that are based on this one, directly or not.
        inside: folder that the file and all of its bases must lie in, links resolved; None for any.

    Raises:
        InputError: an unreadable file, one outside of ``inside``, something other than a mapping, or files that are
            based on one another.
    """
    if path.resolve() in derived:
        files = " -> ".join(file.name for file in (*derived, path))
        raise InputError(path, f"it is based on itself ({files})", "remove one `base:`")
    if inside is not None and not path.resolve().is_relative_to(inside.resolve()):
        cause = f"its settings lie outside of the folder ({path.resolve()}, {size_of(path)})"
        raise InputError(inside, cause, "copy them into it, or allow it: --allow-external-weights")
    try:
        tree = load_yaml(read_bounded(path, MAX_BYTES, "name an existing YAML file").decode("utf-8"))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(path, f"it is not YAML ({error})", "correct the line that is named") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise InputError(path, "it is not a mapping", "write `key: value` lines")
    base = tree.pop("base", None)
    if base is None:
        return merge({}, tree)
    if not isinstance(base, str) or "\0" in base:
        raise InputError(f"{path}: base", f"it must be a file name, not {base!r}", "for example `base: base.yaml`")
    return merge(read_tree(_base_file(path.parent, base), (*derived, path.resolve()), inside), tree)


def _base_file(folder: Path, base: str) -> Path:
    """The file that ``base:`` of a configuration in a folder names: another one there, or one that ships."""
    own = folder / base
    return own if os.path.exists(own) else shipped_configs().get(base, own)  # of a Path it raises, if the name is long


def merge(base: dict[str, Any], delta: Mapping[str, Any], section: str = "", kind: str | None = None) -> dict[str, Any]:
    """Merge ``delta`` into ``base``, in place; former keys get their current names.

    A changed ``kind`` drops the options of the former kind.

    Args:
        base: nested mapping to change.
        delta: nested mapping whose values take precedence.
        section: dotted path of both mappings in an Experiment, to look up `FORMER_KEYS`.
        kind: kind of the choice that they describe, if neither contains it.

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
            old = old if isinstance(old, dict) and value.get("kind", old.get("kind")) == old.get("kind") else {}
            base[key] = merge(old, value, inner)
        else:
            base[key] = value
    return base


def override_tree(text: str) -> dict[str, Any]:
    """``a.b=1`` -> ``{"a": {"b": 1}}``.

    Raises:
        InputError: it has another form.
    """
    key, equals, value = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not equals or not all(key.split(".")):
        raise InputError(text, "an override has the form key=value", "for example training.steps=200")
    try:
        tree: Any = load_yaml(value)
    except ValueError as error:
        raise InputError(text, "its value is not YAML", "quote it") from error
    for name in reversed(key.split(".")):
        tree = {name: tree}
    return tree


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Dotted keys at which two nested mappings differ."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return [] if one == other else [path]
    found = []
    for key in dict.fromkeys([*one, *other]):
        inner = f"{path}.{key}" if path else str(key)
        found += differences(one.get(key), other.get(key), inner)
    return found
