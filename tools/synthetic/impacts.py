"""Layers of impacts: struck objects, bursts, drops, crackles; rare or dense, regular or random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.synthetic.events import fade_ends, place_events
from tools.synthetic.fields import random_spectrum
from tools.synthetic.processes import event_times
from tools.synthetic.stage import RenderContext, decibels, unit

RATIOS = {
    "bar": np.array([1, 2.756, 5.404, 8.933, 13.34]),
    "membrane": np.array([1, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501]),
    "bell": np.array([0.5, 1, 1.183, 1.506, 2, 2.514, 2.662, 3.011, 4.166, 5.433]),
    "string": np.arange(1.0, 25.0),
}
"""Frequencies of the modes against the fundamental: free bar, circular membrane, church bell, string
(Fletcher & Rossing 1998, The Physics of Musical Instruments)."""


def struck(stage: RenderContext, longest: float) -> Callable[[], np.ndarray]:
    """Modal synthesis: exponentially damped sines (van den Doel & Pai 1998, Presence 7(4):382)."""
    name = stage.draw.choice([*RATIOS, "any"])
    ratios = 1 + np.sort(stage.draw.exponential(2.5, stage.integer(2, 16))) if name == "any" else RATIOS[name]
    base, spread = stage.log_uniform(50, 3000), stage.uniform(0, 0.15)
    decay, damping = stage.log_uniform(0.01, longest), stage.uniform(0.2, 1.3)
    tilt, contact = stage.uniform(0, 1.5), stage.log_uniform(0.0001, 0.006)

    def sound() -> np.ndarray:
        hertz = base * np.exp(spread * stage.draw.standard_normal()) * ratios
        hertz = hertz[hertz < stage.highest]
        gains = (hertz / base) ** -tilt * stage.draw.standard_normal(len(hertz))
        rates = 6.9 / decay * (hertz / base) ** damping  # a thousandth after the decay time
        time = np.arange(int(min(decay * 1.2, longest) * stage.rate) + 64, dtype=np.float32) / np.float32(stage.rate)
        sines = np.sin(np.float32(2 * np.pi) * np.outer(hertz, time).astype(np.float32))
        modes = np.exp(np.outer(-rates, time).astype(np.float32)) * sines
        return fade_ends(np.float32(gains) @ modes, int(contact * stage.rate))

    return sound


def burst(stage: RenderContext, longest: float) -> Callable[[], np.ndarray]:
    """Filtered noise with attack and decay: steps, splashes, gravel, snares."""
    spectrum, attack = random_spectrum(stage), stage.log_uniform(0.0003, 0.05)
    decay, shift = stage.log_uniform(0.005, longest), stage.uniform(0, 0.3)

    def sound() -> np.ndarray:
        from scipy import fft

        size = fft.next_fast_len(int(min(decay + attack, longest) * stage.rate) + 256)
        hertz = np.fft.rfftfreq(size, 1 / stage.rate) * 2 ** (shift * stage.draw.standard_normal())
        white = stage.draw.standard_normal((len(hertz), 2), np.float32).view(np.complex64)[:, 0]
        time = np.arange(size, dtype=np.float32) / np.float32(stage.rate)
        envelope = np.exp(-6.9 * time / decay) * (1 - np.exp(-time / attack))
        return fade_ends(fft.irfft(white * decibels(spectrum(hertz)), size) * np.float32(envelope), 16)

    return sound


def drop(stage: RenderContext, longest: float) -> Callable[[], np.ndarray]:
    """A bubble that rises: a damped sine of rising pitch (van den Doel 2005, ACM Trans. Appl. Perception 2(4):534)."""
    base, spread = stage.log_uniform(250, 5000), stage.log_uniform(0.05, 0.8)
    rise, ring = stage.log_uniform(0.01, 0.6), stage.log_uniform(0.2, 3.0)

    def sound() -> np.ndarray:
        hertz = min(base * np.exp(spread * stage.draw.standard_normal()), 0.5 * stage.highest)
        damping = (0.043 * hertz + 0.0014 * hertz**1.5) / ring
        time = np.arange(int(min(6.9 / damping, longest) * stage.rate) + 64) / stage.rate
        bent = time + rise * damping * time**2 / 2
        return fade_ends((np.exp(-damping * time) * np.sin(2 * np.pi * hertz * bent)).astype(np.float32), 16)

    return sound


def crackle(stage: RenderContext, longest: float) -> Callable[[], np.ndarray]:
    """Clicks of a few samples, as of fire, dust and rain on leaves."""
    shortest, widest = 2.0, max(4.0, min(longest, 0.002) * stage.rate)

    def sound() -> np.ndarray:
        samples = int(stage.log_uniform(shortest, widest))
        envelope = np.exp(-4 * np.arange(samples, dtype=np.float32) / samples)
        return fade_ends(stage.draw.standard_normal(samples, np.float32) * envelope, 2)

    return sound


MATERIALS = {"struck": struck, "burst": burst, "drop": drop, "crackle": crackle}
"""What is hit; each draws a material and gives a maker of its sounds."""


def sounds_of(stage: RenderContext, count: int, longest: float) -> list[np.ndarray]:
    """``count`` sounds of one random material, each of unit power over its duration, at most ``longest`` s."""
    make = MATERIALS[stage.draw.choice(list(MATERIALS))](stage, longest)
    return [unit(make()) for _ in range(count)]


def impacts(stage: RenderContext) -> np.ndarray:
    """One or two materials hit at a rate from 0.2 to thousands per second, ``[channels, time]``."""
    found = stage.silence()
    for _ in range(stage.integer(1, 2)):
        rate = stage.log_uniform(0.2, 2000)
        longest = min(6.0, 4 / rate**0.7)
        sounds = sounds_of(stage, stage.integer(2, int(np.clip(12 / longest, 3, 20))), longest)
        times = event_times(stage, rate)
        found += decibels(stage.uniform(-12, 0)) * place_events(
            stage, sounds, times, stage.uniform(1, 10), stage.uniform(0, 1)
        )
    return found
