"""Handles on a tail: its level and brightness leave the source's, smoothly from the join on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.errors import InputError

RAMP_SECONDS = 3.0  # seconds after the join
TAPS = 2048  # of the tilting filter
MIN_TILT_HZ = 40.0  # Hz, below which the tilt is level: rumble is not brightness
MAX_VALUES = {"level": 40.0, "brightness": 6.0, "density": 4.0}


@dataclass(frozen=True)
class Controls:
    """What a tail is bent towards; 0 leaves it as the source has it, to the byte.

    Args:
        level: dB above the source's level, -40..40.
        brightness: dB per octave that the spectrum is tilted by, at the source's level, -6..6.
        density: how much more begins, -4..4; see `density.leaning`.
    """

    level: float = 0.0
    brightness: float = 0.0
    density: float = 0.0

    def __post_init__(self) -> None:
        for name, most in MAX_VALUES.items():
            value = getattr(self, name)
            if not -most <= value <= most:
                raise InputError(name, f"{value:g} is out of range", f"choose from {-most:g} to {most:g}")


def ramp(start: int, length: int, sample_rate: int, seconds: float = RAMP_SECONDS) -> np.ndarray:
    """``[length]``: a raised cosine from 0 at sample 0 to 1 after ``seconds``, from sample ``start`` on."""
    return 0.5 - 0.5 * np.cos(np.pi * ((start + np.arange(length)) / (seconds * sample_rate)).clip(0, 1))


class Gain:
    """Turns blocks up by ``decibels``, reached from the first sample on."""

    def __init__(self, decibels: float, sample_rate: int) -> None:
        self.decibels, self.sample_rate, self.done = decibels, sample_rate, 0

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """The next ``[channels, time]`` samples."""
        if self.decibels == 0:
            return block
        share = ramp(self.done, block.shape[1], self.sample_rate)
        self.done += block.shape[1]
        return (block * 10 ** (self.decibels * share / 20)).astype(np.float32)


class SpectralTilt:
    """Tilts the spectrum of blocks, reached from the first sample on, at the source's level.

    Args:
        slope: dB per octave.
        past: ``[channels, time]`` source: what sounded before the first block, and whose level is kept.
        sample_rate: Hz.
    """

    def __init__(self, slope: float, past: np.ndarray, sample_rate: int) -> None:
        self.slope, self.sample_rate, self.done = slope, sample_rate, 0
        self.source = past
        if slope == 0:
            return
        from scipy.signal import oaconvolve  # a second to import, which most tails do without

        response = tilt_filter(slope, sample_rate)
        tilted = oaconvolve(past, response[None], axes=1)[:, : past.shape[1]]
        power, after = (float(np.mean(np.square(samples, dtype=np.float64))) for samples in (past, tilted))
        factor = np.sqrt(power / max(after, 1e-20))
        self.response = response * factor
        self.source = (tilted * factor).astype(np.float32)
        self.past = np.pad(past, ((0, 0), (TAPS, 0)))[:, -(TAPS - 1) :]

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """The next ``[channels, time]`` samples."""
        if self.slope == 0 or block.shape[1] == 0:
            return block
        from scipy.signal import oaconvolve

        heard = np.concatenate([self.past, block], axis=1)
        tilted = oaconvolve(heard, self.response[None], mode="valid", axes=1)
        self.past = heard[:, -(TAPS - 1) :]
        share = ramp(self.done, block.shape[1], self.sample_rate)
        self.done += block.shape[1]
        return (block + share * (tilted - block)).astype(np.float32)


def tilt_filter(slope: float, sample_rate: int) -> np.ndarray:
    """``[TAPS]`` minimum-phase filter of ``slope`` dB per octave above `MIN_TILT_HZ`, 0 dB at 1 kHz.

    From the magnitude by the folded cepstrum (Oppenheim & Schafer 2010, Discrete-Time Signal Processing, 13.5.4).
    """
    size = 8 * TAPS
    hertz = np.fft.rfftfreq(size, 1 / sample_rate).clip(min=MIN_TILT_HZ)
    logs = slope * np.log2(hertz / 1000) * np.log(10) / 20
    cepstrum = np.fft.irfft(logs)
    cepstrum[1 : size // 2] *= 2
    cepstrum[size // 2 + 1 :] = 0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:TAPS]
