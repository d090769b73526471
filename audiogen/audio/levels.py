"""How loud, how clipped, how healthy a file is, measured in a stream.

Loudness is ITU-R BS.1770-4's integrated loudness: K-weighting, 400 ms blocks every 100 ms, gates at -70 LUFS
and 10 LU below the mean of what passes. It is written out here rather than taken from torchaudio, whose
`loudness` needs the whole recording at once and clips its filters' outputs at full scale.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np

from audiogen.audio.reading import open_blocks

STEPS_PER_BLOCK = 4  # a block of 400 ms moves by 100 ms
LOWEST_RATE = 4_000  # Hz; below, the shelf of the K-weighting lies beyond the Nyquist frequency
SURROUND = {4: (1, 1, 1.41, 1.41), 5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 0, 1.41, 1.41)}
"""Channel weights (BS.1770-4, table 3; the low-frequency channel does not count); 1 for other layouts."""


@dataclass(frozen=True)
class Info:
    """What is in an audio file. Counts are over all channels.

    Args:
        format: container, in the decoder's words.
        subtype: how samples are stored.
        sample_rate: Hz.
        channels: number of channels.
        length: samples per channel.
        seconds: duration.
        peak_dbfs: largest magnitude, dB relative to full scale; None for digital silence.
        rms_dbfs: root mean square over all channels, dB relative to full scale; None for digital silence.
        loudness_lufs: integrated loudness; None below 0.4 s, below 4 kHz, or when all lies below -70 LUFS.
        dc: mean of each channel.
        clipped: samples at full scale that repeat the two before them.
        over_full_scale: samples beyond full scale.
        nonfinite: samples that are NaN or infinite (interpolated before the levels were measured).
    """

    format: str
    subtype: str
    sample_rate: int
    channels: int
    length: int
    seconds: float
    peak_dbfs: float | None
    rms_dbfs: float | None
    loudness_lufs: float | None
    dc: list[float]
    clipped: int
    over_full_scale: int
    nonfinite: int


def info(path: str | os.PathLike[str]) -> Info:
    """Measure an audio file of any length in bounded memory.

    Warns:
        AudioWarning: as `audiogen.audio.read`.

    Raises:
        InputError: as `audiogen.audio.read`.
    """
    with open_blocks(path) as blocks:
        meter = LoudnessMeter(blocks.sample_rate, blocks.channels)
        total, energy = np.zeros(blocks.channels), 0.0
        for block in blocks:
            wide = block.astype(np.float64)
            total += wide.sum(axis=1)
            energy += float(np.square(wide).sum())
            meter.push(wide)
    found = blocks.findings
    return Info(
        format=blocks.format,
        subtype=blocks.subtype,
        sample_rate=blocks.sample_rate,
        channels=blocks.channels,
        length=found.samples,
        seconds=found.samples / blocks.sample_rate,
        peak_dbfs=_decibels(found.peak),
        rms_dbfs=_decibels(math.sqrt(energy / (found.samples * blocks.channels))),
        loudness_lufs=meter.integrated(),
        dc=[float(mean) for mean in total / found.samples],
        clipped=found.clipped,
        over_full_scale=found.over,
        nonfinite=found.nonfinite,
    )


def _decibels(amplitude: float) -> float | None:
    return 20 * math.log10(amplitude) if amplitude > 0 else None


def k_weighting(sample_rate: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The two filters of BS.1770-4 (tables 1 and 2, given for 48 kHz) at any rate, as ``(b, a)``.

    The analogue prototypes behind the tables, transformed bilinearly: the derivation of libebur128.
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
    """Integrated loudness of a sound that arrives in blocks of any size.

    Args:
        sample_rate: Hz.
        channels: rows of each block.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._step = round(0.1 * sample_rate)
        self._weights = np.array(SURROUND.get(channels, (1.0,) * channels), dtype=np.float64)
        self._filters = k_weighting(sample_rate) if sample_rate >= LOWEST_RATE else []
        self._memory = [np.zeros((channels, 2)) for _ in self._filters]
        self._held = np.zeros(0)  # weighted power of the samples since the last whole step
        self._steps: list[np.ndarray] = []

    def push(self, block: np.ndarray) -> None:
        """Take ``[channels, time]`` samples."""
        if not self._filters:
            return
        from scipy.signal import lfilter

        for k, (b, a) in enumerate(self._filters):
            block, self._memory[k] = lfilter(b, a, block, axis=1, zi=self._memory[k])
        power = np.concatenate([self._held, self._weights @ np.square(block)])
        whole = len(power) - len(power) % self._step
        self._steps.append(power[:whole].reshape(-1, self._step).mean(axis=1))
        self._held = power[whole:]

    def integrated(self) -> float | None:
        """LUFS; None when shorter than one block, or when no block passes the gate at -70 LUFS."""
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
