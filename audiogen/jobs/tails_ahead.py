"""Tails of several variations, generated in threads while those before them are written and measured.

NumPy and PyTorch release the interpreter's lock while they compute, and a Continuer gives the same bytes however its
tails are interleaved. What warns, writes or measures stays in the calling thread, in the order of the requests.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

import numpy as np
import torch

from audiogen.devices import count_threads
from audiogen.jobs.prepare_tail import PreparedTail, PreparedTails
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import length_of, tail_blocks
from audiogen.sound.continuation import Continuer
from audiogen.sound.prompt_analysis import PromptParts

WAITING_BYTES = 64 << 20  # of the blocks of each tail: its thread waits while there are more
POLL_SECONDS = 0.2  # between two looks at whether somebody still waits


class TailsAhead:
    """Generates the tails of similar requests, each before it is asked for; a context manager.

    Args:
        prepared: the prompt.
        requests: in the order in which they will be asked for.
        threads: number of tails that are generated at a time; None for one a processor, 8 at most. With 1, none is
            generated before it is asked for.
    """

    def __init__(self, prepared: PreparedTails, requests: Sequence[Request], threads: int | None = None) -> None:
        self.prepared, self.requests = prepared, requests
        self.threads = min(threads or count_threads(len(requests)), len(requests))
        self._tails: list[tuple[Continuer, _Ahead]] = []
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(max(self.threads, 1), "tail")

    def __enter__(self) -> TailsAhead:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def tail(self, index: int) -> tuple[PreparedTail, Iterator[np.ndarray] | None]:
        """What generates a tail, and its blocks ``[channels, time]``; None for those that are better made when needed.

        These are single ones, those of requests that differ in more than the seed, and all that no `Continuer`
        generates or that may warn while they are generated. Takes of a set, which know of each other, do not come here.
        """
        request = self.requests[index]
        prepared = self.prepared.tail(request)
        parts, continuer = prepared
        if self.threads < 2 or not isinstance(continuer, Continuer) or request.density != 1:
            return prepared, None
        if any(replace(each, seed=request.seed) != request for each in self.requests):
            return prepared, None

        def pause() -> None:
            if self._stopped.is_set():
                raise CancelledError
            continuer.pause()

        for following in self.requests[len(self._tails) : index + self.threads + 1]:
            own = continuer.for_one_tail(pause)
            self._tails.append((own, _Ahead(self._pool, self._stopped, parts, own, following)))
        own, ahead = self._tails[index]
        return PreparedTail(parts, own), ahead.blocks()


class _Ahead:
    """Blocks of one tail, that a thread puts into a queue."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        stopped: threading.Event,
        parts: PromptParts,
        continuer: Continuer,
        request: Request,
    ) -> None:
        self._stopped, self._queue = stopped, SimpleQueue[np.ndarray]()
        self._put = self._taken = 0  # bytes; each is counted by one thread alone
        made = tail_blocks(parts, continuer, length_of(parts.recording, request), request)
        # The thread is interrupted as this one would be, and computes on as many threads.
        context, threads = contextvars.copy_context(), torch.get_num_threads()
        self._done: Future[None] = pool.submit(context.run, self._generate, made, threads)

    def _generate(self, made: Iterator[np.ndarray], threads: int) -> None:
        torch.set_num_threads(threads)  # of this thread: OpenMP counts each thread's own
        for block in made:
            self._queue.put(block)
            self._put += block.nbytes
            while self._put - self._taken >= WAITING_BYTES and not self._stopped.wait(POLL_SECONDS):
                pass
            if self._stopped.is_set():
                return

    def blocks(self) -> Iterator[np.ndarray]:
        """The blocks; raises what the thread has raised."""
        while not (self._done.done() and self._queue.empty()):
            with suppress(Empty):
                block = self._queue.get(timeout=POLL_SECONDS)
                self._taken += block.nbytes
                yield block
        self._done.result()
