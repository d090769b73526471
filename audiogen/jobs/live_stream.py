"""An endless tail in real time: made ahead of the reader by a thread, its handles moved by any other.

Two threads work ahead. One generates segments (`LiveTail.fill`); when a handle of a segment is moved, it abandons what
it is doing and begins a segment where the reader will be when that is ready. The other takes hops and makes them ready
to be heard, less than half a second ahead of the reader, and no further, so that level and brightness act soon.
"""

from __future__ import annotations

import importlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import torch

from audiogen.errors import InputError
from audiogen.jobs.live_delay import Delay
from audiogen.sound.live_engines import Engine
from audiogen.sound.live_settings import SEGMENT_SETTINGS, Change, LiveSettings
from audiogen.sound.live_tail import LiveTail

AHEAD_SECONDS = 8.0  # of the tail, generated ahead of the reader: longer than a section of texture matching takes
LOADING_SECONDS = 4.0  # of the tail, ahead of which libraries are loaded that changes need: a second, if it is busy
LEAD_SECONDS = 0.4  # of it, ready to be heard
MIN_LEAD_SECONDS = 0.25  # of that, below which nothing else is computed
DEFAULT = LiveSettings()
KEPT_SECONDS = 120.0  # of the latest output, that can be kept


class Kept(NamedTuple):
    """The latest output.

    Args:
        samples: ``[channels, time]``.
        start: sample of the tail at which they begin.
        settings: that the tail began with.
        changes: all that have an effect before their end, in order.
    """

    samples: np.ndarray
    start: int
    settings: LiveSettings
    changes: list[Change]

    @property
    def stop(self) -> int:
        """Sample of the tail at which they end."""
        return self.start + self.samples.shape[1]


class _Abandoned(Exception):
    """The present segment is not needed any more."""


class LiveStream:
    """An endless tail whose handles move while it is read. A context manager; all methods are thread-safe.

    One reader takes `blocks`. Unless a handle is moved, they are the samples of `audiogen continue`.

    Args:
        engine: makes the tail; see `audiogen.jobs.live_take.engine_of`.
        settings: that it begins with.
        kept_seconds: of the latest output, that `keep` can return.
        on_change: called with each change, from the thread that made it.

    Attributes:
        sample_rate: Hz.
        channels: of the blocks.
        handles: that can be moved.
    """

    def __init__(
        self,
        engine: Engine,
        settings: LiveSettings = DEFAULT,
        kept_seconds: float = KEPT_SECONDS,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        self.sample_rate, self.channels = engine.sample_rate, engine.channels
        self.handles = (*engine.handles, "level", "brightness")
        self.tail, self._on_change = LiveTail(engine, settings), on_change
        engine.pause = self._pause
        self._wanted = settings
        self._condition = threading.Condition()
        self._for_segment: dict[str, Any] = {}
        self._beginning: dict[str, Any] = {}  # those of them with which the next segment begins
        self._for_samples: dict[str, Any] = {}
        self._ready: deque[np.ndarray] = deque()
        self._ready_samples = self._delivered = self._barred_from = 0
        self._limit: int | None = None  # sample of the tail at which a segment is about to begin
        self._kept: deque[np.ndarray] = deque()
        self._kept_samples, self._max_kept = 0, round(kept_seconds * self.sample_rate)
        self._delays = {True: Delay(), False: Delay()}  # of segments that are reshaped, and that are taken up
        self._limit_reshapes = False  # for which of the two kinds the limit was decided
        self._filling = self._ended = False
        self._error: BaseException | None = None
        works = self._generate, self._finish
        self._threads = [threading.Thread(target=self._guard, args=(work,), daemon=True) for work in works]

    # What the reader calls

    def __enter__(self) -> LiveStream:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for thread in self._threads:
            thread.join()

    def blocks(self, size: int | None = None) -> Iterator[np.ndarray]:
        """Yield the tail, until `stop`.

        Args:
            size: samples of a block; None for whatever is ready.

        Yields:
            ``[channels, time]`` float32.
        """
        parts: list[np.ndarray] = []
        have = 0
        while (block := self.read()) is not None:
            if size is None:
                yield block
                continue
            parts.append(block)
            have += block.shape[1]
            if have >= size:
                joined = np.concatenate(parts, axis=1)
                whole = have - have % size
                for start in range(0, whole, size):
                    yield joined[:, start : start + size]
                parts, have = [joined[:, whole:]], have - whole

    def read(self) -> np.ndarray | None:
        """The next ``[channels, time]`` samples, some hundredths of a second; None after `stop`.

        Raises:
            Exception: what ended the generation.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._ready or self._is_over())
            if not self._ready or self._ended:
                if self._error is not None:
                    raise self._error
                return None
            block = self._ready.popleft()
            self._ready_samples -= block.shape[1]
            self._delivered += block.shape[1]
            self._remember(block)
            self._condition.notify_all()
        return block

    @property
    def ahead(self) -> float:
        """Seconds that are generated and not read yet."""
        with self._condition:
            return (self.tail.position + self.tail.ahead - self._delivered) / self.sample_rate

    def wait(self, seconds: float) -> None:
        """Wait until so much is generated ahead of the reader, before playing begins; at most `AHEAD_SECONDS`."""
        wanted = min(seconds, AHEAD_SECONDS) * self.sample_rate
        with self._condition:
            self._condition.wait_for(lambda: self._is_over() or self.tail.position + self.tail.ahead >= wanted)

    # What anyone calls

    @property
    def settings(self) -> LiveSettings:
        """The settings that are wanted, most of which have their effect already."""
        with self._condition:
            return self._wanted

    @property
    def changes(self) -> list[Change]:
        """The changes so far, in order."""
        with self._condition:
            return sorted(self.tail.changes, key=lambda change: change.position)

    def set(self, handle: str, value: Any) -> None:
        """Move one of `handles`; it has its effect within about a second, in which later values replace earlier ones.

        Raises:
            InputError: there is no such handle, it does not apply to this prompt, or the value is out of range.
        """
        self.update({handle: value})

    def update(self, handles: Mapping[str, Any]) -> None:
        """Move several handles at once; see `set`."""
        for name in handles:
            if name not in self.handles:
                known = name in SEGMENT_SETTINGS
                cause = "it does not apply to this prompt" if known else "there is no such handle"
                raise InputError(name, cause, f"choose from {', '.join(self.handles)}")
        with self._condition:
            self._wanted = self._wanted.changed(handles)
            values = {name: getattr(self._wanted, "seed" if name == "reseed" else name) for name in handles}
            for name, value in values.items():
                (self._for_segment if name in SEGMENT_SETTINGS else self._for_samples)[name] = value
            self._condition.notify_all()

    def keep(self, seconds: float) -> Kept:
        """The latest output, as far as it has been read and is remembered.

        Raises:
            InputError: nothing has been read yet, or ``seconds`` is not above 0, or infinite.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
            raise InputError("keep", f"{seconds!r} is no number of seconds above 0", "write for example 20")
        with self._condition:
            if not self._kept:
                raise InputError("keep", "nothing has been played yet", "wait a moment")
            count = max(round(min(seconds, self._max_kept) * self.sample_rate), 1)
            samples = np.concatenate(list(self._kept), axis=1)[:, -count:]
            start = self._delivered - samples.shape[1]
            changes = sorted(self.tail.changes, key=lambda change: change.position)
            changes = [change for change in changes if change.position < self._delivered]
            return Kept(samples, start, self.tail.first, changes)

    def stop(self) -> None:
        """End the tail: the reader gets no more."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    # What the threads do

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            with self._condition:
                self._error = self._error or error
                self._condition.notify_all()

    def _generate(self) -> None:
        if not os.environ.get("OMP_NUM_THREADS"):
            torch.set_num_threads(1)  # of this thread: OpenMP counts each thread's own
        is_loaded = is_warm = False
        while True:
            if not is_loaded and self._is_ahead(LOADING_SECONDS):  # the first second does not wait for them
                for module in ("scipy.signal", "scipy.ndimage"):
                    importlib.import_module(module)
                is_loaded = True
            if not is_warm and self._is_ahead(AHEAD_SECONDS):
                self.tail.engine.warm_up(self.tail.first)
                is_warm = True
            with self._condition:
                self._condition.wait_for(lambda: self._ended or self._for_segment or not self._is_ahead(AHEAD_SECONDS))
                if self._ended:
                    return
                self._filling = not self._begins()
            with suppress(_Abandoned):
                if self._filling:
                    self.tail.fill()
            self._filling = False
            if self._beginning:
                self._begin_segment()
            with self._condition:
                self._condition.notify_all()

    def _begin_segment(self) -> None:
        started = time.monotonic()
        handles, at = self._beginning, self._limit
        assert at is not None  # decided when the handles were taken
        prepared = self.tail.prepare(handles, at)
        with self._condition:
            change = self.tail.splice(prepared)
            self._beginning, self._limit, self._barred_from = {}, None, at + self.tail.needed
            self._condition.notify_all()
        self._delays[self.tail.reshapes(handles)].learn(time.monotonic() - started)
        if self._on_change is not None:
            self._on_change(change)

    def _finish(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._ended or self._may_take())
                if self._ended:
                    return
                handles, self._for_samples = self._for_samples, {}
            change = self.tail.move(handles) if handles else None
            block = self.tail.take()
            with self._condition:
                self._ready.append(block)
                self._ready_samples += block.shape[1]
                self._condition.notify_all()
            if change is not None and self._on_change is not None:
                self._on_change(change)

    def _may_take(self) -> bool:
        lacking = self._ready_samples < LEAD_SECONDS * self.sample_rate
        free = self._limit is None or self.tail.position < self._limit
        return lacking and free and self.tail.ahead >= self.tail.hop

    def _is_over(self) -> bool:
        return self._ended or self._error is not None

    def _is_short_of_hops(self) -> bool:
        return self._ready_samples < MIN_LEAD_SECONDS * self.sample_rate

    def _is_ahead(self, seconds: float) -> bool:
        return self.tail.position + self.tail.ahead - self._delivered >= seconds * self.sample_rate

    def _begins(self) -> bool:
        """Whether a segment begins now; if so, its handles and its limit stay, and later moves are for the next."""
        if self._for_segment and self._can_begin():
            self._beginning, self._for_segment = self._for_segment, {}
        return bool(self._beginning)

    def _can_begin(self) -> bool:
        """Decide where a segment is to begin, and whether it can without generating more of the present one."""
        reshapes = self.tail.reshapes(self._for_segment)
        if self._limit is None or (self._limit_reshapes and not reshapes):  # handles may have joined the first one
            self._limit, self._limit_reshapes = self._next_beginning(self._delays[reshapes].seconds), reshapes
        return self.tail.position + self.tail.ahead >= self._limit + self.tail.needed

    def _next_beginning(self, delay: float) -> int:
        """Sample at which the next segment can begin: at the beginning of a hop, after the fade of the one before."""
        soonest = max(self.tail.position, self._delivered + round(delay * self.sample_rate), self._barred_from)
        return -(-soonest // self.tail.hop) * self.tail.hop

    def _pause(self) -> None:
        """Let the other thread make hops ready if few are; abandon a segment for the one that is wanted.

        On a busy core, two threads that compute hand Python's lock to and fro so slowly that hops would come late.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._is_over() or not (self._is_short_of_hops() and self._may_take()))
            if not self._filling:
                return
            if self._ended or self._begins():
                raise _Abandoned

    def _remember(self, block: np.ndarray) -> None:
        self._kept.append(block)
        self._kept_samples += block.shape[1]
        while self._kept_samples - self._kept[0].shape[1] >= self._max_kept:
            self._kept_samples -= self._kept.popleft().shape[1]
