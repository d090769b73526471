"""A job file (CSV, JSON lines or YAML) -> rows, each with what is asked of one clip."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PureWindowsPath
from typing import Any

from audiogen.audio import CONTAINERS, open_blocks
from audiogen.audio.writing import container_for
from audiogen.config.shipped import find_config
from audiogen.data.recordings import reading
from audiogen.errors import InputError
from audiogen.experiment import Experiment, build, dump_yaml, read_experiment
from audiogen.file_names import is_inside, printable
from audiogen.jobs.batch.tables import ASKED, BETWEEN, COLUMNS, TEXTS, read_table
from audiogen.jobs.request import Request
from audiogen.output_names import require_names
from audiogen.run import CONFIG, STATISTICS, WEIGHTS, own_vocoder
from audiogen.sound.run_mixture import normalised_weights
from audiogen.vocoders.registry import VOCODERS

READ = ("prompt", "morph")  # columns that name recordings
MOST_ROWS = 100_000


@dataclass(frozen=True)
class Row:
    """One clip to be made.

    Args:
        number: in the job file, from 1, lists expanded.
        name: of the file to be written, with its suffix.
        values: what the job file says, empty cells left out.
        folder: that its relative paths start from.
    """

    number: int
    name: str
    values: dict[str, Any]
    folder: Path

    @property
    def label(self) -> str:
        return f"row {self.number} ({Path(self.name).stem})"


@dataclass(frozen=True)
class Clip:
    """A row whose values were found to make sense.

    Args:
        row: where it comes from.
        prompt: what is continued.
        request: what is asked of the tail.
        runs: folders of the Runs that predict; none for `predictor_of` the prompt.
        weights: of several Runs; none for equal ones.
        morph: recording that the tail turns into, if any.
        experiment: None with a Run, and for the shipped base.
        source: digest of the prompt's content and of the Runs' or the experiment's: which Model it will be.
        target: the same of the morph's recording; empty without one.
    """

    row: Row
    prompt: Path
    request: Request
    runs: tuple[Path, ...]
    weights: tuple[float, ...]
    morph: Path | None
    experiment: Experiment | None
    source: str
    target: str

    @property
    def digest(self) -> str:
        """Of everything that decides about the samples."""
        return hashlib.sha256(f"{self.source} {self.target} {self.request}".encode()).hexdigest()


def read_rows(path: Path) -> list[Row]:
    """The rows of a job file. A list instead of a value (JSON lines, YAML) stands for a row of each.

    Raises:
        InputError: unreadable or empty, an unknown column, two rows of one name, or more than `MOST_ROWS`.
    """
    found = [_checked(path, values, number) for number, values in enumerate(read_table(path), 1)]
    total = sum(_product(values) for values in found)
    if total > MOST_ROWS:
        raise InputError(path, f"its lists make {total:,} rows", f"ask for {MOST_ROWS:,} at most at a time")
    expanded = [one for values in found for one in _expanded(values)]
    if not expanded:
        raise InputError(path, "it holds no rows", f"columns: {', '.join(COLUMNS)}")
    rows = [Row(number, _name(values, number), values, path.parent) for number, values in enumerate(expanded, 1)]
    _require_distinct(path, rows)
    return rows


def _checked(path: Path, values: dict[str, Any], number: int) -> dict[str, Any]:
    for column, value in values.items():
        if column not in COLUMNS:
            close = difflib.get_close_matches(str(column), COLUMNS, 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise InputError(
                f"{path}: column {column!r}",
                "there is none of that name",
                f"{hint}choose from {', '.join(COLUMNS)}",
            )
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, list | dict) or (column in TEXTS and isinstance(one, bool)):
                raise InputError(f"{path}: row {number}: {column}", f"{one!r} is no value of it", "write a text")
    return {column: value for column, value in values.items() if value not in (None, "", [])}


def _product(values: dict[str, Any]) -> int:
    """How many rows a row with lists stands for."""
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
    """Whether a file of this name lies in the folder that it is put into, on every system, in plain sight."""
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
            raise InputError(path, cause, "name them apart, or leave the column out")


class RowValidator:
    """Rows -> Clips. It reads each file that rows share once.

    Args:
        allow_external_weights: whether a configuration may name weights of a vocoder.
    """

    def __init__(self, allow_external_weights: bool = False) -> None:
        self._external = allow_external_weights
        self._experiment, self._digest = cache(read_experiment), cache(file_digest)
        self._run_digest = cache(run_digest)

    def clip(self, row: Row) -> Clip:
        """What a row asks for, as far as can be said before it is begun.

        Raises:
            InputError: a wrong value, a file that is missing or no audio, an unusable Run or configuration.
        """
        values = row.values
        if not is_plain(row.name):
            cause = "a name has no folders, drives or control characters, and begins with no dot"
            raise InputError(printable(row.name), cause, "choose a plain one")
        require_names(Path(row.name))
        if "prompt" not in values:
            raise InputError("prompt", "none is named", "fill the column")
        request = build(Request, {name: values[name] for name in ASKED if name in values}, "row")
        if request.vocoder not in (None, *VOCODERS):
            choices = f"choose from {', '.join(VOCODERS)}"
            raise InputError(f"vocoder {request.vocoder}", "there is none of that name", choices)
        container_for(Path(row.name), request.subtype)
        runs, weights = self._runs(row)
        experiment, model = self._model(row, runs, weights)
        prompt, morph = (row.folder / str(values[key]) if key in values else None for key in READ)
        assert prompt is not None
        if morph is not None and request.loop:
            raise InputError("morph", "it ends elsewhere than it began: it cannot loop", "leave out either of the two")
        source, target = (self._source(path, model) if path is not None else "" for path in (prompt, morph))
        return Clip(row, prompt, request, runs, weights, morph, experiment, source, target)

    def _source(self, recording: Path, model: str) -> str:
        with reading(recording):
            with open_blocks(recording):  # reads the header
                pass
            return f"{self._digest(recording)} {model}"

    def _runs(self, row: Row) -> tuple[tuple[Path, ...], tuple[float, ...]]:
        runs, weights = (_several(row.values.get(column, "")) for column in ("run", "weights"))
        folders = tuple(row.folder / run for run in runs)
        try:
            numbers = tuple(map(float, weights))
        except ValueError as error:
            raise InputError("weights", str(error), f"write numbers, with {BETWEEN} between") from error
        if numbers and len(folders) < 2:
            raise InputError("weights", "they divide the predictions among several Runs", "name two Runs or more")
        if numbers:
            normalised_weights(numbers, len(folders))
        return folders, numbers

    def _model(self, row: Row, runs: tuple[Path, ...], weights: tuple[float, ...]) -> tuple[Experiment | None, str]:
        """What is trained, unless there are Runs, and a digest of what predicts."""
        config = row.values.get("config")
        if not runs and config is None:
            return None, "base"
        if not runs:
            file = row.folder / str(config)
            file = file if file.exists() else find_config(str(config))
            experiment = self._experiment(file)
            # A job file may be another's: the Run that is trained by it gets no other rights than a Run that it names.
            own_vocoder(experiment.vocoder, file, self._external)
            return experiment, hashlib.sha256(dump_yaml(experiment).encode()).hexdigest()
        if config is not None:
            raise InputError("config", "a Run is trained already", "leave out either of the two")
        return None, " ".join([*map(self._run_digest, runs), *map(str, weights)])


def _several(cell: Any) -> list[str]:
    """What a cell names, less the blanks around."""
    return [part.strip() for part in str(cell).split(BETWEEN) if part.strip()]


def run_digest(folder: Path) -> str:
    """Of the files that make a Run.

    Raises:
        InputError: one of them is missing.
    """
    files = [folder / name for name in (CONFIG, WEIGHTS, STATISTICS)]
    for file in files:
        if not file.is_file():
            raise InputError(folder, f"it is no Run: {file.name} is missing", "name what `audiogen train` made")
    return hashlib.sha256(" ".join(map(file_digest, files)).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
