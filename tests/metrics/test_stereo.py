"""Stereo measures of channels with a known relation."""

from __future__ import annotations

import numpy as np
import pytest

from tests.metrics.signals import RATE, noise, recording, stereo


def pair(correlation: float, seed: int = 1) -> np.ndarray:
    """Two channels of noise with a given correlation."""
    a, b = noise(4, seed, channels=2)
    return np.stack([a, correlation * a + np.sqrt(1 - correlation**2) * b])


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.7, 1.0])
def test_a_known_correlation(correlation):
    found = stereo(recording(pair(correlation)))
    assert found["correlation"] == pytest.approx(correlation, abs=0.03)
    assert found["band_correlation"] == pytest.approx(correlation, abs=0.05)
    assert found["width"] == pytest.approx((1 - correlation) / 2, abs=0.03)


def test_one_band_in_antiphase_changes_the_band_correlation():
    """Low half in phase, high half in antiphase: only the band correlation shows it."""
    spectrum = np.fft.rfft(noise(4, 1)[0])
    turned = spectrum.copy()
    turned[len(spectrum) // 2 :] *= -1
    mixed = np.stack([np.fft.irfft(spectrum), np.fft.irfft(turned)])
    found = stereo(recording(mixed), recording(np.stack([mixed[0], mixed[0]])))
    assert found["correlation"] == pytest.approx(0, abs=0.05)
    assert found["band_correlation_difference"] > 0.1
    assert found["correlation_difference"] == pytest.approx(1, abs=0.05)


def test_the_worst_pair_counts():
    a, b, c = noise(4, 1, channels=3)
    found = stereo(recording(np.stack([a, b, -a])), recording(np.stack([a, b, c])))
    assert found["correlation_difference"] == pytest.approx(1, abs=0.05)


def test_mono_and_silence():
    assert stereo(recording(noise(1, 1))) == {}
    found = stereo(recording(np.zeros((2, RATE))), recording(noise(1, 1, channels=2)))
    assert found["correlation"] == found["width"] == 0
