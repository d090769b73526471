"""Worker processes: the execution engines that distribute tasks, on this machine or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any

import torch

from audiogen.errors import InputError
from audiogen.extras import install_command
from audiogen.jobs.batch.tasks import Outcome, Task, describe_error, run_task
from audiogen.output_names import sidecar_of
from audiogen.signals import INTERRUPTIONS

LOST = "its worker process died three times (out of memory?); use fewer --workers and --resume"

MAX_LOSSES = 3
"""Workers that may die of one clip, or of a prompt before any of its clips is finished.

The death of some need not be the fault of either: a machine may be taken away.
"""

POLL_SECONDS = 1.0
"""An engine yields at least this often, so that its caller can find clips of unfinished tasks on disk."""


@dataclass(frozen=True)
class Attempt:
    """A task, or what is left of it, on its way to a worker.

    Args:
        task: what is done now.
        losses: workers that died when they were at its first clip.
        later: attempts at other clips of the same task, one after another, so that no two train the same Run at once.
        deaths: workers that died of the whole task.
        proven: whether a worker has survived the preparation of the task.
    """

    task: Task
    losses: int = 0
    later: tuple[Attempt, ...] = ()
    deaths: int = 0
    proven: bool = False

    def after_loss(self, cause: str) -> tuple[list[Outcome], list[Attempt]]:
        """The outcomes that are known although the worker is lost, and the next attempt, if any.

        Clips that it had finished are kept: their sidecars exist, which are written last. The first of the others may
        be what it died of, so it is tried again alone, after the rest. If three workers die and none of them has
        finished a clip, their preparation is what they die of, and all clips fail.
        """
        lost = tuple(clip for clip in self.task.clips if not sidecar_of(self.task.folder / clip.row.name).is_file())
        known: list[Outcome] = [(clip.row.name, None) for clip in self.task.clips if clip not in lost]
        losses, deaths, proven = 1 + (0 if known else self.losses), self.deaths + 1, self.proven or bool(known)
        if deaths >= MAX_LOSSES and not proven:
            failed = [*lost, *(clip for attempt in self.later for clip in attempt.task.clips)]
            return [*known, *((clip.row.name, cause) for clip in failed)], []
        queue = [Attempt(replace(self.task, clips=lost[1:]))] if lost[1:] else []
        queue += self.later
        if lost and losses < MAX_LOSSES:
            queue.append(Attempt(replace(self.task, clips=lost[:1]), losses))
        elif lost:
            known.append((lost[0].row.name, cause))
        return known, _in_turn(queue, deaths, proven)

    def after_end(self) -> list[Attempt]:
        """The next attempt, if any, when a worker has come to an end of this one."""
        return _in_turn(self.later, self.deaths, proven=True)


def _in_turn(queue: Sequence[Attempt], deaths: int, proven: bool) -> list[Attempt]:
    return [replace(queue[0], later=tuple(queue[1:]), deaths=deaths, proven=proven)] if queue else []


def local(tasks: list[Task], workers: int) -> Generator[list[Outcome], None, None]:
    """Run tasks in this process if ``workers`` is 1, else in that many processes of one core each.

    Each process has a pool of its own: one that dies takes no other's task along, and its clips are tried again.
    """
    if workers == 1:
        for task in tasks:
            yield from ([outcome] for outcome in run_task(task))
        return
    unrelated = set(multiprocessing.active_children())
    pools = [_new_pool() for _ in range(min(workers, len(tasks)))]
    waiting, running = deque(map(Attempt, tasks)), dict[Future[list[Outcome]], tuple[ProcessPoolExecutor, Attempt]]()
    idle = list(pools)
    try:
        while waiting or running:
            while waiting and idle:
                pool, attempt = idle.pop(), waiting.popleft()
                running[pool.submit(_run_task_in_worker, attempt.task)] = pool, attempt
            done, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
            outcomes: list[Outcome] = []
            for future in done:
                pool, attempt = running.pop(future)
                try:
                    known, again = future.result(), attempt.after_end()
                except BrokenProcessPool:
                    known, again = attempt.after_loss(LOST)
                    pools[pools.index(pool)] = pool = _new_pool()
                outcomes += known
                waiting.extend(again)
                idle.append(pool)
            yield outcomes
    except BaseException:
        for process in set(multiprocessing.active_children()) - unrelated:
            process.terminate()
        raise
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _init_worker)


def _init_worker() -> None:
    """Set up a worker process: one thread, no output, and an end when its parent ends."""
    torch.set_num_threads(1)
    for number in INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)  # the parent receives it too, and terminates its workers
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
    # Not retried by Ray, which would render finished clips again, and would do so three times.
    remote = cluster.remote(num_cpus=1, max_retries=0)(_run_task_on_ray)
    try:
        waiting = deque(map(Attempt, tasks))
        running: dict[Any, Attempt] = {}
        while waiting or running:
            while waiting and len(running) < workers:
                attempt = waiting.popleft()
                running[remote.remote(attempt.task)] = attempt
            done, _ = cluster.wait(list(running), timeout=POLL_SECONDS)
            for reference in done:
                outcomes, again = _ray_outcomes(cluster, reference, running.pop(reference))
                waiting.extend(again)
                yield outcomes
            yield []
    finally:
        cluster.shutdown()


def _run_task_on_ray(task: Task) -> list[Outcome]:
    torch.set_num_threads(1)
    return list(run_task(task))


def _ray_outcomes(cluster: Any, reference: Any, attempt: Attempt) -> tuple[list[Outcome], list[Attempt]]:
    try:
        return cluster.get(reference), attempt.after_end()
    except cluster.exceptions.RayTaskError as error:  # raised by the task: it would be raised again
        return [(clip.row.name, describe_error(error)) for clip in attempt.task.clips], attempt.after_end()
    except Exception as error:  # the loss of a worker or a machine
        return attempt.after_loss(f"{LOST} ({describe_error(error)})")


ENGINES: dict[str, Callable[[list[Task], int], Generator[list[Outcome], None, None]]] = {
    "local": local,
    "ray": ray,
}
"""Name -> execution engine: a generator of the outcomes of tasks."""
