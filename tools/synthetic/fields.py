"""Noise with a given level over time and frequency, and random spectra for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.synthetic.processes import coloured
from tools.synthetic.stage import RenderContext, decibels

OVERLAP = 4
Field = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Frame times in seconds ``[frames]`` and frequencies in Hz ``[bins]`` -> levels in dB ``[frames, bins]``."""


def noise(stage: RenderContext, field: Field, size: int = 1024) -> np.ndarray:
    """Gaussian noise with levels given over time and frequency, ``[channels, time]``.

    Independent complex Gaussian frames under a sine window, whose squares sum to two: the random-phase
    short-time synthesis of stochastic residuals (Serra & Smith 1990, Computer Music Journal 14(4)). Channels
    are correlated at low frequencies and not at high ones, as between two microphones.

    Args:
        size: samples of a frame, the resolution in time.
    """
    hop = size // OVERLAP
    frames = -(-stage.length // hop) + OVERLAP
    times = (np.arange(frames) - OVERLAP / 2) * hop / stage.rate
    hertz = np.fft.rfftfreq(size, 1 / stage.rate)
    gain = decibels(np.clip(field(times, hertz), -120.0, 60.0)) * np.float32(np.sqrt(size) / 2)
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size).astype(np.float32)
    together = _likeness(stage, hertz)
    first = _normal(stage, gain.shape)
    found = stage.silence()
    for channel in range(stage.channels):
        spectrum = first if channel == 0 else first * together + _normal(stage, gain.shape) * np.sqrt(1 - together**2)
        found[channel] = _overlapped(spectrum * gain, window, hop)[OVERLAP * hop - hop :][: stage.length]
    return found


def _normal(stage: RenderContext, shape: tuple[int, ...]) -> np.ndarray:
    return stage.draw.standard_normal((*shape, 2), np.float32).view(np.complex64)[..., 0]


def _likeness(stage: RenderContext, hertz: np.ndarray) -> np.ndarray:
    """``[bins]`` correlation of the channels: 1 below a random corner frequency, falling to a random minimum."""
    corner, least = stage.log_uniform(50, 8000), stage.uniform(-0.2, 1.0)
    return np.float32(least + (1 - least) / (1 + (hertz / corner) ** 2)).clip(-1, 1)


def _overlapped(spectrum: np.ndarray, window: np.ndarray, hop: int) -> np.ndarray:
    from scipy import fft

    frames = fft.irfft(spectrum, len(window), axis=1) * window
    blocks = np.zeros((len(frames) + OVERLAP - 1, hop), np.float32)
    for part in range(OVERLAP):
        blocks[part : part + len(frames)] += frames[:, part * hop : (part + 1) * hop]
    return blocks.reshape(-1)


def random_spectrum(stage: RenderContext) -> Callable[[np.ndarray], np.ndarray]:
    """A static spectrum: frequencies in Hz -> dB. A slope, bumps, resonances and two edges, all random."""
    smooth = stage.chance(0.35)  # as of falling water
    slope, rough = stage.uniform(-13.0, 6.0), 0.0 if smooth else stage.uniform(0.0, 9.0)
    bumps = coloured(stage.draw, 1, 96, 8.0, 1.5, 0.05, 2.0)[0]
    low, high = stage.log_uniform(15, 600), stage.log_uniform(150, 24000)
    steep = stage.log_uniform(1.0, 8.0)
    peaks = 0 if smooth else stage.integer(0, 5)
    centres, widths = stage.log_uniforms(60, 10000, peaks), stage.log_uniforms(0.02, 0.6, peaks)
    heights = stage.draw.uniform(3, 30, peaks)

    def spectrum(hertz: np.ndarray) -> np.ndarray:
        octaves = np.log2(np.maximum(hertz, 10.0) / 1000)
        level = slope * octaves + rough * np.interp(octaves, np.linspace(-7, 5, len(bumps)), bumps)
        level -= 10 * np.log10(
            (1 + (low / np.maximum(hertz, 1.0)) ** (2 * steep)) * (1 + (hertz / high) ** (2 * steep))
        )
        for centre, width, height in zip(centres, widths, heights, strict=True):
            level += height / (1 + (np.log2(np.maximum(hertz, 10.0) / centre) / width) ** 2)
        return level

    return spectrum
