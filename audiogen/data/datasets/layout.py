"""Functions shared by the readers: finding the root of a set, reading its tables, naming missing files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from audiogen.errors import InputError
from audiogen.file_names import is_inside

MAX_NAMED = 3  # missing files in an error message


def find_root(folder: Path, patterns: Sequence[str], name: str) -> Path:
    """A folder, or the first one in it, that contains a file or folder matching a pattern.

    Args:
        folder: an unpacked archive, or the folder that it was unpacked into.
        patterns: glob patterns, any of which identifies the set.
        name: of the set, for messages.

    Raises:
        InputError: there is none.
    """
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", f"name the unpacked {name}")
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for root in (folder, *inner):
        if any(next(root.glob(pattern), None) is not None for pattern in patterns):
            return root
    raise InputError(folder, f"it is not a {name}: it has no {' or '.join(patterns)}", f"name the unpacked {name}")


def read_rows(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header.

    Raises:
        InputError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            absent = [column for column in columns if column not in (reader.fieldnames or ())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"it cannot be read ({error})", "unpack the archive again") from error
    if absent:
        raise InputError(path, f"it has no column {', '.join(absent)}", "unpack the archive again")
    short = next((number for number, row in enumerate(rows, 2) if None in row.values()), None)
    if short is not None:
        raise InputError(path, f"line {short} is truncated", "unpack the archive again")
    return rows


def require_inside(table: Path, names: Iterable[str]) -> None:
    """Raise an InputError if a table names a file outside of its folder."""
    for name in names:
        if not is_inside(name) or not (table.parent / name).resolve().is_relative_to(table.parent.resolve()):
            raise InputError(table, f"it names a file outside of its folder ({name})", "unpack the archive again")


def require(root: Path, paths: Sequence[Path]) -> None:
    """Raise an InputError that counts and names missing files."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        named = ", ".join(str(path.relative_to(root)) for path in missing[:MAX_NAMED])
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        cause = f"{len(missing)} of {len(paths)} files are missing: {named}{more}"
        raise InputError(root, cause, "unpack the archive again")
