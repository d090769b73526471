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
MAX_AHEAD_SECONDS = 60.0  # by which patches may have been selected before they are played
MAX_PLACES = 512  # beats that are remembered
ENDLESS = sys.maxsize


class Engine(ABC):
    """Makes the segments of a tail.

    Attributes:
        sample_rate: Hz, of the tail.
        channels: of the tail.
        handles: settings that a new segment can have; see `LiveSettings`.
        material: ``[channels, time]`` samples whose spectrum and peak the tail keeps.
        pause: called every few hundredths of a second of work; what it raises abandons a segment.
    """

    sample_rate: int
    channels: int
    handles: tuple[str, ...] = ("temperature", "freeze", "reseed")
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
        spec, rate = self.continuer.spec, self.continuer.parts.recording.sample_rate
        played = round((position - self.position) / rate * spec.frame_rate / self.patch) - self.first
        self.begin(self.starts[: max(played, 0)][-self.most :], position)
        samples = resample(past, rate, spec.sample_rate)
        samples = samples[:, : resampled_length(before_of(past, rate).shape[1], rate, spec.sample_rate)]
        return Past(np.ascontiguousarray(samples), Played(tuple(self.starts), held))


def before_of(past: np.ndarray, sample_rate: int) -> np.ndarray:
    """Of the samples ``[channels, time]`` that `Engine.take_up` is given, those before the segment."""
    return past[:, : past.shape[1] - min(round(AFTER_SECONDS * sample_rate), past.shape[1] - 1)]


class TextureEngine(Engine):
    """Engine of a texture.

    Args:
        continuer: of the prompt.
    """

    def __init__(self, continuer: Continuer) -> None:
        self.continuer, self.path = continuer, _Path(continuer)
        recording = continuer.parts.recording
        self.sample_rate, self.channels = recording.sample_rate, recording.channels
        self.handles = ("temperature", "density", "freeze", "reseed") if continuer.selects else Engine.handles
        self.material = continuer.parts.material.samples
        continuer.pause = lambda: self.pause() if self.pause is not None else None

    def warm_up(self, settings: LiveSettings) -> None:
        self.continuer.renderer.events(settings.brightness)

    def start(self, settings: LiveSettings) -> Iterator[np.ndarray]:
        self.path.begin()
        return self.continuer.residual(settings.seed, settings.temperature, settings.controls, None, self.path.note)

    def take_up(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        before = self.path.cut(position, past, settings.freeze)
        return self.continuer.residual(settings.seed, settings.temperature, settings.controls, before, self.path.note)

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
