"""Stereo measures of channels with a known relation."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.metrics.stereo import pair_differences
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


def test_pair_differences_are_levels_of_sums_and_differences():
    reference = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]])
    covariance = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 0.0]])
    found = np.sort(pair_differences(covariance, reference))
    np.testing.assert_allclose(found[[0, -1]], 10 * np.log10([0.4 / 1.0, 3.6 / 3.0]), atol=1e-9)
    np.testing.assert_allclose(found[1:-1], 0, atol=1e-9)  # each with the silent channel
    assert not pair_differences(np.eye(2), np.zeros((2, 2))).size
    cancelling = np.array([[1.0, 1.0], [1.0, 1.0]])
    assert np.abs(pair_differences(cancelling * 1.0001, cancelling)).max() < 0.01
