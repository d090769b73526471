"""Worker processes: the execution engines that distribute tasks, on this machine or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import torch

from audiogen.errors import InputError
from audiogen.extras import install_command
from audiogen.jobs.batch.tasks import Outcome, Task, describe_error, run_task

POLL_SECONDS = 1.0
"""An engine yields at least this often, so that its caller can find clips of unfinished tasks on disk."""


def local(tasks: list[Task], workers: int) -> Generator[list[Outcome], None, None]:
    """Run tasks in this process if ``workers`` is 1, else in that many processes of one core each."""
    if workers == 1:
        for task in tasks:
            yield from ([outcome] for outcome in run_task(task))
        return
    unrelated = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _init_worker) as pool:
        try:
            pending = {pool.submit(_run_task_in_worker, task): task for task in tasks}
            while pending:
                done, _ = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
                yield [outcome for future in done for outcome in _outcomes(future.result, pending.pop(future))]
        except BaseException:
            for process in set(multiprocessing.active_children()) - unrelated:
                process.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _outcomes(result: Callable[[], list[Outcome]], task: Task) -> list[Outcome]:
    try:
        return result()
    except BrokenProcessPool:
        cause = "a worker process died (out of memory?); use fewer --workers and --resume"
        return [(clip.row.name, cause) for clip in task.clips]


def _init_worker() -> None:
    """Set up a worker process: one thread, no output, and an end when its parent ends."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent receives it too, and terminates its workers
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (bars and warnings of many at once)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_task_in_worker(task: Task) -> list[Outcome]:
    try:
        return list(run_task(task))
    except KeyboardInterrupt:  # partial files have been removed by now
        os._exit(130)


def ray(tasks: list[Task], workers: int) -> Generator[list[Outcome], None, None]:
    """Run tasks on Ray: on this machine, or on the cluster at RAY_ADDRESS, whose machines must share the folder."""
    try:
        import ray as cluster
    except ImportError as error:
        raise InputError("--engine ray", "Ray is not installed", install_command("ray")) from error
    cluster.init(ignore_reinit_error=True, include_dashboard=False, log_to_driver=False)
    remote = cluster.remote(num_cpus=1, max_retries=0)(_run_task_on_ray)
    try:
        waiting = list(tasks)
        running: dict[Any, Task] = {}
        while waiting or running:
            while waiting and len(running) < workers:
                task = waiting.pop(0)
                running[remote.remote(task)] = task
            done, _ = cluster.wait(list(running), timeout=POLL_SECONDS)
            for reference in done:
                yield _ray_outcomes(cluster, reference, running.pop(reference))
            yield []
    finally:
        cluster.shutdown()


def _run_task_on_ray(task: Task) -> list[Outcome]:
    torch.set_num_threads(1)
    return list(run_task(task))


def _ray_outcomes(cluster: Any, reference: Any, task: Task) -> list[Outcome]:
    try:
        return cluster.get(reference)
    except Exception as error:  # such as the loss of a machine
        return [(clip.row.name, describe_error(error)) for clip in task.clips]


ENGINES: dict[str, Callable[[list[Task], int], Generator[list[Outcome], None, None]]] = {
    "local": local,
    "ray": ray,
}
"""Name -> execution engine: a generator of the outcomes of tasks."""
