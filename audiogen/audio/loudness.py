"""Integrated loudness (ITU-R BS.1770-4) of a stream.

K-weighting, 400 ms blocks every 100 ms, an absolute gate at -70 LUFS and a relative one 10 LU below the mean of the
blocks that pass it. torchaudio's `loudness` is not used: it needs the whole recording at once, and clips the outputs of
its filters at full scale.
"""

from __future__ import annotations

import math

import numpy as np

STEPS_PER_BLOCK = 4  # blocks of 400 ms, every 100 ms
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


class LoudnessMeter:
    """Integrated loudness of a stream of blocks of any size.

    Args:
        sample_rate: Hz.
        channels: rows of each block.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._step = round(0.1 * sample_rate)
        self._weights = np.array(CHANNEL_WEIGHTS.get(channels, (1.0,) * channels), dtype=np.float64)
        self._filters = k_weighting(sample_rate) if sample_rate >= MIN_RATE else []
        self._states = [np.zeros((channels, 2)) for _ in self._filters]
        self._remainder = np.zeros(0)  # weighted power of the samples since the last whole step
        self._steps: list[np.ndarray] = []

    def push(self, block: np.ndarray) -> None:
        """Add ``[channels, time]`` samples."""
        if not self._filters:
            return
        from scipy.signal import lfilter

        for k, (b, a) in enumerate(self._filters):
            block, self._states[k] = lfilter(b, a, block, axis=1, zi=self._states[k])
        power = np.concatenate([self._remainder, self._weights @ np.square(block)])
        whole = len(power) - len(power) % self._step
        self._steps.append(power[:whole].reshape(-1, self._step).mean(axis=1))
        self._remainder = power[whole:]

    def integrated(self) -> float | None:
        """Loudness in LUFS; None if shorter than one block, or if no block passes the gate at -70 LUFS."""
        steps = np.concatenate(self._steps) if self._steps else np.zeros(0)
        if len(steps) < STEPS_PER_BLOCK:
            return None
        power = np.convolve(steps, np.full(STEPS_PER_BLOCK, 1 / STEPS_PER_BLOCK), mode="valid")
        power = power[_lufs(power) > -70.0]
        if not len(power):
            return None
        power = power[_lufs(power) > _lufs(power.mean()) - 10.0]
        return float(_lufs(power.mean()))


def _lufs(power: np.ndarray) -> np.ndarray:
    return -0.691 + 10 * np.log10(np.maximum(power, 1e-30))
