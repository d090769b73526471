"""What makes the samples of a live tail: engines of one interface for textures, beats and silence.

A tail consists of segments. Each is generated under settings that stay the same, and takes up what was played before:
its patches (or beats) and its samples, which lie in the past only, so that equal pasts, settings and seeds give equal
segments, to the bit. What comes after the segments, partials, limiter, gain and join, runs on from one to the next.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from audiogen.audio.resampling import resample, resampled_length
from audiogen.sound.beat_continuation import BeatContinuer, Place
from audiogen.sound.continuation import Continuer
from audiogen.sound.copy_detection import HISTORY_SECONDS
from audiogen.sound.join import silence
from audiogen.sound.live_settings import LiveSettings
from audiogen.sound.morph import Morph
from audiogen.sound.patch_selection import Played
from audiogen.sound.rendering import Chunk, Past

PAST_SECONDS = 1.25  # of the tail that a segment takes up: for its filters and the phases of the vocoder
AFTER_SECONDS = 0.05  # beyond it, for the resampling filter
MAX_AHEAD_SECONDS = 30.0  # by which patches may have been selected, and rendered, before they are played
MAX_PLACES = 512  # beats that are remembered
ENDLESS = sys.maxsize


class Engine(ABC):
    """Makes the segments of a tail.

    Attributes:
        sample_rate: Hz, of the tail.
        channels: of the tail.
        handles: settings that a new segment can have; see `LiveSettings`.
        reshapes: those of them for which `reshape` is enough.
        material: ``[channels, time]`` samples whose spectrum and peak the tail keeps.
        pause: called every few hundredths of a second of work; what it raises abandons a segment.
    """

    sample_rate: int
    channels: int
    handles: tuple[str, ...] = ("temperature", "freeze", "reseed")
    reshapes: tuple[str, ...] = ()
    material: np.ndarray
    pause: Callable[[], None] | None = None

    def warm_up(self, settings: LiveSettings) -> None:  # noqa: B027
        """Prepare, while there is time, what a change would wait for; ``settings`` are those of the beginning."""

    @abstractmethod
    def start(self, settings: LiveSettings) -> Iterator[np.ndarray]:
        """The first segment, endless blocks ``[channels, time]`` from the join on."""

    @abstractmethod
    def take_up(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        """Another segment.

        Args:
            settings: of which level and brightness are those that the tail began with.
            past: ``[channels, time]`` samples of the segments so far, up to `AFTER_SECONDS` beyond ``position``;
                `PAST_SECONDS` before that, or all there are.
            position: sample of the tail at which it begins.
        """

    def reshape(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        """Another segment of the same course, whose settings differ in `reshapes` alone; see `take_up`."""
        return self.take_up(settings, past, position)

    @abstractmethod
    def finished(self, segments: Iterable[np.ndarray], settings: LiveSettings) -> Iterator[np.ndarray]:
        """The tail, from its segments; ``settings`` are those that it began with."""


class _Path:
    """The patches of a tail: which of them have been played at a sample of it.

    Args:
        continuer: whose tail it is.
    """

    def __init__(self, continuer: Continuer) -> None:
        self.continuer = continuer
        self.patch = getattr(continuer.first.representation, "patch", 1)
        rate = continuer.spec.frame_rate / self.patch
        self.most, self.ahead = round(HISTORY_SECONDS * rate), round(MAX_AHEAD_SECONDS * rate)
        self.begin()

    def begin(self, starts: Sequence[int] = (), position: int = 0) -> None:
        """Begin a segment at a sample of the tail, after patches at these frames of the material."""
        self.starts = list(starts)
        self.first = -len(self.starts)  # number of the first of them, counted from the beginning of the segment
        self.position = position

    def note(self, chunk: Chunk) -> None:
        """Add the patches of a chunk; those of baselines are unknown."""
        if chunk.positions is not None:
            self.starts.extend(chunk.positions[:: self.patch].tolist())
            surplus = max(len(self.starts) - self.most - self.ahead, 0)
            del self.starts[:surplus]
            self.first += surplus

    def cut(self, position: int, past: np.ndarray, held: bool) -> Past:
        """Begin another segment at sample ``position``; see `Engine.take_up`."""
        played = round(self.seconds(position) * self.continuer.spec.frame_rate / self.patch) - self.first
        self.begin(self.starts[: max(played, 0)][-self.most :], position)
        return self.past(past, Played(tuple(self.starts), held))

    def seconds(self, position: int) -> float:
        """From the beginning of the segment until sample ``position`` of the tail."""
        return (position - self.position) / self.continuer.parts.recording.sample_rate

    def past(self, past: np.ndarray, played: Played) -> Past:
        """What `Engine.take_up` is given, at the rate of the frames."""
        rate, new_rate = self.continuer.parts.recording.sample_rate, self.continuer.spec.sample_rate
        samples = resample(past, rate, new_rate)
        samples = samples[:, : resampled_length(before_of(past, rate).shape[1], rate, new_rate)]
        return Past(np.ascontiguousarray(samples), played)


def before_of(past: np.ndarray, sample_rate: int) -> np.ndarray:
    """Of the samples ``[channels, time]`` that `Engine.take_up` is given, those before the segment."""
    return past[:, : past.shape[1] - min(round(AFTER_SECONDS * sample_rate), past.shape[1] - 1)]


class Rereadable:
    """Samples that are made once and read, from any of the latest on, more than once.

    Args:
        blocks: ``[channels, time]``, endless; they may be empty.
        memory: samples that can be read again.
        pause: called before each block is asked for; what it raises does not reach the ``blocks``, which go on.
    """

    def __init__(self, blocks: Iterator[np.ndarray], memory: int, pause: Callable[[], None]) -> None:
        self._blocks, self._memory, self._pause = blocks, memory, pause
        self._kept: deque[np.ndarray] = deque()
        self._first = self._end = 0  # numbers of the first sample that is kept, and of the next one that is made

    def after(self, start: int) -> Iterator[np.ndarray]:
        """Yield the samples ``[channels, time]`` from number ``start`` on; endless."""
        while True:
            while self._end <= start:
                self._pause()
                self._make()
            if start < self._first:
                raise ValueError(f"sample {start} is not remembered any more, only {self._first} and later ones")
            begin = self._first
            for block in self._kept:
                if start < begin + block.shape[1]:
                    break
                begin += block.shape[1]
            yield block[:, start - begin :]
            start = begin + block.shape[1]

    def _make(self) -> None:
        block = next(self._blocks)
        if block.shape[1]:
            self._kept.append(block)
            self._end += block.shape[1]
        while self._kept and self._end - self._first - self._kept[0].shape[1] >= self._memory:
            self._first += self._kept.popleft().shape[1]


class TextureEngine(Engine):
    """Engine of a texture.

    Its segments are made in two steps: patches are selected and rendered, and what was rendered is held to the texture
    and level of the prompt, at a temperature and a density. A change of these two repeats the second step alone: the
    tail takes the same course, and much of what was made ahead is used.

    Args:
        continuer: of the prompt.
    """

    def __init__(self, continuer: Continuer) -> None:
        self.continuer, self.path = continuer, _Path(continuer)
        recording = continuer.parts.recording
        self.sample_rate, self.channels = recording.sample_rate, recording.channels
        self.handles = ("temperature", "density", "freeze", "reseed") if continuer.selects else Engine.handles
        self.reshapes = ("temperature", "density") if continuer.matches else ("density",)
        self.material = continuer.parts.material.samples
        # A rendering that is abandoned halfway cannot be reshaped: it is interrupted between its blocks alone.
        continuer.pause, continuer.renderer.pause = lambda: None, self._pause

    def _pause(self) -> None:
        if self.pause is not None:
            self.pause()

    def warm_up(self, settings: LiveSettings) -> None:
        self.continuer.renderer.events(settings.brightness)

    def start(self, settings: LiveSettings) -> Iterator[np.ndarray]:
        self.path.begin()
        return self._begin(settings, None)

    def take_up(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        return self._begin(settings, self.path.cut(position, past, settings.freeze))

    def reshape(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        start = round(self.path.seconds(position) * self.continuer.spec.sample_rate)
        return self._shaped(settings, self.path.past(past, Played((), settings.freeze)), start)

    def _begin(self, settings: LiveSettings, past: Past | None) -> Iterator[np.ndarray]:
        blocks = self.continuer.rendered(settings.seed, settings.temperature, past, self.path.note)
        memory = round(MAX_AHEAD_SECONDS * self.continuer.spec.sample_rate)
        self._rendered = Rereadable(blocks, memory, self._pause)
        return self._shaped(settings, past, 0)

    def _shaped(self, settings: LiveSettings, past: Past | None, start: int) -> Iterator[np.ndarray]:
        blocks, controls = self._rendered.after(start), settings.controls
        return self.continuer.residual(blocks, settings.seed, settings.temperature, controls, past)

    def finished(self, segments: Iterable[np.ndarray], settings: LiveSettings) -> Iterator[np.ndarray]:
        temperature, controls = settings.temperature, settings.controls
        return self.continuer.joined(segments, settings.seed, temperature, controls, ENDLESS)


class MorphEngine(Engine):
    """Engine of a morph, whose position is a handle: 0 is the prompt's texture, 1 the other recording's.

    Args:
        morph: of the two.
    """

    handles = ("temperature", "density", "morph", "freeze", "reseed")

    def __init__(self, morph: Morph) -> None:
        self.morph = morph
        recording = morph.sides[0].parts.recording
        self.sample_rate, self.channels = recording.sample_rate, recording.channels
        self.material = morph.sides[0].parts.material.samples
        self.paths = _Path(morph.sides[0]), _Path(morph.sides[1])
        for side in morph.sides:
            side.pause = lambda: self.pause() if self.pause is not None else None

    def warm_up(self, settings: LiveSettings) -> None:
        for side in self.morph.sides:
            side.renderer.events(settings.brightness)

    def start(self, settings: LiveSettings) -> Iterator[np.ndarray]:
        for path in self.paths:
            path.begin()
        return self._mixed(settings, (None, None))

    def take_up(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        first, second = (path.cut(position, past, settings.freeze) for path in self.paths)
        return self._mixed(settings, (first, second))

    def _mixed(self, settings: LiveSettings, pasts: tuple[Past | None, Past | None]) -> Iterator[np.ndarray]:
        def weight(positions: np.ndarray, per_second: float) -> np.ndarray:
            return np.full(len(positions), settings.morph)

        notes = self.paths[0].note, self.paths[1].note
        return self.morph.mixed(settings.seed, settings.temperature, settings.controls, weight, pasts, notes)

    def finished(self, segments: Iterable[np.ndarray], settings: LiveSettings) -> Iterator[np.ndarray]:
        return self.morph.joined(segments, settings.controls, ENDLESS)


class BeatEngine(Engine):
    """Engine of a recording with a pulse.

    Args:
        continuer: of the prompt.
    """

    def __init__(self, continuer: BeatContinuer) -> None:
        self.continuer = continuer
        self.sample_rate, self.channels = continuer.prompt.sample_rate, continuer.prompt.channels
        self.material = continuer.prompt.samples
        self._places: deque[Place] = deque(maxlen=MAX_PLACES)

    def start(self, settings: LiveSettings) -> Iterator[np.ndarray]:
        self._places.clear()
        return self.continuer.residual(settings.seed, settings.temperature, settings.controls, note=self._places.append)

    def take_up(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        while len(self._places) > 1 and self._places[-1].begins > position:
            self._places.pop()
        return self.continuer.residual(
            settings.seed,
            settings.temperature,
            settings.controls,
            list(self._places),
            position,
            settings.freeze,
            before_of(past, self.sample_rate),
            self._places.append,
        )

    def finished(self, segments: Iterable[np.ndarray], settings: LiveSettings) -> Iterator[np.ndarray]:
        return self.continuer.joined(segments, settings.controls, ENDLESS)


class SilentEngine(Engine):
    """Engine of a silent prompt, whose handles change nothing.

    Args:
        channels: of the prompt.
        sample_rate: Hz, of the prompt.
    """

    def __init__(self, channels: int, sample_rate: int) -> None:
        self.channels, self.sample_rate = channels, sample_rate
        self.material = np.zeros((channels, 1), np.float32)

    def start(self, settings: LiveSettings) -> Iterator[np.ndarray]:
        return silence(self.channels, ENDLESS)

    def take_up(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        return silence(self.channels, ENDLESS)

    def finished(self, segments: Iterable[np.ndarray], settings: LiveSettings) -> Iterator[np.ndarray]:
        return iter(segments)
