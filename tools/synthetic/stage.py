"""Context of a layer of a synthetic texture: random generator, sample rate and length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RenderContext:
    """Random generator and format of a layer.

    Args:
        draw: the only source of randomness.
        rate: sample rate, Hz.
        length: samples of a layer.
        channels: 1 or 2.
    """

    draw: np.random.Generator
    rate: int
    length: int
    channels: int

    @property
    def seconds(self) -> float:
        """Duration of a layer."""
        return self.length / self.rate

    @property
    def highest(self) -> float:
        """The highest frequency of a partial, Hz."""
        return 0.45 * self.rate

    def log_uniform(self, low: float, high: float) -> float:
        """A number whose logarithm is uniform."""
        return float(np.exp(self.draw.uniform(np.log(low), np.log(high))))

    def log_uniforms(self, low: float, high: float, count: int) -> np.ndarray:
        """``[count]`` such numbers."""
        return np.exp(self.draw.uniform(np.log(low), np.log(high), count))

    def uniform(self, low: float, high: float) -> float:
        """A uniform number."""
        return float(self.draw.uniform(low, high))

    def integer(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""
        return int(self.draw.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """True with ``probability``."""
        return bool(self.draw.random() < probability)

    def silence(self) -> np.ndarray:
        """``[channels, time]`` zeros."""
        return np.zeros((self.channels, self.length), np.float32)

    def panned(self, samples: np.ndarray) -> np.ndarray:
        """``[time]`` samples at a random stereo position, ``[channels, time]``."""
        return self.pan(self.uniform(0.0, 1.0))[:, None] * samples

    def pan(self, position: float) -> np.ndarray:
        """``[channels]`` equal-power gains for a position from 0 (left) to 1 (right)."""
        if self.channels == 1:
            return np.ones(1, np.float32)
        return np.array([np.cos(np.pi / 2 * position), np.sin(np.pi / 2 * position)], np.float32)


def unit(samples: np.ndarray) -> np.ndarray:
    """Samples of any shape scaled to a root mean square of 1; silence stays silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return samples * np.float32(1 / np.sqrt(power)) if power > 1e-20 else samples


def decibels(level: float | np.ndarray) -> np.ndarray:
    """Amplitude of a level in dB."""
    return np.exp(np.asarray(level, np.float32) * np.float32(np.log(10) / 20))  # twice as fast as a power of ten
