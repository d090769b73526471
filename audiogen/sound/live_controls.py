"""Level and brightness of a live tail, which act on its samples at once."""

from __future__ import annotations

import numpy as np

from audiogen.sound.controls import TAPS, SpectralTilt, TailTilt, tilts_of
from audiogen.sound.live_settings import LiveSettings

REFERENCE_SECONDS = 5.0  # of the end of the material, whose power a tilt preserves: filtered while the tail is read
GLIDE_SECONDS = 0.3  # of level and brightness to their new values


class LiveControls:
    """Level and brightness relative to those that a tail began with; changes no sample before one of them is moved.

    Args:
        material: ``[channels, time]`` samples whose power a tilt preserves.
        sample_rate: Hz.
        settings: that the tail began with.
    """

    def __init__(self, material: np.ndarray, sample_rate: int, settings: LiveSettings) -> None:
        self.sample_rate, self.first = sample_rate, settings
        self._length = max(round(GLIDE_SECONDS * sample_rate), 1)
        self._past = np.zeros((len(material), TAPS), np.float32)
        reference = material[:, -round(REFERENCE_SECONDS * sample_rate) :]
        began = SpectralTilt(settings.brightness, reference, sample_rate)
        self._tilts = tilts_of(began.reference, sample_rate)
        self._level, self._weight = Glide(0.0, self._length), Glide(0.0, self._length)
        self._slope = self._wanted = 0.0
        self._delay = 0
        self._old = self._new = self._tilt(0.0)
        self._done = 0

    def move(self, settings: LiveSettings, position: int) -> None:
        """Glide to other settings from sample ``position`` of the tail on."""
        self._delay = max(position - self._done, 0)
        self._level.to(settings.level - self.first.level, self._delay)
        self._wanted = settings.brightness - self.first.brightness

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Process the next ``[channels, time]`` samples."""
        if self._wanted != self._slope and self._weight.rests:  # else as soon as the present glide has ended
            self._old, self._new, self._slope = self._new, self._tilt(self._wanted), self._wanted
            self._weight = Glide(0.0, self._length)
            self._weight.to(1.0, self._delay)
        weight, level = self._weight.next(block.shape[1]), self._level.next(block.shape[1])
        self._delay = 0
        self._done += block.shape[1]
        output = self._new(block)
        if weight is not None:
            old = self._old(block)
            output = (old + weight * (output - old)).astype(np.float32)
        self._past = np.concatenate([self._past, block], axis=1)[:, -TAPS:]
        if level is None and self._level.value == 0:
            return output
        return (output * 10 ** ((self._level.value if level is None else level) / 20)).astype(np.float32)

    def _tilt(self, slope: float) -> TailTilt:
        """A tilt that preserves the power of the material as the tail began: with its first brightness."""
        return self._tilts(slope).after(self._past, ramped=False)


class Glide:
    """A value that glides to another one at constant speed.

    Args:
        value: at the beginning.
        length: samples of a glide.
    """

    def __init__(self, value: float, length: int) -> None:
        self.value, self.target, self.length = value, value, length
        self._begin, self._before, self._left = value, 0, 0

    @property
    def rests(self) -> bool:
        """Whether the value has arrived."""
        return self._left == 0

    def to(self, target: float, delay: int = 0) -> None:
        """Glide to ``target``, from ``delay`` samples on."""
        if target != self.target:
            self.target, self._begin = target, self.value
            self._before, self._left = delay, delay + self.length

    def next(self, count: int) -> np.ndarray | None:
        """The values ``[count]`` of the next samples; None while the value rests."""
        if self.rests:
            return None
        done = self.length + self._before - self._left + np.arange(1, count + 1)
        values = self._begin + (self.target - self._begin) * ((done - self._before) / self.length).clip(0, 1)
        self._left = max(self._left - count, 0)
        self.value = float(values[-1])
        return values
