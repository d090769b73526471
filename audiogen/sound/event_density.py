"""Density of events: a tail with a given multiple of the recording's events per second.

The tail is made at the recording's own density, so that a seed is the same tail at every density. Then events are taken
out of it, or events of the recording are added to it, each without the bed under it (`events.py`): as sounds of rain,
fire or birds add up in the air. Which ones, and where, is drawn from the recording's own, each of which is used once
before any is used again.

How many is decided section by section by a count of what is heard in the end: peaks as high as the recording's two or
three loudest a second. Where events hide one another, more of them are added, up to `MAX_EXCESS` times as many.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from copy import copy

import numpy as np

from audiogen.audio import AudioWarning
from audiogen.sound.controls import control_ramp
from audiogen.sound.events import MAX_SECONDS, Event, EventSearch

SECTION_SECONDS = 2.0  # that are changed at once
CONTEXT_SECONDS = 2.0  # on either side, in which events are found, too
SOON_SECTION_SECONDS, SOON_CONTEXT_SECONDS = 0.5, 0.5  # of a tail that has to be heard soon
MATERIAL_SECONDS = 60.0  # of its end, whose events are counted and added
MIN_EVENTS = 4  # in the material, below which there is nothing to make denser or sparser
LOUDEST_RATE = 2.5  # peaks per second of the material that are counted
MIN_HEIGHT_DB, MAX_HEIGHT_DB = 9, 40  # of them above the median level of a band
MAX_EXCESS = 2.0  # more events than the density says, where they hide one another
ROUNDS, CORRECTED = 4, 0.7  # of counting a section, and how much of what it lacks is made up for at once
MIN_COUNTED = 0.1  # of events, at least, that are counted peaks
GAIN_DB = 1.5  # standard deviation of the gain of an event that is added, so that it is no copy
TOLERANCE = 0.15  # of the density, beyond which it is said to be missed


class EventMaterial:
    """The events of a recording, found once for all its tails.

    Args:
        samples: ``[channels, time]``, without tones, which are no events but would come along with them.
        sample_rate: Hz.

    Attributes:
        samples: the last `MATERIAL_SECONDS`, whose events are added.
        events: found in them.
        events_per_second: of them.
        floor: ``[bands]`` median level, dB.
        height: dB of a counted peak above it.
        rate: of counted peaks per second.
    """

    def __init__(self, samples: np.ndarray, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.search = EventSearch(sample_rate)
        self._use(samples)
        self.events = self.search.find(self.power)
        self.seconds = self.samples.shape[1] / sample_rate
        self.events_per_second = len(self.events) / self.seconds
        most = max(LOUDEST_RATE * self.seconds, MIN_EVENTS)
        for self.height in range(MIN_HEIGHT_DB, MAX_HEIGHT_DB):
            count = len(self.search.count(self.power, self.floor, self.height))
            if count <= most:
                break
        self.rate = count / self.seconds

    def _use(self, samples: np.ndarray) -> None:
        self.samples = samples[:, -round(MATERIAL_SECONDS * self.sample_rate) :]
        self.power = self.search.power(self.samples)
        self.floor = np.median(self.search.levels(self.power), axis=0)
        self._sounds: dict[Event, np.ndarray] = {}

    def coloured(self, samples: np.ndarray) -> EventMaterial:
        """The same events at the same rate, with the sound and the floor of a filtered recording."""
        other = copy(self)
        other._use(samples)
        return other

    @property
    def enough(self) -> bool:
        """Whether there are events enough to be made denser or sparser."""
        return len(self.events) >= MIN_EVENTS and self.rate > 0

    def sound_of(self, event: Event) -> np.ndarray:
        """The sound ``[channels, time]`` of one of the events."""
        if event not in self._sounds:
            self._sounds[event] = self.search.extract(self.samples, self.power, self.events, event)
        return self._sounds[event]


class EventDensity:
    """Takes events out of the blocks of a tail, or adds some.

    Args:
        material: of the recording.
        past: ``[channels, time]`` samples just before the tail, from whose end the density is reached in
            `controls.RAMP_SECONDS`; None for a tail that is taken up, whose density has to be heard at once.
        density: events per second, as a multiple of the material's.
        seed: of the choice of events and places.

    Attributes:
        counted: peaks in the tail so far.
        expected: peaks that the tail so far would have had at density 1, and as many as were asked for.

    Warns:
        AudioWarning: the material has hardly any events.
    """

    def __init__(self, material: EventMaterial, past: np.ndarray | None, density: float, seed: int) -> None:
        self.material, self.search, self.density = material, material.search, density
        self.ramped = past is not None
        rate = material.sample_rate
        seconds = (SECTION_SECONDS, CONTEXT_SECONDS) if self.ramped else (SOON_SECTION_SECONDS, SOON_CONTEXT_SECONDS)
        self.section, self.context = (round(each * rate) for each in seconds)
        self.past = np.zeros((len(material.samples), 0), np.float32) if past is None else past[:, -self.context :]
        self.random = np.random.default_rng(seed)
        self.counted, self.expected = 0, np.zeros(2)
        self.carried = 0.0  # fraction of an event from one section to the next
        self.bag: list[Event] = []
        if not material.enough:
            cause = f"the recording has {len(material.events)} distinct events in {material.seconds:.0f} s, too few"
            warnings.warn(f"--density changes nothing: {cause}", AudioWarning, stacklevel=2)

    def reached(self) -> tuple[float, float]:
        """The density that the tail so far has by count, and the one that was asked for, both as multiples."""
        usual, asked = self.expected
        return self.counted / max(usual, 1e-9), asked / max(usual, 1e-9)

    def describe(self) -> dict[str, float]:
        """Loud events per second of the material; the density, its mean over the tail so far, and what is reached."""
        reached, asked = self.reached() if self.material.enough else (1.0, 1.0)
        found = {"events_per_second": self.material.rate, "asked": self.density, "mean": asked, "reached": reached}
        return {name: round(value, 2) for name, value in found.items()}

    def remark(self) -> str | None:
        """A line where the density is missed by more than `TOLERANCE`; None where it is reached."""
        reached, asked = self.reached()
        if not self.material.enough or self.counted < MIN_EVENTS or abs(reached - asked) <= TOLERANCE * asked:
            return None
        denser = self.density > 1
        if reached < asked:
            cause = "so many events hide one another" if denser else "few events are as loud as those counted"
        else:
            cause = "the tail has many of its own" if denser else "quiet events then count in place of loud ones"
        mean = "" if abs(asked - self.density) < 0.05 else f" (on average {asked:.2g})"
        return f"--density {self.density:g}{mean}: {reached:.2g} is reached by count, since {cause}"

    def __call__(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` of a tail -> sections of as many samples in all, with the density."""
        if not self.material.enough:
            yield from blocks
            return
        section, context, rate = self.section, self.context, self.material.sample_rate
        tail = self.past  # as it came, and what is to be added to it; both begin ``before`` samples before the section
        change = np.zeros((len(tail), tail.shape[1] + section + context + round(2 * MAX_SECONDS * rate)))
        before, done = tail.shape[1], 0
        source: Iterator[np.ndarray] | None = iter(blocks)
        while source is not None or tail.shape[1] > before:
            while source is not None and tail.shape[1] < before + section + context:
                block = next(source, None)
                source, tail = (None, tail) if block is None else (source, np.concatenate([tail, block], axis=1))
            stop = min(before + section, tail.shape[1])
            # No more than the context, so that the sizes of the blocks do not matter.
            self._change(tail[:, : before + section + context], change, before, stop, done)
            yield (tail[:, before:stop] + change[:, before:stop]).astype(np.float32)
            done += stop - before
            old = max(stop - context, 0)
            tail, before = tail[:, old:], stop - old
            change = np.pad(change[:, old:], ((0, 0), (0, old)))

    def _change(self, tail: np.ndarray, change: np.ndarray, start: int, stop: int, done: int) -> None:
        """Add to ``change`` what the section [start, stop) of ``tail`` needs; it is ``done`` samples after the join."""
        if start == stop:
            return
        size = tail.shape[1]
        rate, usual_rate = self.material.sample_rate, self.material.rate
        weight = float(control_ramp(done, stop - start, rate).mean()) if self.ramped else 1.0
        goal, seconds = 1 + (self.density - 1) * weight, (stop - start) / rate
        self.expected += usual_rate * seconds * np.array([1.0, goal])
        power = self.search.power(tail) if goal < 1 else np.zeros((0, 0))
        events = self.search.find(power) if goal < 1 else []
        present = [event for event in events if start <= event.start < stop]
        self.random.shuffle(present)
        each = max(usual_rate / self.material.events_per_second, MIN_COUNTED)  # counted peaks to an event
        usual = abs(goal - 1) * (len(present) if goal < 1 else self.material.events_per_second * seconds)
        # What earlier sections have too few or too many of is made up for in this one.
        missing = (self.expected[1] - goal * usual_rate * seconds - self.counted) / each
        wanted = min(max(usual + self.carried + (missing if goal > 1 else -missing), 0.0), MAX_EXCESS * usual)
        now, allowed = int(wanted), int(MAX_EXCESS * usual)
        self.carried = wanted - now
        for _ in range(ROUNDS):
            if goal < 1:
                taken, present = present[:now], present[now:]
                for event in taken:
                    sound = self.search.extract(tail, power, events, event)
                    end = min(event.start + sound.shape[1], size)
                    change[:, event.start : end] -= sound[:, : end - event.start]
            elif goal > 1:
                for _ in range(now):
                    self._add(change, start, stop)
            allowed -= now
            counted = self._count(tail + change[:, :size], start, stop)
            lacking = (self.expected[1] - self.counted - counted) / each * CORRECTED
            now = min(int(lacking), allowed) if goal > 1 else min(int(-lacking), len(present))
            if now <= 0:
                break
        self.counted += counted

    def _count(self, samples: np.ndarray, start: int, stop: int) -> int:
        peaks = (
            self.search.count(self.search.power(samples), self.material.floor, self.material.height) * self.search.hop
        )
        return int(((peaks >= start) & (peaks < stop)).sum())

    def _add(self, change: np.ndarray, start: int, stop: int) -> None:
        """Add an event of the material at a place in [start, stop)."""
        events = self.material.events
        if not self.bag:
            self.bag = [events[index] for index in self.random.permutation(len(events))]
        event = self.bag.pop()
        sound = self.material.sound_of(event)
        at = max(int(self.random.integers(start, stop)) - (event.peak - event.start), start)
        end = min(at + sound.shape[1], change.shape[1])
        change[:, at:end] += 10 ** (self.random.normal(0, GAIN_DB) / 20) * sound[:, : end - at]
