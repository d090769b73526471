"""The queue of takes when its processes cannot start."""

from __future__ import annotations

import os
import queue
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

from audiogen.errors import InputError
from audiogen.studio import takes
from audiogen.studio.takes import MAX_STARTS, TakeQueue, Ticket
from audiogen.studio.worker import Job

JOB = Job("recording", Path("rain.wav"), Path("take.wav"), {})


def ends_at_once(pipe: Connection, folder: str) -> None:
    """A process that leaves a file behind, and ends before it is ready."""
    Path(folder, str(os.getpid())).touch()


def test_processes_that_never_start_are_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(takes, "work", ends_at_once)
    messages: queue.Queue[tuple[str, Ticket, tuple[Any, ...]]] = queue.Queue()
    made = TakeQueue(lambda *message: messages.put(message), 2, str(tmp_path))  # type: ignore[arg-type]
    try:
        ticket = made.add(JOB, "first")
        word, about, rest = messages.get(timeout=120)
        assert (word, about) == ("failed", ticket)
        assert f"ended {MAX_STARTS} times before it was ready; see whether" in rest[0]
        with pytest.raises(InputError, match="before it was ready"):
            made.add(JOB, "second")
        assert not made.ready
        assert len(list(tmp_path.iterdir())) == 2 * MAX_STARTS
        assert messages.empty()
    finally:
        made.close()
