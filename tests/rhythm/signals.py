"""Signals with a known pulse."""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording

RATE = 22050


def strokes(times: np.ndarray, loudness: np.ndarray | float = 1.0, seconds: float | None = None) -> Recording:
    """Short bursts of noise that set in at ``times``, over a little noise."""
    random = np.random.default_rng(0)
    length = round((times[-1] + 0.5 if seconds is None else seconds) * RATE)
    samples = 0.002 * random.standard_normal(length + RATE).astype(np.float32)
    decay = np.exp(-np.arange(RATE // 8) / (0.02 * RATE))
    for time, gain in zip(times, np.broadcast_to(loudness, times.shape), strict=True):
        start = round(time * RATE)
        if start < length:
            burst = 0.2 * gain * decay * random.standard_normal(len(decay))
            samples[start : start + len(burst)] += burst.astype(np.float32)
    return Recording(samples[None, :length], RATE)


def steady(period: float, seconds: float, start: float = 0.3) -> np.ndarray:
    """Times of a strict pulse."""
    return np.arange(start, seconds, period)


def noise(seconds: float, seed: int = 0) -> Recording:
    """White noise."""
    samples = 0.1 * np.random.default_rng(seed).standard_normal((1, round(seconds * RATE)))
    return Recording(samples.astype(np.float32), RATE)
