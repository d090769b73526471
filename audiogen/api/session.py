"""How API calls compute: on one thread, with progress to a callback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from audiogen.errors import InputError
from audiogen.progress import ProgressCallback, report_to

Item = TypeVar("Item")


@contextmanager
def session(progress: ProgressCallback | None = None) -> Iterator[None]:
    """Compute on one thread, unless OMP_NUM_THREADS is set, and report progress to a callback.

    Models of this size lose more by waiting for a second thread than it gains, most of all on a busy machine, and sums
    on one thread are the same everywhere. torch's own number of threads is restored at the end.
    """
    if progress is not None and not callable(progress):
        raise InputError("progress", f"{progress!r} cannot be called", "give a function (done, total, label)")
    threads = torch.get_num_threads()
    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(1)
    try:
        with report_to(progress):
            yield
    finally:
        torch.set_num_threads(threads)


def each_in_session(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each computed in a `session` of its own: between them, the caller's settings hold."""
    while True:
        with session():
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
