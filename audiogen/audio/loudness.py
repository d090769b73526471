"""Integrated loudness (ITU-R BS.1770-4) of a stream.

K-weighting, 400 ms blocks every 100 ms, an absolute gate at -70 LUFS and a relative one 10 LU below the mean of the
blocks that pass it. torchaudio's `loudness` is not used: it needs the whole recording at once, and clips the outputs of
its filters at full scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

STEP_SECONDS, STEPS_PER_BLOCK = 0.1, 4  # blocks of 400 ms, every 100 ms
MEMORY_SECONDS = 0.25  # after which the slower filter has decayed by 500 dB
MIN_RATE = 4_000  # Hz; below, the shelf of the K-weighting lies above the Nyquist frequency
CHANNEL_WEIGHTS = {4: (1, 1, 1.41, 1.41), 5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 0, 1.41, 1.41)}
"""Number of channels -> weights (BS.1770-4, table 3; the LFE channel has none); 1 for other layouts."""


def k_weighting(sample_rate: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The two filters of BS.1770-4 (tables 1 and 2, given there for 48 kHz) at any sample rate, as ``(b, a)``.

    Bilinear transforms of the analogue prototypes of the tables, as derived in libebur128.
    """
    shelf_hz, shelf_db, shelf_q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    pass_hz, pass_q = 38.13547087602444, 0.5003270373238773
    k, high = math.tan(math.pi * shelf_hz / sample_rate), 10 ** (shelf_db / 20)
    band = high**0.4996667741545416
    shelf_b = np.array([high + band * k / shelf_q + k * k, 2 * (k * k - high), high - band * k / shelf_q + k * k])
    shelf_a = _denominator(k, shelf_q)
    pass_a = _denominator(math.tan(math.pi * pass_hz / sample_rate), pass_q)
    return [(shelf_b / shelf_a[0], shelf_a / shelf_a[0]), (np.array([1.0, -2.0, 1.0]), pass_a / pass_a[0])]


def _denominator(k: float, q: float) -> np.ndarray:
    return np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])


def frequency_response(filters: list[tuple[np.ndarray, np.ndarray]], size: int) -> np.ndarray:
    """Response of filters ``(b, a)``, one after another, at the frequencies of a real transform of ``size`` samples."""
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = np.ones(len(delay), complex)
    for b, a in filters:
        response *= np.polyval(b[::-1], delay) / np.polyval(a[::-1], delay)
    return response


class LoudnessMeter:
    """Integrated loudness of a stream of blocks of any size.

    The filters are applied by their frequency response (overlap-save): importing scipy.signal takes a second, and their
    impulse response is gone after `MEMORY_SECONDS`.

    Args:
        sample_rate: Hz.
        channels: rows of each block.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._step = round(STEP_SECONDS * sample_rate)
        self._weights = np.array(CHANNEL_WEIGHTS.get(channels, (1.0,) * channels), dtype=np.float64)
        self._measures = sample_rate >= MIN_RATE
        memory = round(MEMORY_SECONDS * sample_rate)
        self._size = 1 << (4 * memory).bit_length()
        self._response = frequency_response(k_weighting(sample_rate), self._size) if self._measures else np.zeros(0)
        self._past = np.zeros((channels, memory))
        self._remainder = np.zeros(0)  # weighted power of the samples since the last whole step
        self._steps: list[np.ndarray] = []

    def push(self, block: np.ndarray) -> None:
        """Add ``[channels, time]`` samples."""
        if not self._measures:
            return
        power = np.concatenate([self._remainder, *(self._weights @ np.square(part) for part in self._filtered(block))])
        whole = len(power) - len(power) % self._step
        self._steps.append(power[:whole].reshape(-1, self._step).mean(axis=1))
        self._remainder = power[whole:]

    def _filtered(self, block: np.ndarray) -> Iterator[np.ndarray]:
        """The K-weighted block ``[channels, time]`` in parts."""
        memory = self._past.shape[1]
        samples = np.concatenate([self._past, block], axis=1)
        self._past = samples[:, samples.shape[1] - memory :].copy()
        for first in range(0, block.shape[1], self._size - memory):
            part = samples[:, first : first + self._size]
            spectrum = np.fft.rfft(part, self._size) * self._response
            yield np.fft.irfft(spectrum, self._size)[:, memory : part.shape[1]]

    def momentary(self) -> np.ndarray:
        """Loudness of each block of 400 ms in LUFS, every 100 ms; none if shorter than one block."""
        return _lufs(self._powers())

    def _powers(self) -> np.ndarray:
        steps = np.concatenate(self._steps) if self._steps else np.zeros(0)
        if len(steps) < STEPS_PER_BLOCK:
            return np.zeros(0)
        return np.convolve(steps, np.full(STEPS_PER_BLOCK, 1 / STEPS_PER_BLOCK), mode="valid")

    def integrated(self) -> float | None:
        """Loudness in LUFS; None if shorter than one block, or if no block passes the gate at -70 LUFS."""
        power = self._powers()
        power = power[_lufs(power) > -70.0]
        if not len(power):
            return None
        power = power[_lufs(power) > _lufs(power.mean()) - 10.0]
        return float(_lufs(power.mean()))


def _lufs(power: np.ndarray) -> np.ndarray:
    return -0.691 + 10 * np.log10(np.maximum(power, 1e-30))
