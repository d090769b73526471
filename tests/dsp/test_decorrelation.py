"""Decorrelation: another waveform with the same spectrum, level, stereo image and, but for milliseconds, envelope."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import fftconvolve

from audiogen.dsp.decorrelation import MAX_SPREAD, all_pass, decorrelated

RATE = 44100


def highest_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """At any lag, of two sounds of one power."""
    return float(np.abs(fftconvolve(one, other[::-1])).max() / (np.linalg.norm(one) * np.linalg.norm(other)))


def test_no_frequency_is_louder_or_softer() -> None:
    response = all_pass(RATE, 3)
    magnitude = 20 * np.log10(np.abs(np.fft.rfft(response, 1 << 17)))
    hertz = np.fft.rfftfreq(1 << 17, 1 / RATE)
    assert np.abs(magnitude[(hertz > 50) & (hertz < 20000)]).max() < 1.0
    assert np.square(response).sum() == pytest.approx(1.0, abs=0.01)


def test_most_of_a_click_stays_within_milliseconds() -> None:
    response = np.square(all_pass(RATE, 1))
    middle = len(response) // 2
    assert response[middle - round(MAX_SPREAD * RATE) : middle + round(MAX_SPREAD * RATE)].sum() > 0.98
    assert response[middle - round(0.003 * RATE) : middle + round(0.003 * RATE)].sum() > 0.8


def test_noise_is_decorrelated_by_different_numbers_only() -> None:
    noise = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    first, same, second = (decorrelated(noise, RATE, number)[0] for number in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert first.dtype == np.float32
    assert first.shape == noise[0].shape
    assert highest_correlation(first, second) < 0.3
    assert highest_correlation(first, noise[0]) < 0.3


def test_channels_keep_their_relations() -> None:
    left, right = np.random.default_rng(0).standard_normal((2, RATE))
    made = decorrelated(np.stack([left, 0.5 * left + 0.1 * right, -left]), RATE, 5)
    np.testing.assert_allclose(made[2], -made[0], atol=1e-12)
    assert np.corrcoef(made[0], made[1])[0, 1] == pytest.approx(
        np.corrcoef(left, 0.5 * left + 0.1 * right)[0, 1], abs=0.01
    )
