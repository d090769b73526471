"""The queue of takes: worker processes make them side by side; any of them can be cancelled."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from audiogen.errors import InputError
from audiogen.studio.worker import CANCEL, Job, work

Listener = Callable[[str, "Ticket", tuple[Any, ...]], None]
"""Called with the word of a message, the ticket that it is about, and the rest of the message."""

DIED = "the process that made it died (out of memory?); try a shorter one"
STOP_SECONDS = 1.0
MAX_STARTS = 3  # of a process in a row that end before they are ready


@dataclass(eq=False)
class Ticket:
    """A job in the queue.

    Args:
        job: what to make.
        owner: whose it is, for the listener.
    """

    job: Job
    owner: Any


class TakeQueue:
    """Makes takes in ``workers`` processes, in the order of the requests.

    Args:
        listener: is called from the threads of the queue.
        workers: number of processes, which start at once.
        warm: see `worker.work`.
    """

    def __init__(self, listener: Listener, workers: int, warm: bool = True) -> None:
        self._listener, self._warm = listener, warm
        self._waiting: list[Ticket] = []
        self._changed = threading.Condition()
        self._closed = False
        self._context = multiprocessing.get_context("spawn")
        self._workers = [_Worker(self) for _ in range(workers)]
        for worker in self._workers:
            worker.thread.start()

    @property
    def ready(self) -> bool:
        """Whether all processes have loaded what they need."""
        return all(worker.ready for worker in self._workers)

    def add(self, job: Job, owner: Any) -> Ticket:
        """Enqueue a job.

        Raises:
            InputError: no process to make it could be started.
        """
        ticket = Ticket(job, owner)
        with self._changed:
            if all(worker.given_up for worker in self._workers):
                raise never_started()
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Cancel a take: at once if it waits, else at its next step."""
        with self._changed:
            waiting = ticket in self._waiting
            if waiting:
                self._waiting.remove(ticket)
            for worker in self._workers:
                if worker.ticket is ticket:
                    worker.cancel()
        if waiting:
            self._listener("cancelled", ticket, ())

    def close(self) -> None:
        """End the processes. What they were writing is removed by them, or was in hidden files."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            for worker in self._workers:
                worker.cancel()
            self._changed.notify_all()
        for worker in self._workers:
            worker.thread.join(STOP_SECONDS)
            if worker.process is not None and worker.process.is_alive():
                worker.process.terminate()
                worker.process.join()

    def give_up(self) -> None:
        """Fail all that waits, if no process could be started."""
        with self._changed:
            if not all(worker.given_up for worker in self._workers):
                return
            lost, self._waiting = self._waiting, []
        for ticket in lost:
            self._listener("failed", ticket, (str(never_started()),))

    def _next(self, worker: _Worker) -> Ticket | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            worker.begin(self._waiting.pop(0))
            return worker.ticket


class _Worker:
    """A process, and the thread that talks with it."""

    def __init__(self, queue: TakeQueue) -> None:
        self._queue = queue
        self.ticket: Ticket | None = None
        self.process: SpawnProcess | None = None
        self.ready = self.given_up = False
        self._pipe: Connection | None = None
        self.thread = threading.Thread(target=self._serve, daemon=True, name="takes")

    def begin(self, ticket: Ticket) -> None:
        """Hand a job to the process; to be called with the queue's lock."""
        assert self._pipe is not None
        self.ticket = ticket
        self._pipe.send(ticket.job)

    def cancel(self) -> None:
        """Ask the process to end its job; to be called with the queue's lock."""
        if self.ticket is not None and self._pipe is not None:
            with suppress(OSError):  # it has died
                self._pipe.send(CANCEL)

    def _serve(self) -> None:
        queue, starts = self._queue, 0
        while not queue._closed and starts < MAX_STARTS:
            self.ready, starts = False, starts + 1
            pipe, theirs = queue._context.Pipe()
            self.process = queue._context.Process(target=work, args=(theirs, queue._warm), daemon=True)
            self.process.start()
            theirs.close()
            self._pipe = pipe
            try:
                pipe.recv()  # ready
                self.ready, starts = True, 0
                while (ticket := queue._next(self)) is not None:
                    self._follow(pipe, ticket)
            except (EOFError, OSError):
                if self.ticket is not None and not queue._closed:
                    queue._listener("failed", self.ticket, (DIED,))
            finally:
                self.ticket = None
                pipe.close()
        if not queue._closed:
            self.given_up = True
            queue.give_up()

    def _follow(self, pipe: Any, ticket: Ticket) -> None:
        """Pass on the messages of the process about a job, until it has ended."""
        self._queue._listener("started", ticket, ())
        while True:
            word, *rest = pipe.recv()
            last = word in ("made", "failed", "cancelled")
            if last:
                self.ticket = None
            self._queue._listener(word, ticket, tuple(rest))
            if last:
                return


def never_started() -> InputError:
    """The error of what no process could be started for."""
    cause = f"the process that makes takes ended {MAX_STARTS} times before it was ready"
    return InputError("the studio", cause, "see whether `audiogen continue` works, and start the studio again")
