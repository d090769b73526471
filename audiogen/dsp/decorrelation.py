"""Decorrelation by all-pass filters: another waveform with the same spectrum and, but for milliseconds, envelope.

Random-phase all-pass filters (Kendall 1995, Computer Music Journal 19(4), "The decorrelation of audio signals and its
impact on spatial imagery"), whose group delays spread over a few periods of each frequency: noise of any bandwidth is
decorrelated by as many independent phases, and the ear, whose filters ring for as long, resolves no more.
"""

from __future__ import annotations

import numpy as np

PERIODS = 4.0  # of a frequency, over which its group delays spread
MIN_SPREAD, MAX_SPREAD = 0.003, 0.03  # seconds, at high and low frequencies


def all_pass(sample_rate: float, number: int) -> np.ndarray:
    """Impulse response ``[taps]`` of a random-phase all-pass filter, an odd number of taps about its centre.

    Args:
        sample_rate: Hz.
        number: of the filter, 0 or above; any two differ.
    """
    size = 1 << int(np.ceil(np.log2(4 * MAX_SPREAD * sample_rate)))
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    spread = np.clip(PERIODS / np.maximum(frequencies, 1.0), MIN_SPREAD, MAX_SPREAD)
    # Phases are independent at frequencies that differ by one over the spread, and interpolated between them.
    cells = np.concatenate([[0.0], np.cumsum((spread[1:] + spread[:-1]) / 2 * np.diff(frequencies))])
    steps = np.random.default_rng(number).uniform(-np.pi, np.pi, int(cells[-1]) + 2)
    phases = np.interp(cells, np.arange(len(steps)), np.cumsum(steps))
    response = np.fft.irfft(np.exp(1j * (phases - phases[0])), size)
    return np.roll(response, size // 2)[1:]


def decorrelated(samples: np.ndarray, sample_rate: float, number: int) -> np.ndarray:
    """Samples ``[channels, time]`` through the all-pass filter of a number, in place in time; all channels alike."""
    from scipy.signal import oaconvolve  # takes a second to import, which all but sets do without

    return oaconvolve(samples, all_pass(sample_rate, number)[None], mode="same", axes=1).astype(samples.dtype)
