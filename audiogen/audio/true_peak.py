"""True peak (ITU-R BS.1770-4, annex 2) of a stream: the peak of the waveform between its samples."""

from __future__ import annotations

import numpy as np

from audiogen.audio.resampling import Resampler

OVERSAMPLING = 4  # annex 2: enough at 48 kHz; a tone reads low by at most 0.7 dB, where it lies at half the rate


class TruePeakMeter:
    """The largest magnitude of a stream, oversampled four times.

    Args:
        sample_rate: Hz.
        channels: rows of each block.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._resampler = Resampler(sample_rate, OVERSAMPLING * sample_rate, channels)
        self._peak = 0.0

    def push(self, block: np.ndarray) -> None:
        """Add ``[channels, time]`` samples."""
        self._keep(block)
        self._keep(self._resampler.push(block))

    def finish(self) -> float:
        """The peak, relative to full scale; no more samples may follow."""
        self._keep(self._resampler.finish())
        return self._peak

    def _keep(self, samples: np.ndarray) -> None:
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0.0)))
