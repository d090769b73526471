"""An early check of configurations, without the libraries that Models need: a wrong key is reported at once.

``known_keys.json`` holds the keys of an Experiment and the types of their values; tools/write_base_config.py writes it
from the dataclasses. `audiogen.experiment.read_experiment` finds the same errors and those that involve several values.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections import ChainMap
from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import NoneType, SimpleNamespace
from typing import Any, Literal

from audiogen.config.registry import Registry
from audiogen.config.schema import build, build_overridden
from audiogen.config.shipped import KNOWN_KEYS, configs_folder
from audiogen.config.trees import merge, override_tree, read_tree

TYPES = {"integer": int, "number": float, "boolean": bool, "string": str, "null": NoneType}
BOUNDS = {"minimum": "ge", "exclusiveMinimum": "gt", "maximum": "le", "exclusiveMaximum": "lt"}


def require_known_keys(config: Path | None, overrides: tuple[str, ...]) -> None:
    """Check a configuration before anything else is loaded.

    Args:
        config: YAML file; None for the defaults.
        overrides: ``key.key=value``.

    Raises:
        InputError: an unknown key or kind, or a value of the wrong type or out of range.
    """
    if config is None and not overrides:
        return
    schema = json.loads(KNOWN_KEYS.read_text(encoding="utf-8"))
    defaults = read_tree(configs_folder() / "base.yaml")
    tree = deepcopy(defaults)
    if config is not None:
        merge(tree, read_tree(config))
    source = str(config) if config is not None else "configuration"
    build_overridden(_dataclass_of(schema), tree, overrides, source, partial(_without_defaults, defaults=defaults))


def require_vocoder_keys(kind: str, overrides: tuple[str, ...]) -> None:
    """Check overrides of a vocoder's options, ``key=value``; those of an unknown kind pass.

    Raises:
        InputError: an unknown key, or a value of the wrong type or out of range.
    """
    kinds = json.loads(KNOWN_KEYS.read_text(encoding="utf-8"))["vocoder"]["kinds"]
    if not overrides or kind not in kinds:
        return
    tree: dict[str, Any] = {}
    for override in overrides:
        merge(tree, override_tree(override), "vocoder", kind)
    build(_dataclass_of(kinds[kind]), tree, f"vocoder {kind}")


def vocoder_kinds() -> list[str]:
    """Kinds of vocoders: those that ship with audiogen, then those of other installed packages."""
    described = json.loads(KNOWN_KEYS.read_text(encoding="utf-8"))["vocoder"]
    return list(dict.fromkeys([*described["kinds"], *_registry_of(described["group"])]))


def schema_of(options: type) -> dict[str, Any]:
    """The content of ``known_keys.json`` for a dataclass of options.

    Returns:
        For each key, one of ``keys`` of a nested dataclass, ``kinds`` and registry ``group`` of a `Choice`, and the
        JSON schema of a ``value``.
    """
    from pydantic import TypeAdapter

    schema: dict[str, Any] = {}
    hints = typing.get_type_hints(options, include_extras=True)
    for field in dataclasses.fields(options):
        hint, registry = hints[field.name], field.metadata.get("table")
        if registry is not None:
            kinds = {kind: schema_of(registry[kind].Options) for kind in registry.shipped}
            schema[field.name] = {"group": registry.group, "kinds": kinds}
        elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
            schema[field.name] = {"keys": schema_of(hint)}
        else:
            schema[field.name] = {"value": TypeAdapter(hint).json_schema()}
    return schema


def _without_defaults(tree: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The tree without values that equal the defaults, since checking each one takes a while."""
    changed = {}
    for key, value in tree.items():
        default = defaults.get(key)
        if isinstance(value, Mapping):
            changed[key] = _without_defaults(value, default if isinstance(default, Mapping) else {})
        elif key == "kind" or key not in defaults or value != default:
            changed[key] = value
    return changed


def _dataclass_of(schema: Mapping[str, Any]) -> type:
    """A dataclass with which `audiogen.config.schema.build` checks a tree as with the original one."""
    fields = []
    for name, described in schema.items():
        hint: Any = Any
        metadata: dict[str, Any] = {}
        if "kinds" in described:
            kinds = described["kinds"]
            shipped = {kind: SimpleNamespace(Options=_dataclass_of(kinds[kind])) for kind in kinds}
            metadata = {"table": ChainMap(shipped, _registry_of(described["group"]))}
        else:
            hint = _dataclass_of(described["keys"]) if "keys" in described else _type_of(described["value"])
        fields.append((name, hint, dataclasses.field(default=None, metadata=metadata)))
    return dataclasses.make_dataclass("Described", fields)


def _registry_of(group: str) -> Registry[Any]:
    """The registry of a family; if the family's package is not imported, one with the kinds of other packages only."""
    return Registry.by_group[group] if group in Registry.by_group else Registry(group, {})


def _type_of(schema: Mapping[str, Any]) -> Any:
    """The type of the values of a JSON schema; Any for schemas that are not handled here."""
    from pydantic import Field

    if "anyOf" in schema:
        return typing.Union[tuple(_type_of(each) for each in schema["anyOf"])]  # noqa: UP007
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if schema.get("type") not in TYPES:
        return Any
    bounds = {BOUNDS[key]: schema[key] for key in BOUNDS if key in schema}
    plain = TYPES[schema["type"]]
    return typing.Annotated[plain, Field(**bounds)] if bounds else plain
