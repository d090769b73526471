"""Who does the work: tasks, the function that performs one, and the engines that hand them out."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.extras import install_command
from audiogen.file_names import shortened
from audiogen.jobs.batch.rows import Clip
from audiogen.jobs.continue_sound import MorphTarget, Runs, continue_variations, read_prompt
from audiogen.jobs.provenance import collect_warnings
from audiogen.jobs.run_choice import choose_run
from audiogen.run import Run
from audiogen.sound.run_mixture import open_runs

RUNS, PART = "runs", ".part-"  # folder of the Runs that are trained, and how the names of unfinished ones begin
LONGEST_STEM = 100  # bytes of a prompt's name in the name of a Run's folder
TICK = 1.0  # seconds after which an engine lets its caller look at what is on disk

Outcome = tuple[str, str | None]
"""The name of a row and its error, None when it is finished."""


@dataclass(frozen=True)
class Task:
    """Clips of one prompt and one Model, made by one process.

    Args:
        clips: one or more.
        folder: where their files go, and the Runs that are trained for them.
        budget: most seconds of training.
        device: "auto", "cpu" or "cuda".
        allow_external_weights: as of `Run.open`.
    """

    clips: tuple[Clip, ...]
    folder: Path
    budget: float | None
    device: str
    allow_external_weights: bool = False


def run_task(task: Task) -> Iterator[Outcome]:
    """Make the clips one after the other; a clip that fails does not keep the others from being made."""
    left = list(task.clips)
    try:
        with collect_warnings() as said:
            clip = left[0]
            prompt, _ = read_prompt(clip.prompt)
            run = _run_of(task, prompt, clip.prompt, clip.source)
            morph_target = _toward(task)
    except Exception as error:
        yield from [(clip.row.name, in_words(error)) for clip in left]
        return
    while left:
        wanted = [(task.folder / clip.row.name, clip.request) for clip in left]
        try:
            for _ in continue_variations(
                prompt, wanted, run, device=task.device, prompt_warnings=said, morph_target=morph_target
            ):
                yield left.pop(0).row.name, None
        except Exception as error:
            yield left.pop(0).row.name, in_words(error)


def in_words(error: Exception) -> str:
    """An error on one line, for the results."""
    return str(error) if isinstance(error, InputError) else " ".join(f"{type(error).__name__}: {error}".split())


def _run_of(task: Task, recording: Recording, path: Path, source: str) -> Runs | None:
    """What predicts a recording for the task's clips. What is trained is kept, and not trained again.

    Two workers may come to train the same; the first one's Run stays, whole.
    """
    clip = task.clips[0]
    if clip.runs:
        return _opened(clip.runs, clip.weights, source, task.allow_external_weights)
    if not recording.samples.any():  # silence goes on as silence, without a Model
        return None

    key = hashlib.sha256(f"{source} {task.budget}".encode()).hexdigest()
    folder = task.folder / RUNS / f"{shortened(path.stem, LONGEST_STEM)}-{key[:12]}"
    if not folder.is_dir():
        part = folder.with_name(f"{PART}{folder.name}-{os.getpid()}")
        choose_run(recording, clip.experiment, task.budget, task.device).save(part)
        try:
            part.rename(folder)
        except OSError:
            rmtree(part)
    return Run.open(folder, task.allow_external_weights)


def _toward(task: Task) -> MorphTarget | None:
    """What the task's clips turn into."""
    clip = task.clips[0]
    if clip.morph is None:
        return None
    recording, _ = read_prompt(clip.morph)
    return MorphTarget(recording, _run_of(task, recording, clip.morph, clip.target))


@lru_cache(maxsize=2)
def _opened(folders: tuple[Path, ...], weights: tuple[float, ...], source: str, external: bool) -> Runs | None:
    return open_runs(folders, weights, external)


def work(task: Task) -> list[Outcome]:
    """`run_task` in a worker process."""
    try:
        return list(run_task(task))
    except KeyboardInterrupt:  # files under construction are gone by now
        os._exit(130)


def local(tasks: list[Task], workers: int) -> Generator[list[Outcome], None, None]:
    """In this process, or in as many others, a core each."""
    if workers == 1:
        for task in tasks:
            yield from ([outcome] for outcome in run_task(task))
        return
    strangers = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _init_worker) as pool:
        try:
            pending = {pool.submit(work, task): task for task in tasks}
            while pending:
                done, _ = wait(pending, TICK, FIRST_COMPLETED)
                yield [outcome for future in done for outcome in _result(future.result, pending.pop(future))]
        except BaseException:
            for process in set(multiprocessing.active_children()) - strangers:
                process.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _result(result: Callable[[], list[Outcome]], task: Task) -> list[Outcome]:
    try:
        return result()
    except BrokenProcessPool:
        cause = "a worker process died (out of memory?); use fewer --workers and --resume"
        return [(clip.row.name, cause) for clip in task.clips]


def _init_worker() -> None:
    """In a new worker: one core, no word on the terminal, and an end with its parent's."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and tells
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (bars and warnings of many at once)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def ray(tasks: list[Task], workers: int) -> Generator[list[Outcome], None, None]:
    """By Ray, on this machine or on the cluster that RAY_ADDRESS names, all of which must see the folder."""
    try:
        import ray as cluster
    except ImportError as error:
        raise InputError("--engine ray", "Ray is not installed", install_command("ray")) from error
    cluster.init(ignore_reinit_error=True, include_dashboard=False, log_to_driver=False)
    remote = cluster.remote(num_cpus=1, max_retries=0)(_work_alone)
    try:
        waiting = list(tasks)
        running: dict[Any, Task] = {}
        while waiting or running:
            while waiting and len(running) < workers:
                task = waiting.pop(0)
                running[remote.remote(task)] = task
            done, _ = cluster.wait(list(running), timeout=TICK)
            for reference in done:
                yield _ray_result(cluster, reference, running.pop(reference))
            yield []
    finally:
        cluster.shutdown()


def _work_alone(task: Task) -> list[Outcome]:
    torch.set_num_threads(1)
    return list(run_task(task))


def _ray_result(cluster: Any, reference: Any, task: Task) -> list[Outcome]:
    try:
        return cluster.get(reference)
    except Exception as error:  # a machine that was lost, say
        return [(clip.row.name, in_words(error)) for clip in task.clips]


ENGINES: dict[str, Callable[[list[Task], int], Generator[list[Outcome], None, None]]] = {
    "local": local,
    "ray": ray,
}


def tasks_of(
    clips: Iterable[Clip],
    folder: Path,
    workers: int,
    budget: float | None,
    device: str,
    allow_external_weights: bool = False,
) -> list[Task]:
    """Clips grouped so that each Model is trained once; those of a trained Run are spread over workers."""
    groups: dict[tuple[Path, str, Path | None, str], list[Clip]] = {}
    for clip in clips:
        groups.setdefault((clip.prompt, clip.source, clip.morph, clip.target), []).append(clip)
    tasks = []
    for group in groups.values():
        size = -(-len(group) // workers) if group[0].runs else len(group)
        for first in range(0, len(group), size):
            some = tuple(group[first : first + size])
            tasks.append(Task(some, folder, budget, device, allow_external_weights))
    return tasks
