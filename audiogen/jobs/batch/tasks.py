"""Tasks: groups of clips that share a prompt and a Model, rendered by one process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from shutil import rmtree

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.file_names import shortened
from audiogen.jobs.batch.clips import Clip
from audiogen.jobs.continue_sound import continue_prepared, read_prompt
from audiogen.jobs.continuer_choice import MorphTarget, Runs
from audiogen.jobs.prepare_tail import PreparedTails, prepare_tails
from audiogen.jobs.provenance import collect_warnings
from audiogen.jobs.run_choice import choose_run
from audiogen.run import Run
from audiogen.sound.run_mixture import open_runs

RUNS, PART = "runs", ".part-"  # folder of the Runs that are trained, and prefix of unfinished ones
MAX_STEM_BYTES = 100  # of the prompt's name in the name of a Run's folder

Outcome = tuple[str, str | None]
"""The name of a row and its error; None when it is finished."""


@dataclass(frozen=True)
class Task:
    """Clips of one prompt and one Model.

    Args:
        clips: one or more.
        folder: where clips and trained Runs go.
        budget: training time limit in seconds.
        device: "auto", "cpu" or "cuda".
        allow_external_weights: as of `Run.open`.
    """

    clips: tuple[Clip, ...]
    folder: Path
    budget: float | None
    device: str
    allow_external_weights: bool = False


def group_into_tasks(
    clips: Iterable[Clip],
    folder: Path,
    workers: int,
    budget: float | None,
    device: str,
    allow_external_weights: bool = False,
) -> list[Task]:
    """Group clips so that each Model is trained once; clips for which none is trained are spread over the workers."""
    groups: dict[tuple[Path, str, Path | None, str, bool], list[Clip]] = {}
    for clip in clips:
        key = (clip.prompt, clip.source, clip.morph, clip.target, clip.request.ambience)
        groups.setdefault(key, []).append(clip)
    tasks = []
    for group in groups.values():
        size = len(group) if _trains(group[0], budget) else -(-len(group) // workers)
        for first in range(0, len(group), size):
            part = tuple(group[first : first + size])
            tasks.append(Task(part, folder, budget, device, allow_external_weights))
    return tasks


def _trains(clip: Clip, budget: float | None) -> bool:
    """Whether a Run is trained for a clip."""
    return not clip.runs and (bool(budget) or clip.experiment is not None)


def run_task(task: Task) -> Iterator[Outcome]:
    """Render the clips of a task one after the other. A clip that fails does not stop the others."""
    try:
        with collect_warnings() as prompt_warnings:
            prepared = _prepare(task)
    except Exception as error:
        yield from [(clip.row.name, describe_error(error)) for clip in task.clips]
        return
    for clip in task.clips:
        try:
            with collect_warnings() as particular:
                tail = prepared.tail(clip.request)
            given = [*prepared.warnings_of(clip.request, prompt_warnings), *particular]
            continue_prepared(prepared, tail, task.folder / clip.row.name, clip.request, given)
            yield clip.row.name, None
        except Exception as error:
            yield clip.row.name, describe_error(error)


def _prepare(task: Task) -> PreparedTails:
    """Read the prompt, and prepare it for all clips of the task."""
    clip = task.clips[0]
    prompt, _ = read_prompt(clip.prompt)
    morph_target = MorphTarget(read_prompt(clip.morph)[0]) if clip.morph is not None else None
    runs = _open_runs(clip.runs, clip.weights, clip.source, task.allow_external_weights) if clip.runs else None

    def choose(material: Recording, target: MorphTarget | None) -> tuple[Run, MorphTarget | None]:
        run = run_for(task, material, clip.prompt, clip.source)
        if target is not None and clip.morph is not None:
            target = replace(target, run=run_for(task, target.recording, clip.morph, clip.target))
        return run, target

    requests = [clip.request for clip in task.clips]
    return prepare_tails(prompt, requests, morph_target, runs, clip.experiment, task.budget, task.device, choose=choose)


def describe_error(error: Exception) -> str:
    """An error on one line, for the results table."""
    return str(error) if isinstance(error, InputError) else " ".join(f"{type(error).__name__}: {error}".split())


def run_for(task: Task, material: Recording, path: Path, source: str) -> Run:
    """The Run that predicts the task's clips: one that is trained is saved and reused.

    If two workers train the same Run at the same time, the first to finish saves it, and both use that.

    Args:
        task: the task.
        material: of the prompt, or of the target of the morph.
        path: file of the recording.
        source: digest of its content and of what predicts, as of `Clip`.
    """
    clip = task.clips[0]
    if not _trains(clip, task.budget):
        return choose_run(material, clip.experiment, task.budget, task.device, cache=False)
    kind = " ambience" if clip.request.ambience else ""
    key = hashlib.sha256(f"{source} {task.budget}{kind}".encode()).hexdigest()
    folder = task.folder / RUNS / f"{shortened(path.stem, MAX_STEM_BYTES)}-{key[:12]}"
    if not folder.is_dir():
        part = folder.with_name(f"{PART}{folder.name}-{os.getpid()}")
        # Kept in the folder of the batch, which is enough.
        choose_run(material, clip.experiment, task.budget, task.device, cache=False).save(part)
        try:
            part.rename(folder)
        except OSError:
            rmtree(part)
    return Run.open(folder, task.allow_external_weights)


@lru_cache(maxsize=2)
def _open_runs(folders: tuple[Path, ...], weights: tuple[float, ...], source: str, external: bool) -> Runs | None:
    return open_runs(folders, weights, external)
