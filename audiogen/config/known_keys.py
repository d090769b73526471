"""The keys of an Experiment and their values' types, without the libraries that Models need: slips are named at once.

``known_keys.json`` is written from the dataclasses by tools/write_base_config.py. What is found wrong here would be
found wrong by `audiogen.experiment.read_experiment` too, which is stricter and sees what no single value shows.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections import ChainMap
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from types import NoneType, SimpleNamespace
from typing import Any, Literal

from audiogen.config.registry import Registry
from audiogen.config.schema import build, merge, override_tree, read_tree
from audiogen.config.shipped import configs_folder

FILE = Path(__file__).with_name("known_keys.json")
TYPES = {"integer": int, "number": float, "boolean": bool, "string": str, "null": NoneType}
BOUNDS = {"minimum": "ge", "exclusiveMinimum": "gt", "maximum": "le", "exclusiveMaximum": "lt"}


def require_known_keys(config: Path | None, overrides: tuple[str, ...]) -> None:
    """Raise an InputError for a YAML file or an override with a key, a kind or a value that there is not."""
    if config is None and not overrides:
        return
    schema = json.loads(FILE.read_text(encoding="utf-8"))
    defaults = read_tree(configs_folder() / "base.yaml")
    tree = deepcopy(defaults)
    if config is not None:
        merge(tree, read_tree(config))
    for override in overrides:
        merge(tree, override_tree(override))
    source = str(config) if config is not None else "configuration"
    build(_dataclass_of(schema), _given(tree, defaults), source)


def _given(tree: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The tree without the values that are the defaults': each that is checked takes a while."""
    found = {}
    for key, value in tree.items():
        usual = defaults.get(key)
        if isinstance(value, Mapping):
            found[key] = _given(value, usual if isinstance(usual, Mapping) else {})
        elif key == "kind" or key not in defaults or value != usual:
            found[key] = value
    return found


def require_vocoder_keys(kind: str, overrides: tuple[str, ...]) -> None:
    """The same for the options of a vocoder; a kind that is unknown is left to whoever looks it up."""
    kinds = json.loads(FILE.read_text(encoding="utf-8"))["vocoder"]["kinds"]
    if not overrides or kind not in kinds:
        return
    tree: dict[str, Any] = {}
    for override in overrides:
        merge(tree, override_tree(override), "vocoder", kind)
    build(_dataclass_of(kinds[kind]), tree, f"vocoder {kind}")


def vocoder_kinds() -> list[str]:
    """Kinds of vocoders: those that ship with audiogen, then those of other installed packages."""
    described = json.loads(FILE.read_text(encoding="utf-8"))["vocoder"]
    return list(dict.fromkeys([*described["kinds"], *_registry_of(described["group"])]))


def schema_of(options: type) -> dict[str, Any]:
    """What ``known_keys.json`` holds of a dataclass of options: by each key ``keys`` of a nested one, ``kinds`` of a
    `Choice`, or the ``value`` as a JSON schema."""
    from pydantic import TypeAdapter

    found: dict[str, Any] = {}
    hints = typing.get_type_hints(options, include_extras=True)
    for field in dataclasses.fields(options):
        hint, table = hints[field.name], field.metadata.get("table")
        if table is not None:
            kinds = {kind: schema_of(table[kind].Options) for kind in table.shipped}
            found[field.name] = {"group": table.group, "kinds": kinds}
        elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
            found[field.name] = {"keys": schema_of(hint)}
        else:
            found[field.name] = {"value": TypeAdapter(hint).json_schema()}
    return found


def _dataclass_of(schema: Mapping[str, Any]) -> type:
    """A dataclass that `audiogen.config.schema.build` checks a tree by as it would by the one that was described."""
    fields = []
    for name, described in schema.items():
        hint: Any = Any
        metadata: dict[str, Any] = {}
        if "kinds" in described:
            kinds = described["kinds"]
            shipped = {kind: SimpleNamespace(Options=_dataclass_of(kinds[kind])) for kind in kinds}
            metadata = {"table": ChainMap(shipped, _registry_of(described["group"]))}
        else:
            hint = _dataclass_of(described["keys"]) if "keys" in described else _hint_of(described["value"])
        fields.append((name, hint, dataclasses.field(default=None, metadata=metadata)))
    return dataclasses.make_dataclass("Described", fields)


def _registry_of(group: str) -> Registry[Any]:
    """The registry of a family; only the kinds of other packages where the family's own package is not imported."""
    return Registry.by_group[group] if group in Registry.by_group else Registry(group, {})


def _hint_of(schema: Mapping[str, Any]) -> Any:
    """The type of a JSON schema's values; any for those that are not described here."""
    from pydantic import Field

    if "anyOf" in schema:
        return typing.Union[tuple(_hint_of(each) for each in schema["anyOf"])]  # noqa: UP007
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    if schema.get("type") not in TYPES:
        return Any
    bounds = {BOUNDS[key]: schema[key] for key in BOUNDS if key in schema}
    plain = TYPES[schema["type"]]
    return typing.Annotated[plain, Field(**bounds)] if bounds else plain
