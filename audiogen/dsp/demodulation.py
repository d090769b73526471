"""Demodulation of a signal along a frequency that moves, up to its very ends.

What a partial's envelope is in a narrow band: the band around its carrier, turned by its own phase, and averaged over a
window. At the ends of the signal half of each window is missing, and the rest is weighted accordingly.
"""

from __future__ import annotations

import numpy as np

from audiogen.dsp.sinusoids import Bands, integral

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
        self.weight = np.zeros(bands.points)
        self.weight[self.inside] = 1
        self._windows: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # response and sum of the weights by half width
        self._index = np.clip(np.arange(bands.points), self.inside.start, self.inside.stop - 1)

    def demodulated(self, band: np.ndarray, deviation: np.ndarray, kernel: float) -> np.ndarray:
        """The envelope ``[channels, points]`` along a frequency.

        Args:
            band: ``[channels, points]`` around a carrier.
            deviation: ``[points]`` of the frequency from that carrier, Hz.
            kernel: length of the window, seconds.
        """
        return self.smooth(band * np.exp(-1j * integral(deviation, self.bands.rate)), kernel)

    def smooth(self, values: np.ndarray, seconds: float) -> np.ndarray:
        """Weighted moving average ``[..., points]`` over a Hann window, one-sided at the signal's ends."""
        from scipy.fft import fft, ifft

        half = max(round(seconds * self.bands.rate / 2), 1)
        if half not in self._windows:  # a circular convolution: the padding is longer than half of any window
            window = np.roll(np.pad(np.hanning(2 * half + 1), (0, self.bands.points - 2 * half - 1)), -half)
            response = fft(window)
            self._windows[half] = response, np.maximum(ifft(fft(self.weight) * response).real, 1e-9)
        response, total = self._windows[half]
        return np.asarray(ifft(fft(values * self.weight, axis=-1) * response, axis=-1) / total)

    def held(self, values: np.ndarray) -> np.ndarray:
        """``[..., points]`` that keep their first and last value outside the signal."""
        return values[..., self._index]

    def power(self, envelope: np.ndarray) -> float:
        """Mean square of a partial's samples, summed over channels."""
        return float(np.square(np.abs(envelope[:, self.inside])).sum(0).mean() / 2)
