"""Controls of a tail: level, brightness and density of events, relative to the prompt's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from audiogen.dsp.fades import raised_cosine
from audiogen.errors import InputError

RAMP_SECONDS = 3.0  # from the join until a control has its full effect
TAPS = 2048  # of the tilt filter
MIN_TILT_HZ = 40.0  # below, the tilt filter is flat: rumble is not brightness
KEPT_TILTS = 2  # of each reference: one, and that which it gives way to
RANGES = {"level": (-40.0, 40.0), "brightness": (-6.0, 6.0), "density": (0.1, 10.0)}


@dataclass(frozen=True)
class Controls:
    """Properties relative to the prompt's own. A control at its default changes no sample.

    Args:
        level: dB relative to the prompt, -40..40.
        brightness: spectral tilt at equal power, dB per octave, -6..6.
        density: events per second as a multiple of the prompt's, 0.1..10; see `event_density`.

    Raises:
        InputError: a value is out of range.
    """

    level: float = 0.0
    brightness: float = 0.0
    density: float = 1.0

    def __post_init__(self) -> None:
        for name, (least, largest) in RANGES.items():
            value = getattr(self, name)
            if not least <= value <= largest:
                raise InputError(name, f"{value:g} is out of range", f"choose from {least:g} to {largest:g}")


NEUTRAL = Controls()


def control_ramp(start: int, length: int, sample_rate: float) -> np.ndarray:
    """Weight ``[length]`` of a control from sample ``start`` of a tail on: 0 at the join, 1 after `RAMP_SECONDS`."""
    return raised_cosine((start + np.arange(length)) / (RAMP_SECONDS * sample_rate))


class Gain:
    """Gain of a tail in dB, ramped up from the join on.

    Args:
        decibels: full gain.
        sample_rate: Hz.
    """

    def __init__(self, decibels: float, sample_rate: int) -> None:
        self.decibels, self.sample_rate, self.done = decibels, sample_rate, 0

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Process the next ``[channels, time]`` samples."""
        if self.decibels == 0:
            return block
        weight = control_ramp(self.done, block.shape[1], self.sample_rate)
        self.done += block.shape[1]
        return (block * 10 ** (self.decibels * weight / 20)).astype(np.float32)


class SpectralTilt:
    """Spectral tilt at the power of a reference; `after` makes it a control of a tail.

    Args:
        slope: dB per octave.
        reference: ``[channels, time]`` signal whose power the tilt preserves.
        sample_rate: Hz.
        tones: frequency in Hz and mean square of tones beside the reference, whose power counts too.

    Attributes:
        reference: the reference, tilted.
        response: ``[TAPS]`` impulse response; None without a slope.
    """

    def __init__(
        self, slope: float, reference: np.ndarray, sample_rate: int, tones: Sequence[tuple[float, float]] = ()
    ) -> None:
        self.slope, self.sample_rate = slope, sample_rate
        self.reference = reference
        self.response: np.ndarray | None = None
        if slope == 0:
            return
        response = tilt_filter(slope, sample_rate)
        tilted = _convolved(reference, response)
        power, after = (float(np.mean(np.square(samples, dtype=np.float64))) for samples in (reference, tilted))
        power += sum(own for _, own in tones)
        after += float(sum(own * 10 ** (tilt_decibels(slope, hertz) / 10) for hertz, own in tones))
        factor = np.sqrt(power / max(after, 1e-20))
        self._factor = float(factor)
        self.response = response * factor
        self.reference = (tilted * factor).astype(np.float32)

    def gain(self, hertz: float) -> float:
        """Gain at a frequency in dB, where there is a tilt."""
        return float(tilt_decibels(self.slope, hertz) + 20 * np.log10(self._factor))

    def whole(self, samples: np.ndarray) -> np.ndarray:
        """Tilt a whole signal ``[channels, time]``, without ramp."""
        return samples if self.response is None else _convolved(samples, self.response).astype(np.float32)

    def after(self, past: np.ndarray, ramped: bool = True) -> TailTilt:
        """The tilt of a tail.

        Args:
            past: ``[channels, time]`` samples just before it, for the filter's memory; `TAPS` are enough.
            ramped: reach the full slope `RAMP_SECONDS` after the join, instead of at once.
        """
        return TailTilt(self, past, ramped)


class TailTilt:
    """Spectral tilt of a tail, block by block; see `SpectralTilt.after`."""

    def __init__(self, tilt: SpectralTilt, past: np.ndarray, ramped: bool) -> None:
        self.tilt = tilt
        self.done = 0 if ramped else round(RAMP_SECONDS * tilt.sample_rate)
        if tilt.response is not None:
            self.past = np.pad(past, ((0, 0), (TAPS, 0)))[:, -(TAPS - 1) :]

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Process the next ``[channels, time]`` samples of the tail."""
        if self.tilt.response is None or block.shape[1] == 0:
            return block
        from scipy.signal import oaconvolve

        samples = np.concatenate([self.past, block], axis=1)
        tilted = oaconvolve(samples, self.tilt.response[None], mode="valid", axes=1)
        self.past = samples[:, -(TAPS - 1) :]
        weight = control_ramp(self.done, block.shape[1], self.tilt.sample_rate)
        self.done += block.shape[1]
        return (block + weight * (tilted - block)).astype(np.float32)


def tilts_of(
    reference: np.ndarray, sample_rate: int, tones: Sequence[tuple[float, float]] = ()
) -> Callable[[float], SpectralTilt]:
    """Slope -> `SpectralTilt` of one reference; the latest `KEPT_TILTS` are made once."""
    return lru_cache(KEPT_TILTS)(lambda slope: SpectralTilt(slope, reference, sample_rate, tones))


def _convolved(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    from scipy.signal import oaconvolve  # takes a second to import, which most tails do without

    return np.asarray(oaconvolve(samples, response[None], axes=1)[:, : samples.shape[1]])


def tilt_decibels(slope: float, hertz: np.ndarray | float) -> np.ndarray:
    """Gain in dB of a tilt of ``slope`` dB per octave, 0 at 1 kHz and constant below `MIN_TILT_HZ`."""
    return np.asarray(slope * np.log2(np.maximum(hertz, MIN_TILT_HZ) / 1000))


def tilt_filter(slope: float, sample_rate: int) -> np.ndarray:
    """Minimum-phase FIR filter with a constant slope in dB per octave.

    From the magnitude by the folded cepstrum (Oppenheim & Schafer 2010, Discrete-Time Signal Processing, 13.5.4).

    Args:
        slope: dB per octave above `MIN_TILT_HZ`; 0 dB at 1 kHz.
        sample_rate: Hz.

    Returns:
        ``[TAPS]`` impulse response.
    """
    size = 8 * TAPS
    hertz = np.fft.rfftfreq(size, 1 / sample_rate)
    log_magnitude = tilt_decibels(slope, hertz) * np.log(10) / 20
    cepstrum = np.fft.irfft(log_magnitude)
    cepstrum[1 : size // 2] *= 2
    cepstrum[size // 2 + 1 :] = 0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[:TAPS]
