"""What makes the samples of a live tail: engines of one interface for textures, beats and silence.

A tail consists of segments. Each is generated under settings that stay the same, and takes up what was played before:
its patches (or beats) and its samples, which lie in the past only, so that equal pasts, settings and seeds give equal
segments, to the bit. What comes after the segments, partials, limiter, gain and join, runs on from one to the next.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from audiogen.audio.resampling import resample, resampled_length
from audiogen.sound.beat_continuation import BeatContinuer, Place
from audiogen.sound.continuation import Continuer, Past
from audiogen.sound.copy_detection import HISTORY_SECONDS
from audiogen.sound.join import silence
from audiogen.sound.live_settings import LiveSettings
from audiogen.sound.patch_selection import Played
from audiogen.sound.rendering import Chunk

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


class TextureEngine(Engine):
    """Engine of a texture.

    Args:
        continuer: of the prompt.
    """

    handles: tuple[str, ...] = ("temperature", "density", "freeze", "reseed")

    def __init__(self, continuer: Continuer) -> None:
        self.continuer = continuer
        recording = continuer.parts.recording
        self.sample_rate, self.channels = recording.sample_rate, recording.channels
        if not continuer.selects:
            self.handles = Engine.handles
        self.material = continuer.parts.material.samples
        representation = continuer.first.representation
        self._patch = getattr(representation, "patch", 1)
        self._max_path = round(HISTORY_SECONDS * continuer.spec.frame_rate / self._patch)
        self._max_ahead = round(MAX_AHEAD_SECONDS * continuer.spec.frame_rate / self._patch)
        self._path: list[int] = []  # frames of the material, of the latest patches
        self._first = 0  # number of the first of them, counted from the beginning of the present segment
        self._began = 0  # sample of the tail at which that begins
        self.continuer.pause = lambda: self.pause() if self.pause is not None else None

    def start(self, settings: LiveSettings) -> Iterator[np.ndarray]:
        self._path, self._first, self._began = [], 0, 0
        return self.continuer.residual(settings.seed, settings.temperature, settings.controls, None, self._note)

    def take_up(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        spec, rate = self.continuer.spec, self.sample_rate
        seconds = (position - self._began) / rate
        played = round(seconds * spec.frame_rate / self._patch) - self._first
        self._path = self._path[: max(played, 0)][-self._max_path :]
        self._first, self._began = -len(self._path), position
        after = min(round(AFTER_SECONDS * rate), past.shape[1] - 1)
        samples = resample(past, rate, spec.sample_rate)
        samples = samples[:, : resampled_length(past.shape[1] - after, rate, spec.sample_rate)]
        before = Past(np.ascontiguousarray(samples), Played(tuple(self._path), settings.freeze))
        return self.continuer.residual(settings.seed, settings.temperature, settings.controls, before, self._note)

    def finished(self, segments: Iterable[np.ndarray], settings: LiveSettings) -> Iterator[np.ndarray]:
        temperature, controls = settings.temperature, settings.controls
        return self.continuer.joined(segments, settings.seed, temperature, controls, ENDLESS)

    def _note(self, chunk: Chunk) -> None:
        if chunk.positions is not None:  # those of baselines are unknown
            self._path.extend(chunk.positions[:: self._patch].tolist())
            surplus = max(len(self._path) - self._max_path - self._max_ahead, 0)
            del self._path[:surplus]
            self._first += surplus


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
        after = min(round(AFTER_SECONDS * self.sample_rate), past.shape[1] - 1)
        return self.continuer.residual(
            settings.seed,
            settings.temperature,
            settings.controls,
            list(self._places),
            position,
            settings.freeze,
            past[:, : past.shape[1] - after],
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
