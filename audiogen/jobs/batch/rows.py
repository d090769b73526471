"""The rows of a job table, with lists expanded: one row per clip."""

from __future__ import annotations

import difflib
import itertools
import math
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from audiogen.audio import CONTAINERS
from audiogen.errors import InputError
from audiogen.file_names import is_inside, printable
from audiogen.jobs.batch.job_table import COLUMNS, TEXT_COLUMNS, read_table

MAX_ROWS = 100_000


@dataclass(frozen=True)
class Row:
    """One row, not yet validated.

    Args:
        number: position in the job file, from 1, with lists expanded.
        name: file name of the clip, with its suffix.
        values: column -> value, without empty cells.
        folder: the folder that relative paths are relative to.
    """

    number: int
    name: str
    values: dict[str, Any]
    folder: Path

    @property
    def label(self) -> str:
        """Number and name, for messages."""
        return f"row {self.number} ({printable(Path(self.name).stem)})"

    def path(self, column: str) -> Path:
        """The path in a column; of a name with accents in either Unicode form, that of the existing file."""
        path = self.folder / str(self.values[column])
        if os.path.exists(path):  # which is False, unlike that of a Path, for a name too long
            return path
        spellings = [path.with_name(unicodedata.normalize(form, path.name)) for form in ("NFC", "NFD")]
        return next((spelling for spelling in spellings if os.path.exists(spelling)), path)


def read_rows(path: Path) -> list[Row]:
    """Read a job file. A list in place of a value (JSON lines, YAML) makes a row of each.

    Raises:
        InputError: the file cannot be read or is empty, a column is unknown, two rows have the same name, or there are
            more than `MAX_ROWS` rows.
    """
    table = [_checked(path, values, number) for number, values in enumerate(read_table(path), 1)]
    total = sum(_product(values) for values in table)
    if total > MAX_ROWS:
        raise InputError(path, f"its lists make {total:,} rows", f"split it into files of at most {MAX_ROWS:,}")
    expanded = [one for values in table for one in _expanded(values)]
    if not expanded:
        raise InputError(path, "it has no rows", f"columns: {', '.join(COLUMNS)}")
    rows = [Row(number, _name(values, number), values, path.parent) for number, values in enumerate(expanded, 1)]
    _require_distinct(path, rows)
    return rows


def _checked(path: Path, values: dict[str, Any], number: int) -> dict[str, Any]:
    """The values without empty cells, if all columns and types are known."""
    for column, value in values.items():
        if column not in COLUMNS:
            close = difflib.get_close_matches(str(column), COLUMNS, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            cure = f"{hint}choose from {', '.join(COLUMNS)}"
            raise InputError(f"{path}: column {column!r}", "there is no such column", cure)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, list | dict) or (column in TEXT_COLUMNS and isinstance(one, bool)):
                raise InputError(f"{path}: row {number}: {column}", f"{one!r} is not a valid value", "write a text")
    return {column: value for column, value in values.items() if value not in (None, "", [])}


def _product(values: dict[str, Any]) -> int:
    """The number of rows that a row with lists makes."""
    return math.prod(len(value) for value in values.values() if isinstance(value, list))


def _expanded(values: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """``{"seed": [0, 1]}`` -> ``{"seed": 0}``, ``{"seed": 1}``."""
    choices = [value if isinstance(value, list) else [value] for value in values.values()]
    return (dict(zip(values, combination, strict=True)) for combination in itertools.product(*choices))


def _name(values: dict[str, Any], number: int) -> str:
    prompt = str(values.get("prompt", "row"))
    stem = PureWindowsPath(prompt).stem if "\\" in prompt else Path(prompt).stem  # of a table written on Windows
    name = str(values.get("name", f"{stem}-{number}"))
    return name if Path(name).suffix.lower() in CONTAINERS else f"{name}.wav"


def is_plain(name: str) -> bool:
    """Whether a file name stays in its folder on every system, is not hidden and has no control characters."""
    whole = name == Path(name).name and is_inside(name) and not name.startswith(".")
    return whole and "\\" not in name and not any(unicodedata.category(letter) == "Cc" for letter in name)


def _require_distinct(path: Path, rows: list[Row]) -> None:
    # Stems and not names, since OUT.wav and OUT.flac would share OUT.json; some file systems ignore case.
    numbers: dict[str, list[str]] = {}
    for row in rows:
        stem = unicodedata.normalize("NFC", Path(row.name).stem)
        numbers.setdefault(stem.casefold(), []).append(str(row.number))
    for stem, same in numbers.items():
        if len(same) > 1:
            cause = f"rows {', '.join(same)} share the name {stem}"
            raise InputError(path, cause, "give them different names, or leave the column out")
