"""Synthetic signals for the evaluation's tests."""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording
from audiogen.metrics.drift import DriftMeter, sum_covariances
from audiogen.metrics.stereo import stereo_difference, stereo_measures

RATE = 16000


def recording(samples: np.ndarray, rate: int = RATE) -> Recording:
    return Recording(np.ascontiguousarray(np.atleast_2d(samples), dtype=np.float32), rate)


def noise(seconds: float, seed: int, channels: int = 1, rate: int = RATE) -> np.ndarray:
    """White noise ``[channels, time]`` at 0.1 RMS."""
    generator = np.random.default_rng(seed)
    return (0.1 * generator.standard_normal((channels, int(seconds * rate)))).astype(np.float32)


def modulated(seconds: float, seed: int, hertz: float, depth: float = 0.9) -> np.ndarray:
    """White noise with its amplitude modulated at ``hertz``."""
    samples = noise(seconds, seed)
    time = np.arange(samples.shape[1]) / RATE
    return samples * (1 + depth * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def impacts(seconds: float, seed: int, rate: float = 6.0) -> np.ndarray:
    """Decaying bursts at random times over faint noise: something like a fire, ``[1, time]``."""
    generator = np.random.default_rng(seed)
    samples = 0.1 * noise(seconds, seed + 1000)[0]
    for start in generator.integers(0, len(samples) - RATE // 4, int(rate * seconds)):
        length = int(RATE * generator.uniform(0.02, 0.2))
        decay = np.exp(-6 * np.arange(length) / length) * generator.uniform(0.05, 0.5)
        tone = np.sin(2 * np.pi * generator.uniform(200, 6000) * np.arange(length) / RATE)
        samples[start : start + length] += decay * (0.5 * tone + 0.5 * generator.standard_normal(length))
    return samples[None].astype(np.float32)


def stereo(sound: Recording, reference: Recording | None = None) -> dict[str, float]:
    """Stereo measures of samples and, with a reference, their difference from it."""
    own, other = (sum_covariances(DriftMeter.of(each).seconds()) for each in (sound, reference or sound))
    return stereo_measures(*own) | (stereo_difference(*own, *other) if reference else {})
