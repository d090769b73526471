"""Spectrograms in tiles, with logarithmic frequency and the contrast of the recording itself.

A column is the mean power of a few windows in the samples that it covers, so that a tile costs the same at any zoom,
and an hour is never analysed as a whole. Values are 0 to 255 between two percentiles of the recording's own levels; the
page adds the colours.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

from audiogen.audio import SegmentReader

TILE = 256  # columns
ROWS = 96
WINDOW = 2048  # samples at 44.1 kHz; scaled with the rate to a power of two
MIN_HZ = 40.0
WINDOWS_PER_COLUMN = 3
LOW, HIGH = 8.0, 99.7  # percentiles of levels that are black and white
SURVEYED = 200  # columns that the percentiles are taken from
FLOOR = 1e-12


def log_bands(rate: int, size: int, rows: int = ROWS) -> np.ndarray:
    """``[rows, size // 2 + 1]`` weights of frequency bins in each row, from `MIN_HZ` to the Nyquist frequency."""
    centres = np.geomspace(MIN_HZ, rate / 2, rows + 1)
    hertz = np.fft.rfftfreq(size, 1 / rate)
    edges = np.searchsorted(hertz, centres)
    weights = np.zeros((rows, len(hertz)), np.float32)
    for row, (low, high) in enumerate(itertools.pairwise(edges)):
        if high > low:
            weights[row, low:high] = 1 / (high - low)
        else:  # narrower than a bin: between the two nearest
            position = np.clip(np.sqrt(centres[row] * centres[row + 1]) / hertz[1], 0, len(hertz) - 1.001)
            below = int(position)
            weights[row, below], weights[row, below + 1] = 1 - (position - below), position - below
    return weights


class Spectrogram:
    """Levels of one recording, dB, by tiles.

    Args:
        reader: of the recording.
    """

    def __init__(self, reader: SegmentReader) -> None:
        self.reader = reader
        self._size = 1 << max(round(np.log2(WINDOW * reader.sample_rate / 44100)), 6)
        self._bands = log_bands(reader.sample_rate, self._size)
        self._window = np.hanning(self._size).astype(np.float32)

    @functools.cached_property
    def contrast(self) -> tuple[float, float]:
        """The levels in dB that are black and white."""
        span = max(self.reader.length // SURVEYED, 1)
        starts = np.arange(min(SURVEYED, self.reader.length)) * span
        levels = np.stack([self._column(int(start), span) for start in starts])
        audible = levels[levels.max(axis=1) > 10 * np.log10(FLOOR) + 1]
        if not audible.size:
            return -120.0, 0.0
        low, high = np.percentile(audible, (LOW, HIGH))
        return float(low), float(max(high, low + 12))

    def tile(self, level: int, index: int, contrast: tuple[float, float]) -> np.ndarray:
        """``[ROWS, columns]`` uint8, the lowest frequency last.

        Args:
            level: a column covers 2^level samples.
            index: of the tile, from 0.
            contrast: levels in dB that are 0 and 255.
        """
        size = 1 << level
        first = index * TILE
        count = min(TILE, -(-self.reader.length // size) - first)
        if count <= 0:
            return np.zeros((ROWS, 0), np.uint8)
        columns = np.stack([self._column((first + column) * size, size) for column in range(count)], axis=1)
        low, high = contrast
        return np.rint(np.clip((columns[::-1] - low) / (high - low), 0, 1) * 255).astype(np.uint8)

    def _column(self, start: int, size: int) -> np.ndarray:
        """``[ROWS]`` dB of the samples from ``start`` on."""
        windows = min(WINDOWS_PER_COLUMN, max(size // self._size, 1))
        power = np.zeros(self._size // 2 + 1, np.float32)
        for number in range(windows):
            middle = start + size * (2 * number + 1) // (2 * windows)
            samples = self.reader.read(middle - self._size // 2, middle + self._size // 2)
            if samples.shape[1] < self._size:
                samples = np.pad(samples, ((0, 0), (0, self._size - samples.shape[1])))
            spectrum = np.abs(np.fft.rfft(samples * self._window)) ** 2
            power += spectrum.mean(axis=0).astype(np.float32)
        scale = 4 / (windows * float(np.sum(self._window)) ** 2)
        return 10 * np.log10(self._bands @ power * scale + FLOOR)
