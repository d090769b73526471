"""Demodulation of a signal along a frequency that moves, up to its very ends.

What a partial's envelope is in a narrow band: the band around its carrier, turned by its own phase, and averaged over a
window. At the ends of the signal half of each window is missing, and the rest is weighted accordingly.
"""

from __future__ import annotations

import numpy as np

from audiogen.dsp.fourier import fft, ifft
from audiogen.dsp.sinusoids import Bands

EMPTY = 1e-3  # sum of weights: no point of the signal lies within the window
EDGE_POINTS = 3  # 7 ms: envelopes of a signal that ends abruptly are blurred there


class Demodulator:
    """Envelopes of signals of one length.

    Args:
        bands: whose points they have.

    Attributes:
        inside: the points within the signal, but for those that are blurred.
    """

    def __init__(self, bands: Bands) -> None:
        self.bands = bands
        inside = bands.inside
        self.inside = slice(inside.start + EDGE_POINTS, inside.stop - EDGE_POINTS)
        self.weight = np.zeros(bands.points, np.float32)
        self.weight[self.inside] = 1
        self._windows: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # by half width
        self._index = np.clip(np.arange(bands.points), self.inside.start, self.inside.stop - 1)

    def smooth(self, values: np.ndarray, seconds: float | np.ndarray) -> np.ndarray:
        """Weighted moving average ``[..., points]`` over a Hann window, one-sided at the signal's ends; 0 far outside.

        Args:
            values: ``[..., points]``.
            seconds: length of the window, or lengths that broadcast against the leading axes of the values.
        """
        lengths = np.asarray(seconds)
        windows = [self._window(each) for each in lengths.flat]
        response, factor = (np.stack(each).reshape(*lengths.shape, -1) for each in zip(*windows, strict=True))
        smoothed = ifft(fft(values * self.weight) * response)
        return np.asarray(smoothed * factor)

    def _window(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Response ``[points]`` of a window, which is symmetric, and one over the sum of weights within it."""
        half = max(round(seconds * self.bands.rate / 2), 1)
        if half not in self._windows:  # a circular convolution: the padding is longer than half of any window
            window = np.roll(np.pad(np.hanning(2 * half + 1), (0, self.bands.points - 2 * half - 1)), -half)
            response = fft(window).real
            total = ifft(fft(self.weight.astype(float)) * response).real
            factor = np.where(total > EMPTY, 1 / np.maximum(total, EMPTY), 0)
            self._windows[half] = response.astype(np.float32), factor.astype(np.float32)
        return self._windows[half]

    def held(self, values: np.ndarray) -> np.ndarray:
        """``[..., points]`` that keep their first and last value outside the signal."""
        return values[..., self._index]

    def power(self, envelope: np.ndarray) -> np.ndarray:
        """Mean square ``[...]`` of the samples of partials ``[..., channels, points]``, summed over channels."""
        within = envelope[..., self.inside]
        squares = np.square(within.real) + np.square(within.imag)
        return np.asarray(squares.sum((-2, -1), dtype=np.float64) / (2 * within.shape[-1]))
