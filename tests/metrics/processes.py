"""Synthetic processes of known order, for the tests of the measures of order."""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording
from tests.metrics.signals import RATE, recording

TONES = (300.0, 600.0, 1100.0, 2000.0, 3600.0)
HISS = 0.003
ACCENTS = (0.5, 0.12, 0.25, 0.12)


def tone_chain(seconds: float, seed: int, loyalty: float = 0.95) -> Recording:
    """A Markov chain of five tones of a quarter second; ``loyalty``: how probably each is followed by the next one."""
    random = np.random.default_rng(seed)
    step, state, tones = RATE // 4, int(random.integers(len(TONES))), []
    for _ in range(int(seconds * 4)):
        state = (state + 1) % len(TONES) if random.random() < loyalty else int(random.integers(len(TONES)))
        level = random.uniform(0.15, 0.25)
        tones.append(level * np.sin(2 * np.pi * TONES[state] * np.arange(step) / RATE) * np.hanning(step) ** 0.3)
    return _over_hiss(np.concatenate(tones), random)


def clock(seconds: float, seed: int, period: float = 0.5, jitter: float = 0.0) -> Recording:
    """Clicks at equal intervals, each moved by up to ``jitter`` of an interval."""
    random = np.random.default_rng(seed)
    samples = np.zeros(int(seconds * RATE))
    for beat in np.arange(0.1, seconds - 0.1, period):
        _strike(samples, beat + period * jitter * random.uniform(-0.5, 0.5), 2000, 0.3, random)
    return _over_hiss(samples, random)


def bars(seconds: float, seed: int, shuffle: bool = False) -> Recording:
    """A bar of four quarter seconds, low on the first and high on the others; or the same strokes in random order."""
    random = np.random.default_rng(seed)
    samples = np.zeros(int(seconds * RATE))
    for number, beat in enumerate(np.arange(0.1, seconds - 0.3, 0.25)):
        place = int(random.integers(4)) if shuffle else number % 4
        _strike(samples, beat, 150 if place == 0 else 2500, ACCENTS[place], random)
    return _over_hiss(samples, random)


def calls(seconds: float, seed: int, backwards: bool = False, chopped: bool = False) -> Recording:
    """Chirps of 0.4 s, rising and dying away, 0.6 to 1 s apart; played backwards, or in tenths of a second, mixed."""
    random = np.random.default_rng(seed)
    samples, at = np.zeros(int(seconds * RATE)), random.uniform(0.0, 0.5)
    while at < seconds - 0.5:
        time = np.arange(int(0.4 * RATE)) / RATE
        top = random.uniform(2800, 3200)
        call = (
            np.sin(2 * np.pi * (800 * time + (top - 800) * time**2 / 0.8))
            * np.minimum(time / 0.02, 1)
            * np.exp(-6 * time)
        )
        first = int(at * RATE)
        samples[first : first + len(call)] += 0.3 * call
        at += random.uniform(0.6, 1.0)
    if backwards:
        samples = samples[::-1]
    if chopped:
        samples = in_random_order(samples, 0.1, random)
    return _over_hiss(samples, random)


def in_random_order(samples: np.ndarray, seconds: float, random: np.random.Generator) -> np.ndarray:
    """Pieces of equal length, in random order."""
    size = int(seconds * RATE)
    return random.permutation(samples[: len(samples) // size * size].reshape(-1, size)).ravel()


def _strike(samples: np.ndarray, at: float, hertz: float, level: float, random: np.random.Generator) -> None:
    first, time = int(at * RATE), np.arange(int(0.08 * RATE)) / RATE
    sound = np.exp(-50 * time) * (np.sin(2 * np.pi * hertz * time) + 0.2 * random.standard_normal(len(time)))
    samples[first : first + len(time)] += level * sound[: max(len(samples) - first, 0)]


def _over_hiss(samples: np.ndarray, random: np.random.Generator) -> Recording:
    return recording(samples + HISS * random.standard_normal(len(samples)))
