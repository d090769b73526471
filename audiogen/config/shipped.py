"""The configurations that ship with audiogen, by name: ``mel/lstm-flow`` is configs/mel/lstm-flow.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audiogen.errors import InputError

PACKAGE = Path(__file__).parents[1]
KNOWN_KEYS = Path(__file__).with_name("known_keys.json")
"""The keys of configurations and the types of their values; see `audiogen.config.known_keys`."""


def configs_folder() -> Path:
    """The folder of the shipped configurations: in the installed package, or beside it in a clone.

    Raises:
        InputError: it is missing.
    """
    for folder in (PACKAGE / "configs", PACKAGE.parent / "configs"):
        if (folder / "base.yaml").is_file():
            return folder
    raise InputError("configs", "they are missing from this installation", "install audiogen again")


def shipped_configs() -> dict[str, Path]:
    """Name -> YAML file, sorted by name, ``base`` first."""
    folder = configs_folder()
    files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")}
    return dict(sorted(files.items(), key=lambda item: (item[0].count("/"), item[0])))


def shipped_vocoder_kinds() -> list[str]:
    """Kinds of vocoders that ship with audiogen, without loading them."""
    return list(json.loads(KNOWN_KEYS.read_text(encoding="utf-8"))["vocoder"]["kinds"])


def find_config(given: Path | str) -> Path:
    """The YAML file of a path or of the name of a shipped configuration, with or without ``.yaml``.

    Raises:
        InputError: there is none; the message suggests similar names.
    """
    path = Path(given)
    try:
        if path.exists() and not path.is_dir():
            return path
    except OSError:  # a name that is too long for a file
        pass
    known = shipped_configs()
    name = path.as_posix().removesuffix(".yaml").removeprefix("configs/")
    if name in known:
        return known[name]
    import difflib

    cause = "there is no such file, and no shipped configuration of that name"
    close = difflib.get_close_matches(name, known, 3) or [each for each in known if each.endswith(f"/{name}")]
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise InputError(given, cause, f"{hint}`audiogen configs` lists the names")


def summary(path: Path) -> str:
    """A configuration in one line: the first sentence of its first comment, or the keys that it sets."""
    text = path.read_text(encoding="utf-8")
    if text.startswith("#"):
        comment = []
        for line in text.splitlines():
            if not line.startswith("#") or line.startswith("#  "):
                break
            comment.append(line.removeprefix("#").strip())
        return " ".join(comment).partition(". ")[0].rstrip(".:;")
    import yaml

    tree = yaml.safe_load(text)
    base = tree.pop("base", None)
    if not tree:
        named = (path.parent / base).resolve().relative_to(configs_folder().resolve())
        return f"same as {named.with_suffix('').as_posix()}"
    return ", ".join(_in_words(tree))


def _in_words(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """``{"model": {"head": {"kind": "flow", "blocks": 2}}}`` -> ``model.head flow (blocks 2)``."""
    for key, value in tree.items():
        if not isinstance(value, Mapping):
            yield f"{prefix}{key} {value}"
        elif "kind" in value:
            options = ", ".join(_in_words({name: item for name, item in value.items() if name != "kind"}))
            yield f"{prefix}{key} {value['kind']}" + (f" ({options})" if options else "")
        else:
            yield from _in_words(value, f"{prefix}{key}.")
