"""Validation of rows: each becomes a Clip, whose prompt, Runs and options are known to be usable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from audiogen.audio import open_blocks
from audiogen.audio.sample_formats import container_for
from audiogen.config.shipped import find_config
from audiogen.data.recordings import reading
from audiogen.errors import InputError
from audiogen.experiment import Experiment, build, dump_yaml, read_experiment
from audiogen.file_names import printable
from audiogen.jobs.batch.job_table import REQUEST_COLUMNS, SEPARATOR
from audiogen.jobs.batch.rows import Row, is_plain
from audiogen.jobs.continuer_choice import require_morph
from audiogen.jobs.request import Request
from audiogen.output_names import require_names
from audiogen.run import CONFIG, STATISTICS, WEIGHTS, own_vocoder
from audiogen.sound.run_mixture import normalised_weights
from audiogen.vocoders.registry import find

RECORDING_COLUMNS = ("prompt", "morph")


@dataclass(frozen=True)
class Clip:
    """A validated row.

    Args:
        row: the row.
        prompt: recording to continue.
        request: options of the tail.
        runs: folders of the Runs that predict; none to use `choose_run`.
        weights: mixture weights of several Runs; none for equal ones.
        morph: recording to morph into, if any.
        experiment: what to train; None with Runs, and for the shipped base.
        source: digest of the contents of the prompt and of the Runs or the experiment, which together decide the Model.
        target: the same for ``morph``; empty without one.
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
        """SHA-256 of everything that the samples depend on."""
        return hashlib.sha256(f"{self.source} {self.target} {self.request}".encode()).hexdigest()


class RowValidator:
    """Turns rows into Clips; reads each file that rows share once.

    Args:
        allow_external_weights: whether a configuration may name a vocoder's weights outside its Run.
    """

    def __init__(self, allow_external_weights: bool = False) -> None:
        self._external = allow_external_weights
        self._experiment, self._digest = cache(read_experiment), cache(file_digest)
        self._run_digest = cache(run_digest)

    def clip(self, row: Row) -> Clip:
        """Validate a row, as far as that is possible without rendering it.

        Raises:
            InputError: an invalid value, a missing or unreadable recording, an unusable Run or configuration.
        """
        values = row.values
        if not is_plain(row.name):
            cause = "a name must have no folders, drives or control characters, and no leading dot"
            raise InputError(printable(row.name), cause, "choose a plain one")
        require_names(Path(row.name))
        if "prompt" not in values:
            raise InputError("prompt", "it is missing", "fill the column")
        request = build(Request, {name: values[name] for name in REQUEST_COLUMNS if name in values}, "")
        if request.vocoder is not None:
            find(request.vocoder)
        container_for(Path(row.name), request.subtype)
        runs, weights = self._runs(row)
        experiment, model = self._model(row, runs, weights)
        prompt, morph = (row.path(key) if key in values else None for key in RECORDING_COLUMNS)
        assert prompt is not None
        if morph is not None:
            require_morph(request)
        source, target = (self._source(path, model) if path is not None else "" for path in (prompt, morph))
        return Clip(row, prompt, request, runs, weights, morph, experiment, source, target)

    def _source(self, recording: Path, model: str) -> str:
        with reading(recording):
            with open_blocks(recording):  # reads the header
                pass
            return f"{self._digest(recording)} {model}"

    def _runs(self, row: Row) -> tuple[tuple[Path, ...], tuple[float, ...]]:
        """Folders and weights of the Runs."""
        runs, weights = (_split(row.values.get(column, "")) for column in ("run", "weights"))
        folders = tuple(row.folder / run for run in runs)
        try:
            numbers = tuple(map(float, weights))
        except ValueError as error:
            raise InputError("weights", str(error), f"write numbers separated by {SEPARATOR}") from error
        if numbers and len(folders) < 2:
            raise InputError("weights", "they apply to several Runs only", "name two Runs or more")
        if numbers:
            normalised_weights(numbers, len(folders))
        return folders, numbers

    def _model(self, row: Row, runs: tuple[Path, ...], weights: tuple[float, ...]) -> tuple[Experiment | None, str]:
        """The experiment to train, if any, and a digest of what predicts."""
        config = row.values.get("config")
        if not runs and config is None:
            return None, "base"
        if not runs:
            file = row.folder / str(config)
            file = file if file.exists() else find_config(str(config))
            experiment = self._experiment(file)
            # A job file may come from somebody else: the Run that it trains gets no more rights than one that it names.
            own_vocoder(experiment.vocoder, file, self._external)
            return experiment, hashlib.sha256(dump_yaml(experiment).encode()).hexdigest()
        if config is not None:
            raise InputError("config", "a Run is already trained", "leave out one of the two")
        return None, " ".join([*map(self._run_digest, runs), *map(str, weights)])


def _split(cell: object) -> list[str]:
    """The parts of a cell that holds several values."""
    return [part.strip() for part in str(cell).split(SEPARATOR) if part.strip()]


def run_digest(folder: Path) -> str:
    """SHA-256 of the files of a Run.

    Raises:
        InputError: one of them is missing.
    """
    files = [folder / name for name in (CONFIG, WEIGHTS, STATISTICS)]
    for file in files:
        if not file.is_file():
            raise InputError(folder, f"it is not a Run: {file.name} is missing", "name a folder that `train` wrote")
    return hashlib.sha256(" ".join(map(file_digest, files)).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
