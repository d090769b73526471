"""A tail whose settings change while it is being made, to the sample where they are wanted.

The stages of `continuation`, in two parts. Segments are generated ahead of time into a queue. What is taken out of the
queue, a hop at a time, goes through partials, limiter, level and join, as in any tail, and through the live gain and
tilt. A change of level or brightness acts on the next hop. Any other change begins a new segment at the next hop: the
queue is cut there, and cross-faded into what the segment brings. So a tail in which nothing is changed is that of
`Continuer.tail`, to the bit, and the same changes at the same samples give the same tail.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from audiogen.dsp.fades import correlated_cross_fade
from audiogen.sound.live_controls import LiveControls
from audiogen.sound.live_engines import AFTER_SECONDS, PAST_SECONDS, Engine
from audiogen.sound.live_settings import SEGMENT_SETTINGS, Change, LiveSettings

HOP, HOP_RATE = 1024, 48_000  # samples that are taken at a time, at rates up to (about) this one; more above
FADE_SECONDS = 0.2  # from one segment to the next
SEED_STEP = 1_000_003  # between the seeds of one segment and the next
SEEDS = 2**63


class LiveTail:
    """A tail whose settings change.

    One thread may generate (`fill`, `prepare`, `splice`) while another one takes, if it takes no more than is ready;
    `audiogen.jobs.live_stream` does. Without threads, `change` and `take` are enough.

    Args:
        engine: makes its segments.
        settings: that it begins with.

    Attributes:
        settings: the present ones.
        position: sample of the tail at which the next hop begins: where a change that is made now has its effect.
        hop: samples of a hop.
        changes: that were made.
    """

    def __init__(self, engine: Engine, settings: LiveSettings) -> None:
        self.engine, self.first, self.settings = engine, settings, settings
        self.changes: list[Change] = []
        self.position = 0
        rate = engine.sample_rate
        self.hop = HOP * max(1, round(rate / HOP_RATE))
        self._fade, self._after = round(FADE_SECONDS * rate), round(AFTER_SECONDS * rate)
        self._queue = SampleQueue(engine.channels, round(PAST_SECONDS * rate))
        self._segment = engine.start(settings)
        self._segments = 0
        self._finished = engine.finished(self._hops(), settings)
        self._controls = LiveControls(engine.material, rate, settings)
        self._lock = threading.Lock()

    @property
    def ahead(self) -> int:
        """Samples that are generated and not taken yet."""
        return self._queue.length

    @property
    def needed(self) -> int:
        """Samples beyond a change that the segment before it has to have."""
        return self._fade + self._after

    def reshapes(self, handles: Mapping[str, Any]) -> bool:
        """Whether the tail takes the same course after these handles have moved, which is sooner made."""
        return all(name in self.engine.reshapes for name in handles)

    def fill(self) -> None:
        """Generate a block."""
        block = next(self._segment)
        with self._lock:
            self._queue.append(block)

    def take(self) -> np.ndarray:
        """The next ``[channels, time]`` samples of the tail, a hop (the first time a little less)."""
        return self._controls(next(self._finished))

    def _hops(self) -> Iterator[np.ndarray]:
        while True:
            while self.ahead < self.hop:
                self.fill()
            with self._lock:
                self.position += self.hop
                taken = self._queue.take(self.hop)
            yield taken

    def change(self, handles: Mapping[str, Any]) -> list[Change]:
        """Move handles, with effect from the next hop on.

        Args:
            handles: names and values of `LiveSettings`; ``reseed`` sets the seed.

        Returns:
            The changes: those of a segment and those of its samples.

        Raises:
            InputError: a value is out of range.
        """
        own = {name: value for name, value in handles.items() if name in SEGMENT_SETTINGS}
        rest = {name: value for name, value in handles.items() if name not in SEGMENT_SETTINGS}
        made = []
        if own:
            made.append(self.splice(self.prepare(own, self.position)))
        if rest:
            made.append(self.move(rest))
        return made

    def move(self, handles: Mapping[str, Any]) -> Change:
        """Change level or brightness from the next hop on."""
        with self._lock:
            self.settings = self.settings.changed(handles)
        self._controls.move(self.settings, self.position)
        return self._note(Change(self.position, dict(handles)))

    def prepare(self, handles: Mapping[str, Any], at: int) -> Prepared:
        """Begin a segment under other settings; see `splice`.

        Args:
            handles: of `SEGMENT_SETTINGS`.
            at: sample at which the segment begins, at the beginning of a hop.
        """
        while self.position + self.ahead < at + self.needed:
            self.fill()
        settings = self.settings.changed(handles)
        seed = (settings.seed + SEED_STEP * (self._segments + 1)) % SEEDS
        # Level and brightness are those that the tail began with; their changes act on the samples.
        own = replace(settings, seed=seed, level=self.first.level, brightness=self.first.brightness)
        with self._lock:
            offset = at - self.position
            past, old = self._queue.before(offset, self._after), self._queue.peek(self._fade, offset)
        segment = (self.engine.reshape if self.reshapes(handles) else self.engine.take_up)(own, past, at)
        blocks, length = [], 0
        while length < self._fade:
            blocks.append(next(segment))
            length += blocks[-1].shape[1]
        new = np.concatenate(blocks, axis=1)
        faded = correlated_cross_fade(old, new[:, : self._fade]).astype(np.float32)
        return Prepared(at, dict(handles), segment, np.concatenate([faded, new[:, self._fade :]], axis=1))

    def splice(self, prepared: Prepared) -> Change:
        """Let a prepared segment follow; nothing beyond its beginning may have been taken in the meantime."""
        with self._lock:
            self._queue.replace(prepared.at - self.position, prepared.samples)
            self._segment, self._segments = prepared.segment, self._segments + 1
            self.settings = self.settings.changed(prepared.handles)
        return self._note(Change(prepared.at, prepared.handles))

    def _note(self, change: Change) -> Change:
        self.changes.append(change)
        return change


class Prepared(NamedTuple):
    """A segment that can follow.

    Args:
        at: sample of the tail at which it begins.
        handles: that were moved.
        segment: the rest of it.
        samples: ``[channels, time]`` of its beginning, cross-faded with what it replaces.
    """

    at: int
    handles: dict[str, Any]
    segment: Iterator[np.ndarray]
    samples: np.ndarray


class SampleQueue:
    """First-in first-out buffer of samples ``[channels, time]`` that remembers the latest ones taken out.

    Args:
        channels: of the samples.
        memory: samples that are remembered.
    """

    def __init__(self, channels: int, memory: int) -> None:
        self._memory, self._empty = memory, np.zeros((channels, 0), np.float32)
        self._blocks: list[np.ndarray] = []
        self._taken: deque[np.ndarray] = deque()
        self._remembered = self.length = 0

    def append(self, block: np.ndarray) -> None:
        """Add samples."""
        self._blocks.append(block)
        self.length += block.shape[1]

    def replace(self, start: int, samples: np.ndarray) -> None:
        """Put samples in the place of those from ``start`` on."""
        self._blocks = [self.peek(start), samples]
        self.length = start + samples.shape[1]

    def peek(self, count: int, start: int = 0) -> np.ndarray:
        """The ``count`` samples from ``start`` on, which stay."""
        parts, end, begins = [self._empty], start + count, 0
        for block in self._blocks:
            if begins >= end:
                break
            parts.append(block[:, max(start - begins, 0) : end - begins])
            begins += block.shape[1]
        return np.concatenate(parts, axis=1)

    def take(self, count: int) -> np.ndarray:
        """Remove the first samples, and return them."""
        taken, left = self.peek(count), count
        while left and self._blocks:
            size = self._blocks[0].shape[1]
            if size > left:
                self._blocks[0] = self._blocks[0][:, left:]
                break
            del self._blocks[0]
            left -= size
        self.length -= taken.shape[1]
        self._taken.append(taken)
        self._remembered += taken.shape[1]
        while self._remembered - self._taken[0].shape[1] >= self._memory:
            self._remembered -= self._taken.popleft().shape[1]
        return taken

    def before(self, start: int, after: int) -> np.ndarray:
        """What is remembered before sample ``start`` of the queue, and ``after`` samples from there on."""
        samples = np.concatenate([*self._taken, self.peek(start + after)], axis=1)
        return samples[:, -(self._memory + after) :]


def replayed(tail: LiveTail, changes: Iterable[Change]) -> Iterator[np.ndarray]:
    """The blocks ``[channels, time]`` of a tail with changes that were made before; endless."""
    due = iter(changes)
    following = next(due, None)
    while True:
        while following is not None and following.position <= tail.position:
            tail.change(following.handles)
            following = next(due, None)
        yield tail.take()
