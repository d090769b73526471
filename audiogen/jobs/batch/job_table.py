"""The job table: reads CSV in its dialects, JSON lines or YAML into rows of values.

Tables come from spreadsheets, scripts and editors. Whatever has one meaning is accepted; whatever is ambiguous, such as
1,500 for 1.5 or 1500, is an error that names the row.
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
from audiogen.config.yaml_files import BoundedLoader, load_yaml, read_bounded
from audiogen.errors import InputError
from audiogen.jobs.request import Request

REQUEST_COLUMNS = tuple(field.name for field in dataclasses.fields(Request))
COLUMNS = ("name", "prompt", "run", "weights", "morph", "config", *REQUEST_COLUMNS)
ALIASES = {"impose": "match_texture"}  # earlier names of columns
TEXT_COLUMNS = ("name", "prompt", "run", "morph", "config", "longest_copy", "vocoder", "subtype")  # as written
NUMBER_COLUMNS = ("weights", "seconds", "seed", "temperature", "level", "brightness", "density", "loudness")
SEPARATOR = ";"  # of several Runs, or weights, in one cell
MAX_BYTES = 1 << 25
DELIMITERS = (",", ";", "\t", "|")
BYTE_ORDER_MARKS = (  # longer ones first: that of UTF-32 starts like that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WORKBOOK = b"PK\x03\x04"  # start of .xlsx and .ods
TITLE_LINES = 10  # of a sheet's title above the header, at most
DELIMITER_LINE = re.compile(r'"?sep=(.|\\t)"?[,;\t ]*', re.IGNORECASE)  # as Excel writes it
_CELL = re.compile(r"[^,;\t|]+")
DECIMAL_COMMA = re.compile(r"([+-]?|[\d:]+:)\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)
THOUSANDS_COMMA, THOUSANDS_POINT = (re.compile(rf"[+-]?[1-9]\d{{0,2}}{mark}\d{{3}}") for mark in (",", r"\."))


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a job file.

    Returns:
        Column -> value for each row; the names of known columns are spelled as in `COLUMNS`.

    Raises:
        InputError: the file cannot be read, has an unknown format, or is ambiguous.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(path, f"unknown suffix {path.suffix!r}", f"choose from {', '.join(FORMATS)}")
    content = read_bounded(path, MAX_BYTES, "name an existing job file")
    if content.startswith(WORKBOOK):
        raise InputError(path, "it is a workbook of a spreadsheet, whatever its name says", "export the sheet as CSV")
    try:
        return [_normalised(path, row, n) for n, row in enumerate(FORMATS[suffix](path, _decoded(path, content)), 1)]
    except InputError:
        raise
    except (ValueError, csv.Error, RecursionError) as error:
        raise InputError(path, f"it is not valid {suffix[1:].upper()} ({error})", "correct it") from error


def _decoded(path: Path, content: bytes) -> str:
    """Decode UTF-8, UTF-16 or UTF-32; a CSV also from Windows-1252, as Excel writes it."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(encoding).removeprefix("\ufeff")
    if b"\0" in content[:64]:  # UTF-16 without a mark; anything else will not parse
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
    message = f"{path}: it is not Unicode, and was read as Windows-1252; save it as UTF-8 if names come out wrong"
    warnings.warn(message, AudioWarning, stacklevel=4)
    return text


def _normalised(path: Path, row: Any, number: int) -> dict[str, Any]:
    """A row whose column names are spelled as in `COLUMNS`: case, blanks and hyphens do not matter."""
    if not isinstance(row, dict):
        raise InputError(path, f"a row must map columns to values, not be {row!r}", f"columns: {', '.join(COLUMNS)}")
    normalised: dict[str, Any] = {}
    for name, value in row.items():
        column = _column(name)
        if column in normalised:
            raise InputError(f"{path}: row {number}", f"column {column} occurs twice", "keep one of them")
        normalised[column] = value
    return normalised


def _column(name: Any) -> Any:
    if not isinstance(name, str):
        return name
    known = re.sub(r"[\s_-]+", "_", name.strip().casefold())
    known = ALIASES.get(known, known)
    return known if known in COLUMNS else name.strip()


def _csv(path: Path, text: str) -> Iterator[dict[str, Any]]:
    text, stated = _without_preamble(text)
    delimiter = _delimiter(text, stated)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    header = [_column(name) for name in next(table, [])]
    named = [name for name in header if name]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise InputError(path, f"column {twice} occurs twice", "keep one of them")
    rows = [cells for cells in ([cell.strip() for cell in row] for row in table) if any(cells)]
    numbers = [index for index, name in enumerate(header) if name in NUMBER_COLUMNS]
    commas = any(DECIMAL_COMMA.fullmatch(row[index]) for row in rows for index in numbers if index < len(row))
    for number, cells in enumerate(rows, 1):
        for index, cell in enumerate(cells):
            if cell and (index >= len(header) or not header[index]):
                column = "(beyond the last)" if index >= len(header) else "(without a name)"
                cause = f"row {number} has the value {cell!r}"
                raise InputError(f"{path}: column {column!r}", cause, "name its column, or remove it")
        values = dict(zip(header, cells, strict=False))
        values.pop("", None)
        for name in (name for name in NUMBER_COLUMNS if name in values):
            parts = [_number(path, number, name, part, delimiter, commas) for part in values[name].split(SEPARATOR)]
            values[name] = SEPARATOR.join(parts)
        yield values


def _without_preamble(text: str) -> tuple[str, str]:
    """Remove blank lines, comments and a ``sep=`` line above the header.

    Returns:
        The text from the header on, and the delimiter of the ``sep=`` line, empty without one.
    """
    stated = ""
    while text:
        line = re.split(r"\r\n|\r|\n", text, maxsplit=1)[0]
        bare = line.strip(' \t"' + "".join(DELIMITERS))
        if match := DELIMITER_LINE.fullmatch(line.strip(" ")):
            stated = "\t" if match[1] == "\\t" else match[1]
        elif bare and not bare.startswith("#"):
            break
        text = text[len(line) :].removeprefix("\r").removeprefix("\n")
    return _without_title(text), stated


def _without_title(text: str) -> str:
    """Remove lines that name no column, if the header, which names the prompt's, follows soon."""
    lines = text.splitlines(keepends=True)[: TITLE_LINES + 1]
    named = [{_column(cell.strip(' "\r\n\u00a0')) for cell in _CELL.findall(line)} for line in lines]
    header = next((index for index, names in enumerate(named) if "prompt" in names), 0)
    titled = not any(names & set(COLUMNS) for names in named[:header])
    return text[sum(map(len, lines[:header])) :] if titled else text


def _delimiter(text: str, stated: str) -> str:
    """The delimiter that splits the header into the most known columns."""

    def known_columns(delimiter: str) -> int:
        table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
        try:
            return sum(_column(name) in COLUMNS for name in next(table, []))
        except csv.Error:
            return 0

    return max(([stated] if stated and stated not in '"\r\n ' else []) + list(DELIMITERS), key=known_columns)


def _number(path: Path, row: int, column: str, text: str, delimiter: str, commas: bool) -> str:
    """Convert a decimal comma to a point, and a typographic minus to a hyphen.

    Args:
        path, row, column: position in the file, for messages.
        text: the number as written.
        delimiter: of the table; semicolons suggest that commas are decimal.
        commas: whether any number of the table has a decimal comma.

    Raises:
        InputError: the number has thousands separators, or may have.
    """
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    position = f"{path}: row {row}: {column}"
    if "," in text and (text.count(",") > 1 or "." in text):
        raise InputError(position, f"{text} has thousands separators", "remove them")
    if "," not in text:
        if THOUSANDS_POINT.fullmatch(text) and (commas or delimiter == ";"):
            raise _ambiguous(position, text, text)
        return text
    if not DECIMAL_COMMA.fullmatch(text):
        return text  # not a number: refused when the row is validated
    if delimiter != ";" and THOUSANDS_COMMA.fullmatch(text):
        raise _ambiguous(position, text, text.replace(",", "."))
    return text.replace(",", ".")


def _ambiguous(position: str, written: str, decimal: str) -> InputError:
    small, large = decimal.rstrip("0").rstrip("."), decimal.replace(".", "")
    return InputError(position, f"{written} may mean {small} or {large}", "write the one intended")


def _jsonl(path: Path, text: str) -> Iterator[Any]:
    for line in text.split("\n"):  # not splitlines: JSON strings may contain other line separators
        if line.strip() and not line.lstrip().startswith("#"):
            yield json.loads(line, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} occurs twice in a row")
    return values


class _Rows(BoundedLoader):
    """Loads YAML with text columns as written: ``name: no`` is not a boolean, ``name: 007`` not a number."""

    max_nodes = 1_000_000

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        own = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := next((name for name in own if own.count(name) > 1), None):
            raise yaml.YAMLError(f"{twice} occurs twice in a row")
        self.flatten_mapping(node)
        return {
            self.construct_object(key, deep=True): self._written(value)
            if key.value in TEXT_COLUMNS or _column(key.value) in TEXT_COLUMNS
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
        """Keep ``010`` as text, to be read as ten; YAML 1.1 reads it as octal."""
        if isinstance(node, yaml.SequenceNode):
            return [self._decimal(inner) for inner in node.value]
        if isinstance(node, yaml.ScalarNode) and re.fullmatch(r"[+-]?0[0-9]+", node.value):
            return node.value
        return self.construct_object(node, deep=True)


def _yaml(path: Path, text: str) -> list[Any]:
    rows = load_yaml(text, _Rows) or []
    if not isinstance(rows, list):
        raise ValueError("it must be a list of rows")
    return rows


SPREADSHEETS = (".csv", ".tsv")
FORMATS: dict[str, Callable[[Path, str], Any]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".yaml": _yaml,
    ".yml": _yaml,
}
