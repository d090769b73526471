"""Render a batch: a job file in, a folder of audio files with sidecars and a results table out."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from shutil import rmtree

from audiogen.errors import InputError
from audiogen.file_names import representable
from audiogen.jobs.batch.clips import RECORDING_COLUMNS, Clip, RowValidator
from audiogen.jobs.batch.results_table import FAILED, FINISHED, Results, Shard, finished_record, read_records
from audiogen.jobs.batch.resume import mismatch
from audiogen.jobs.batch.rows import Row, is_plain, read_rows
from audiogen.jobs.batch.tasks import PART, RUNS, describe_error, group_into_tasks
from audiogen.jobs.batch.workers import ENGINES
from audiogen.output_names import sidecar_of
from audiogen.progress import progress
from audiogen.run import METRICS

PARTIAL_FILES = (".audiogen-*.part", "*.json.part", "results*.part")
SHARED_COLUMNS = ("prompt", "config", "run", "weights", "morph", "ambience")  # rows that agree in them share a Model


def render(
    jobs: Path,
    folder: Path,
    workers: int = 1,
    engine: str = "local",
    resume: bool = False,
    force: bool = False,
    budget: float | None = None,
    device: str = "auto",
    log: Callable[[str], None] = lambda line: None,
    allow_external_weights: bool = False,
    shard: Shard | None = None,
) -> Results:
    """Render every row of a job file. A row that fails does not stop the others.

    However it is stopped, each file in the folder is complete, and ``resume`` continues: finished clips that still
    match their rows are kept, the others are rendered. Trained Runs are kept in ``folder/runs``.

    Args:
        jobs: CSV, JSON lines or YAML with the columns `job_table.COLUMNS`; relative paths are relative to its folder.
        folder: where the clips, their sidecars and the results go.
        workers: number of processes.
        engine: a key of `ENGINES`.
        resume: continue in a folder that is not empty.
        force: start over in a folder that is not empty.
        budget: time limit of each training in seconds; 0 for the shipped base.
        device: "auto", "cpu" or "cuda".
        log: receives a line for each row that failed or is rendered again.
        allow_external_weights: whether Runs and configurations that the job file names may name weights elsewhere; as
            of `Run.open`.
        shard: which of how many parts of the rows, from 1, such as (2, 8): other processes, on any machine that has
            the folder, render the others. The clips are those of the whole; rendering that with ``resume`` afterwards
            unites the tables. None for all rows.

    Raises:
        InputError: an unusable job file, an unknown engine, a folder that is not empty, or a clip that would replace
            one of the recordings.
    """
    rows = read_rows(jobs)
    if shard is not None:
        rows = _rows_of(rows, shard, trains=bool(budget))
    if engine not in ENGINES:
        raise InputError(f"engine {engine}", "there is no such engine", f"choose from {', '.join(ENGINES)}")
    _require_no_recording_replaced(rows, folder)
    results = Results(folder, rows, shard)
    if shard is None:
        _prepare_folder(folder, resume, force)
    else:
        _prepare_shard(folder, results, resume, force)
    records = read_records(folder) if resume else {}
    validator, clips = RowValidator(allow_external_weights), dict[str, Clip]()
    for row in rows:
        try:
            clip = validator.clip(row)
        except Exception as error:  # whatever a decoder raises for one prompt must not stop the others
            _fail(results, folder, row.name, describe_error(error), log)
            continue
        if not _is_kept(results, clip, folder / row.name, records.get(representable(row.name), {}), log):
            clips[row.name] = clip
    results.write()
    tasks = group_into_tasks(clips.values(), folder, workers, budget, device, allow_external_weights)
    with (
        progress(len(clips), "rendering", "clips") as bar,
        closing(ENGINES[engine](tasks, workers)) as batches,
    ):
        for batch in batches:
            # No task has ended, but some of its clips may be finished: those whose sidecar exists.
            outcomes = batch or [(name, None) for name in clips if sidecar_of(folder / name).is_file()]
            for name, failure in outcomes:
                if (done := clips.pop(name, None)) is None:
                    continue
                if failure is None:
                    results.set(done.row, **finished_record(done, folder / name))
                else:
                    _fail(results, folder, name, failure, log)
                bar.update()
            if outcomes:
                results.write()
    if shard is None:
        _remove_partial_files(folder)  # of workers that were killed
    return results


def _rows_of(rows: list[Row], shard: Shard, trains: bool) -> list[Row]:
    """The rows of a shard: every n-th; those for which a Model is trained together, by their prompts."""
    number, count = shard
    if not 1 <= number <= count:
        cure = f"choose from 1/{count} to {count}/{count}" if count > 0 else "for example 1/4, the first of four"
        raise InputError(f"--shard {number}/{count}", "there is no such part", cure)
    groups, chosen = dict[tuple[object, ...], int](), list[Row]()
    for row in rows:
        trained = trains or "config" in row.values
        key = tuple(row.values.get(column) for column in SHARED_COLUMNS) if trained else (row.number,)
        groups.setdefault(key, len(groups))
        if groups[key] % count == number - 1:
            chosen.append(row)
    return chosen


def _require_no_recording_replaced(rows: list[Row], folder: Path) -> None:
    """Raise an InputError for a clip with the path of a recording: that would be removed before it is read."""
    recordings = {_resolved(row.path(key)) for row in rows for key in RECORDING_COLUMNS if key in row.values}
    for row in rows:
        if _resolved(folder / row.name) in recordings:
            cause = f"{row.label} would replace a recording that is read"
            raise InputError(folder / row.name, cause, "choose another name, or another folder")


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # not a file name: refused when the file is read
        return path


def _prepare_folder(folder: Path, resume: bool, force: bool) -> None:
    """Create the folder, or remove partial files and Runs from it."""
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "it is not a folder", "name another")
    if folder.is_dir() and any(folder.iterdir()) and not (resume or force):
        cure = "use --resume to continue, --force to start over, or name another"
        raise InputError(folder, "it is not empty", cure)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_partial_files(folder)
    for run in (folder / RUNS).glob("*"):
        if (force and not resume) or run.name.startswith(PART) or not (run / METRICS).is_file():
            rmtree(run)


def _prepare_shard(folder: Path, results: Results, resume: bool, force: bool) -> None:
    """Create the folder. What other shards write there is left alone, partial files included."""
    if results.lines.exists() and not (resume or force):
        cure = "use --resume to continue, --force to start over, or name another folder"
        raise InputError(results.lines, "this shard has been rendered before", cure)
    folder.mkdir(parents=True, exist_ok=True)


def _remove_partial_files(folder: Path) -> None:
    for pattern in PARTIAL_FILES:
        for part in folder.glob(pattern):
            part.unlink(missing_ok=True)


def _is_kept(results: Results, clip: Clip, out: Path, record: dict[str, object], log: Callable[[str], None]) -> bool:
    """Whether the clip on disk is kept; if not, its files are removed."""
    exists = bool(record) or out.exists()
    reason = mismatch(clip, out, record) if record else "the results do not list it"
    if reason is None:
        results.set(clip.row, **finished_record(clip, out))
        return True
    if exists and record.get("status") in (None, FINISHED):
        log(f"{clip.row.label}: rendered again: {reason}")
    _discard(out)
    results.set(clip.row, request=clip.digest)
    return False


def _fail(results: Results, folder: Path, name: str, error: str, log: Callable[[str], None]) -> None:
    record = results.records[name]
    record.update(status=FAILED, error=error)
    log(f"row {record['row']} ({Path(name).stem}): {error}")
    if is_plain(name):
        _discard(folder / name)


def _discard(out: Path) -> None:
    # The sidecar first: without it, no file counts as finished.
    try:
        sidecar_of(out).unlink(missing_ok=True)
        out.unlink(missing_ok=True)
    except ValueError:  # not a file name
        return
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
