"""Tasks: groups of clips that share a prompt and a Model, rendered by one process."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shutil import rmtree

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import InputError
from audiogen.file_names import shortened
from audiogen.jobs.batch.clips import Clip
from audiogen.jobs.continue_sound import continue_variations, read_prompt
from audiogen.jobs.continuer_choice import MorphTarget, Runs, divide_prompts, rhythm_of
from audiogen.jobs.provenance import collect_warnings
from audiogen.jobs.request import Request
from audiogen.jobs.run_choice import choose_run
from audiogen.run import Run
from audiogen.sound.prompt_analysis import PromptParts
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
    """Group clips so that each Model is trained once; clips of a given Run are spread over the workers."""
    groups: dict[tuple[Path, str, Path | None, str, bool], list[Clip]] = {}
    for clip in clips:
        key = (clip.prompt, clip.source, clip.morph, clip.target, clip.request.ambience)
        groups.setdefault(key, []).append(clip)
    tasks = []
    for group in groups.values():
        size = -(-len(group) // workers) if group[0].runs else len(group)
        for first in range(0, len(group), size):
            part = tuple(group[first : first + size])
            tasks.append(Task(part, folder, budget, device, allow_external_weights))
    return tasks


def run_task(task: Task) -> Iterator[Outcome]:
    """Render the clips of a task one after the other. A clip that fails does not stop the others."""
    remaining = list(task.clips)
    try:
        with collect_warnings() as prompt_warnings:
            clip = remaining[0]
            prompt, _ = read_prompt(clip.prompt)
            named = bool(clip.runs or clip.experiment or clip.morph or task.budget)
            requests = [clip.request for clip in remaining]
            rhythm = rhythm_of(list(_divided(prompt, requests).values()), requests, named)
            run = run_for(task, prompt, clip.prompt, clip.source) if rhythm is None else None
            morph_target = _morph_target(task)
    except Exception as error:
        yield from [(clip.row.name, describe_error(error)) for clip in remaining]
        return
    while remaining:
        outputs = [(task.folder / clip.row.name, clip.request) for clip in remaining]
        try:
            for _ in continue_variations(
                prompt,
                outputs,
                run,
                device=task.device,
                prompt_warnings=prompt_warnings,
                morph_target=morph_target,
            ):
                yield remaining.pop(0).row.name, None
        except Exception as error:
            yield remaining.pop(0).row.name, describe_error(error)


def _divided(prompt: Recording, requests: Sequence[Request]) -> dict[tuple[bool, ...], PromptParts]:
    """As `divide_prompts`, without its warnings, which are issued when the clips are rendered."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        return divide_prompts(prompt, requests)


def describe_error(error: Exception) -> str:
    """An error on one line, for the results table."""
    return str(error) if isinstance(error, InputError) else " ".join(f"{type(error).__name__}: {error}".split())


def run_for(task: Task, recording: Recording, path: Path, source: str) -> Runs | None:
    """The Run that predicts the task's clips: the given one, or one that is trained, saved and reused.

    If two workers train the same Run at the same time, the first to finish saves it, and both use that.

    Args:
        task: the task.
        recording: prompt, or target of the morph.
        path: its file.
        source: digest of its content and of what predicts, as of `Clip`.

    Returns:
        None for digital silence, which needs no Model.
    """
    clip = task.clips[0]
    if clip.runs:
        return _open_runs(clip.runs, clip.weights, source, task.allow_external_weights)
    if not recording.samples.any():
        return None

    kind = " ambience" if clip.request.ambience else ""
    key = hashlib.sha256(f"{source} {task.budget}{kind}".encode()).hexdigest()
    folder = task.folder / RUNS / f"{shortened(path.stem, MAX_STEM_BYTES)}-{key[:12]}"
    if not folder.is_dir():
        part = folder.with_name(f"{PART}{folder.name}-{os.getpid()}")
        # Kept in the folder of the batch, which is enough.
        (parts,) = _divided(recording, [Request(ambience=clip.request.ambience)]).values()
        choose_run(parts.material, clip.experiment, task.budget, task.device, cache=False).save(part)
        try:
            part.rename(folder)
        except OSError:
            rmtree(part)
    return Run.open(folder, task.allow_external_weights)


def _morph_target(task: Task) -> MorphTarget | None:
    clip = task.clips[0]
    if clip.morph is None:
        return None
    recording, _ = read_prompt(clip.morph)
    return MorphTarget(recording, run_for(task, recording, clip.morph, clip.target))


@lru_cache(maxsize=2)
def _open_runs(folders: tuple[Path, ...], weights: tuple[float, ...], source: str, external: bool) -> Runs | None:
    return open_runs(folders, weights, external)
