"""Job tables as people, scripts and spreadsheets write them: CSV in its dialects, JSON lines, YAML -> rows of cells.

What can be meant in one way only is taken that way; what can be meant in two is refused, with the row that it is in.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import json
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from audiogen.audio import AudioWarning
from audiogen.config.schema import BoundedLoader, load_yaml, read_bounded
from audiogen.errors import InputError
from audiogen.jobs.request import Request

ASKED = tuple(field.name for field in dataclasses.fields(Request))
COLUMNS = ("name", "prompt", "run", "weights", "morph", "config", *ASKED)
ALIASES = {"impose": "match_texture"}  # earlier names of columns
TEXTS = ("name", "prompt", "run", "morph", "config", "vocoder", "subtype")  # kept as they are written
NUMBERS = ("weights", "seconds", "seed", "temperature", "level", "brightness", "density")
BETWEEN = ";"  # several Runs, or weights, in one cell
MOST_BYTES = 1 << 25
DELIMITERS = (",", ";", "\t", "|")
BYTE_ORDER_MARKS = (  # the longer ones first: UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SEPARATOR_LINE = re.compile(r'"?sep=(.|\\t)"?[,;\t ]*', re.IGNORECASE)  # Excel's
DECIMAL_COMMA = re.compile(r"([+-]?|[\d:]+:)\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)
THOUSANDS_COMMA, THOUSANDS_POINT = (re.compile(rf"[+-]?[1-9]\d{{0,2}}{mark}\d{{3}}") for mark in (",", r"\."))


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a job file: a mapping from columns to values each, columns spelled as in `COLUMNS` if known.

    Raises:
        InputError: unreadable, of no known format, or ambiguous.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(path, f"unknown suffix {path.suffix!r}", f"choose from {', '.join(FORMATS)}")
    content = read_bounded(path, MOST_BYTES, "name an existing job file")
    try:
        return [_spelled(path, row, n) for n, row in enumerate(FORMATS[suffix](path, _decoded(path, content)), 1)]
    except InputError:
        raise
    except (ValueError, csv.Error, RecursionError) as error:
        raise InputError(path, f"it is not {suffix[1:].upper()} ({error})", "mend it") from error


def _decoded(path: Path, content: bytes) -> str:
    """The text of a file: of Unicode in any of its forms; of a CSV, in Windows-1252 too, as Excel writes it."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(encoding).removeprefix("\ufeff")
    if b"\0" in content[:64]:  # UTF-16 without its mark; what is not is found out by its odd characters
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        if path.suffix.lower() not in SPREADSHEETS:
            raise
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise InputError(path, "its text is neither Unicode nor Windows-1252", "save it as UTF-8") from error
    said = f"{path}: it is not Unicode, and was read as Windows-1252; save it as UTF-8 if names come out wrong"
    warnings.warn(said, AudioWarning, stacklevel=4)
    return text


def _spelled(path: Path, row: Any, number: int) -> dict[str, Any]:
    """A row with its columns spelled as in `COLUMNS`, whatever their case, and blanks or hyphens for the ``_``."""
    if not isinstance(row, dict):
        raise InputError(path, f"a row must name its values, not {row!r}", f"columns: {', '.join(COLUMNS)}")
    spelled: dict[str, Any] = {}
    for name, value in row.items():
        column = _column(name)
        if column in spelled:
            raise InputError(f"{path}: row {number}", f"it names {column} twice", "keep one of them")
        spelled[column] = value
    return spelled


def _column(name: Any) -> Any:
    if not isinstance(name, str):
        return name
    known = re.sub(r"[\s_-]+", "_", name.strip().casefold())
    known = ALIASES.get(known, known)
    return known if known in COLUMNS else name.strip()


def _csv(path: Path, text: str) -> Iterator[dict[str, Any]]:
    text, said = _without_preamble(text)
    delimiter = _delimiter(text, said)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    header = [_column(name) for name in next(table, [])]
    named = [name for name in header if name]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise InputError(path, f"two of its columns are called {twice}", "keep one of them")
    rows = [cells for cells in ([cell.strip() for cell in row] for row in table) if any(cells)]
    numbers = [index for index, name in enumerate(header) if name in NUMBERS]
    commas = any(DECIMAL_COMMA.fullmatch(row[index]) for row in rows for index in numbers if index < len(row))
    for number, cells in enumerate(rows, 1):
        for index, cell in enumerate(cells):
            if cell and (index >= len(header) or not header[index]):
                column = "(beyond the last)" if index >= len(header) else "(without a name)"
                cause = f"row {number} has {cell!r} there"
                raise InputError(f"{path}: column {column!r}", cause, "name its column, or remove it")
        values = dict(zip(header, cells, strict=False))
        values.pop("", None)
        for name in (name for name in NUMBERS if name in values):
            parts = [_number(path, number, name, part, delimiter, commas) for part in values[name].split(BETWEEN)]
            values[name] = BETWEEN.join(parts)
        yield values


def _without_preamble(text: str) -> tuple[str, str]:
    """What begins with the header, and the delimiter that a ``sep=`` line names: blank lines and comments above the
    header are left out."""
    said = ""
    while text:
        line = re.split(r"\r\n|\r|\n", text, maxsplit=1)[0]
        bare = line.strip(' \t"' + "".join(DELIMITERS))
        if found := SEPARATOR_LINE.fullmatch(line.strip(" ")):
            said = "\t" if found[1] == "\\t" else found[1]
        elif bare and not bare.startswith("#"):
            break
        text = text[len(line) :].removeprefix("\r").removeprefix("\n")
    return text, said


def _delimiter(text: str, said: str) -> str:
    """The delimiter by which the header has most columns that are known."""

    def known(delimiter: str) -> int:
        table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
        try:
            return sum(_column(name) in COLUMNS for name in next(table, []))
        except csv.Error:
            return 0

    return max(([said] if said and said not in '"\r\n ' else []) + list(DELIMITERS), key=known)


def _number(path: Path, row: int, column: str, text: str, delimiter: str, commas: bool) -> str:
    """A number with a decimal point.

    Args:
        path, row, column: where it stands, for messages.
        text: as it is written.
        delimiter: semicolons stand where commas are decimal.
        commas: whether some number of the table has a decimal comma.
    """
    text = text.strip()
    place = f"{path}: row {row}: {column}"
    if "," in text and (text.count(",") > 1 or "." in text):
        raise InputError(place, f"{text} has a mark of thousands", "write numbers without them")
    if "," not in text:
        if THOUSANDS_POINT.fullmatch(text) and (commas or delimiter == ";"):
            raise _ambiguous(place, text, text)
        return text
    if not DECIMAL_COMMA.fullmatch(text):
        return text  # no number; its own check says so
    if delimiter != ";" and THOUSANDS_COMMA.fullmatch(text):
        raise _ambiguous(place, text, text.replace(",", "."))
    return text.replace(",", ".")


def _ambiguous(place: str, written: str, decimal: str) -> InputError:
    small, large = decimal.rstrip("0").rstrip("."), decimal.replace(".", "")
    return InputError(place, f"{written} is {small} or {large}", "write the one that is meant")


def _jsonl(path: Path, text: str) -> Iterator[Any]:
    for line in text.split("\n"):  # not splitlines: JSON strings may hold other separators
        if line.strip() and not line.lstrip().startswith("#"):
            yield json.loads(line, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} stands twice in a row")
    return values


class _Rows(BoundedLoader):
    """YAML whose texts are those that were written: ``name: no`` is no boolean, ``name: 007`` no number."""

    most_nodes = 1_000_000

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        own = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := next((name for name in own if own.count(name) > 1), None):
            raise yaml.YAMLError(f"{twice} stands twice in one row")
        self.flatten_mapping(node)
        return {
            self.construct_object(key, deep=True): self._written(value)
            if key.value in TEXTS or _column(key.value) in TEXTS
            else self._decimal(value)
            for key, value in node.value
        }

    def _written(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self._written(inner) for inner in node.value]
        if isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null":
            return node.value
        return self.construct_object(node, deep=True)

    def _decimal(self, node: yaml.Node) -> Any:
        """``010`` is ten, as everywhere else; to YAML 1.1 it is eight."""
        if isinstance(node, yaml.SequenceNode):
            return [self._decimal(inner) for inner in node.value]
        if isinstance(node, yaml.ScalarNode) and re.fullmatch(r"[+-]?0[0-9]+", node.value):
            return node.value
        return self.construct_object(node, deep=True)


def _yaml(path: Path, text: str) -> list[Any]:
    rows = load_yaml(text, _Rows) or []
    if not isinstance(rows, list):
        raise ValueError("a list of rows is needed")
    return rows


SPREADSHEETS = (".csv", ".tsv")
FORMATS: dict[str, Callable[[Path, str], Any]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".yaml": _yaml,
    ".yml": _yaml,
}
