"""Many clips: a job file in, a folder of WAVs with their sidecars and a results table out."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from shutil import rmtree

from audiogen.errors import InputError
from audiogen.file_names import representable
from audiogen.jobs.batch.results_table import FAILED, FINISHED, Results, finished, former_records, mismatch
from audiogen.jobs.batch.rows import READ, Clip, Row, RowValidator, is_plain, read_rows
from audiogen.jobs.batch.workers import ENGINES, PART, RUNS, in_words, tasks_of
from audiogen.output_names import sidecar_of
from audiogen.progress import progress
from audiogen.run import METRICS

LEFTOVERS = (".audiogen-*.part", "*.json.part", "results.*.part")


def render(
    jobs: Path,
    folder: Path,
    workers: int = 1,
    engine: str = "local",
    resume: bool = False,
    force: bool = False,
    budget: float | None = None,
    device: str = "auto",
    tell: Callable[[str], None] = lambda line: None,
    allow_external_weights: bool = False,
) -> Results:
    """Make every clip of a job file; a row that cannot be made fails alone.

    Whatever stops it, each file in the folder is complete, and ``resume`` goes on from there: what is
    finished and still is what its row asks for is left alone, the rest is made. The Runs that were trained
    stay in ``folder/runs``.

    Args:
        jobs: CSV, JSON lines or YAML; see `rows.COLUMNS`. Its relative paths start from its own folder.
        folder: where the clips, their sidecars and the results go.
        workers: processes.
        engine: a key of `ENGINES`.
        resume: go on in a folder that holds something.
        force: start over in a folder that holds something.
        budget: most wall-clock seconds of each training.
        device: "auto", "cpu" or "cuda".
        tell: is given a line for each row that failed or is made again.
        allow_external_weights: whether Runs and configurations that the job file names may name weights elsewhere; as
            of `Run.open`.

    Raises:
        InputError: an unusable job file, an unknown engine, a folder that holds something, or a clip that would take
            the place of a recording.
    """
    rows = read_rows(jobs)
    if engine not in ENGINES:
        raise InputError(f"engine {engine}", "there is none of that name", f"choose from {', '.join(ENGINES)}")
    _require_apart(rows, folder)
    _make_ready(folder, resume, force)
    former, results = former_records(folder) if resume else {}, Results(folder, rows)
    check, clips = RowValidator(allow_external_weights), dict[str, Clip]()
    for row in rows:
        try:
            clip = check.clip(row)
        except Exception as error:  # one prompt that a decoder stumbles over must not keep the others from being made
            _fail(results, folder, row.name, in_words(error), tell)
            continue
        if not _kept(results, clip, folder / row.name, former.get(representable(row.name), {}), tell):
            clips[row.name] = clip
    results.write()
    tasks = tasks_of(clips.values(), folder, workers, budget, device, allow_external_weights)
    with (
        progress(len(clips), "rendering", "clips") as bar,
        closing(ENGINES[engine](tasks, workers)) as outcomes,
    ):
        for batch in outcomes:
            # A task of many clips is not over yet, but some of them may be: they are known by their sidecars.
            found = batch or [(name, None) for name in clips if sidecar_of(folder / name).is_file()]
            for name, cause in found:
                if (done := clips.pop(name, None)) is None:
                    continue
                if cause is None:
                    results.set(done.row, **finished(done, folder / name))
                else:
                    _fail(results, folder, name, cause, tell)
                bar.update()
            if found:
                results.write()
    return results


def _require_apart(rows: list[Row], folder: Path) -> None:
    """Raise an InputError for a clip that would take the place of what a row reads: it would be removed first."""
    read = {_resolved(row.folder / str(row.values[key])) for row in rows for key in READ if key in row.values}
    for row in rows:
        if _resolved(folder / row.name) in read:
            cause = f"{row.label} would take the place of a recording that is read"
            raise InputError(folder / row.name, cause, "name the row otherwise, or another folder")


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # no name of a file, which is said when it is read
        return path


def _make_ready(folder: Path, resume: bool, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "it is not a folder", "name another")
    if folder.is_dir() and any(folder.iterdir()) and not (resume or force):
        raise InputError(folder, "it is not empty", "--resume goes on in it, --force starts over, or name another")
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in LEFTOVERS:
        for part in folder.glob(pattern):
            part.unlink()
    for run in (folder / RUNS).glob("*"):
        if (force and not resume) or run.name.startswith(PART) or not (run / METRICS).is_file():
            rmtree(run)


def _kept(results: Results, clip: Clip, out: Path, former: dict[str, object], tell: Callable[[str], None]) -> bool:
    """Whether the clip is there already, as asked; otherwise nothing of it is left, and it is to be made."""
    known = bool(former) or out.exists()
    reason = mismatch(clip, out, former) if former else "it is not known to the results"
    if reason is None:
        results.set(clip.row, **finished(clip, out))
        return True
    if known and former.get("status") in (None, FINISHED):
        tell(f"{clip.row.label}: made again: {reason}")
    _discard(out)
    results.set(clip.row, request=clip.digest)
    return False


def _fail(results: Results, folder: Path, name: str, error: str, tell: Callable[[str], None]) -> None:
    record = results.records[name]
    record.update(status=FAILED, error=error)
    tell(f"row {record['row']} ({Path(name).stem}): {error}")
    if is_plain(name):
        _discard(folder / name)


def _discard(out: Path) -> None:
    # The sidecar first: without it, no file counts as finished.
    try:
        sidecar_of(out).unlink(missing_ok=True)
        out.unlink(missing_ok=True)
    except ValueError:  # a name that no file can have
        return
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
