"""Presets: named or written settings of a tail, for commands that take no options for each file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiogen.config.schema import build
from audiogen.config.yaml_files import MAX_BYTES, load_yaml, read_bounded
from audiogen.errors import InputError
from audiogen.jobs.request import Request

PRESETS: dict[str, dict[str, Any]] = {
    "longer": {},
    "long": {"seconds": 240.0},
    "bed": {"seconds": 60.0, "tail_only": True, "loop": True},
    "variation": {"tail_only": True},
}
"""Name -> settings that differ from the defaults of a `Request`."""


def find_preset(name: str) -> Request:
    """The settings of a preset, or of a YAML file with some of the fields of a `Request`.

    Raises:
        InputError: there is no such preset or file, or it has an unknown key or a value out of range.
    """
    if name in PRESETS:
        return Request(**PRESETS[name])
    path = Path(name)
    if not path.is_file():
        cause = "there is no such preset, and no such file"
        raise InputError(name, cause, f"choose from {', '.join(PRESETS)}, or name a YAML file")
    try:
        tree = load_yaml(read_bounded(path, MAX_BYTES, "name a YAML file").decode("utf-8"))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"it is not valid YAML ({error})", "correct it") from error
    if tree is not None and not isinstance(tree, Mapping):
        raise InputError(path, "it is not a mapping of settings", "write lines such as `seconds: 60`")
    request: Request = build(Request, tree or {}, str(path))
    return request
