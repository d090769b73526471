"""What the readers share: finding a set's root, reading its tables, naming what is missing."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from audiogen.errors import InputError
from audiogen.file_names import is_inside

NAMED = 3  # missing files that an error names


def find_root(folder: Path, marks: Sequence[str], name: str) -> Path:
    """``folder``, or the only folder within it, that has a file or folder matching one of the patterns
    ``marks``.

    Raises:
        InputError: there is none.
    """
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", f"name the unpacked {name}")
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for root in (folder, *inner):
        if any(next(root.glob(mark), None) is not None for mark in marks):
            return root
    raise InputError(folder, f"it is no {name}: it has no {' or '.join(marks)}", f"name the unpacked {name}")


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
        raise InputError(path, f"line {short} is cut short", "unpack the archive again")
    return rows


def require_inside(table: Path, names: Iterable[str]) -> None:
    """Raise an `InputError` for a name in a table that leads out of the table's folder."""
    for name in names:
        if not is_inside(name) or not (table.parent / name).resolve().is_relative_to(table.parent.resolve()):
            raise InputError(table, f"it names a file outside of its folder ({name})", "unpack the archive again")


def require(root: Path, paths: Sequence[Path]) -> None:
    """Raise an `InputError` that counts and names the ``paths`` that are not there."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        named = ", ".join(str(path.relative_to(root)) for path in missing[:NAMED])
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        cause = f"{len(missing)} of {len(paths)} files are missing: {named}{more}"
        raise InputError(root, cause, "unpack the archive again")
