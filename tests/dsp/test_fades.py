"""Fades and cross-fades."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.dsp.fades import correlated_cross_fade, fade_in, raised_cosine


def test_a_raised_cosine_rises_smoothly_from_0_to_1() -> None:
    values = raised_cosine(np.linspace(-1, 2, 301))
    assert (values[:101] == 0).all()
    assert values[200:] == pytest.approx(np.ones(101))
    assert values[150] == pytest.approx(0.5)
    assert (np.diff(values[100:201]) > 0).all()


def test_a_fade_in_and_its_reverse_sum_to_one() -> None:
    assert fade_in(7) + fade_in(7)[::-1] == pytest.approx(np.ones(7))
    assert len(fade_in(0)) == 0


def test_constant_power_whatever_the_correlation() -> None:
    one, other = np.random.default_rng(0).standard_normal((2, 2, 200_000)).astype(np.float32)
    mixed = correlated_cross_fade(one, other)
    powers = np.square(mixed).reshape(2, 10, -1).mean(axis=(0, 2))
    assert 10 * np.log10(powers) == pytest.approx(np.zeros(10), abs=0.15)
    np.testing.assert_allclose(correlated_cross_fade(one, one), one, rtol=1e-5, atol=1e-6)
    half = correlated_cross_fade(one, (one + other) / np.sqrt(2))  # a correlation of 0.71
    assert 10 * np.log10(np.square(half).reshape(2, 10, -1).mean(axis=(0, 2))) == pytest.approx(np.zeros(10), abs=0.15)
    opposed = correlated_cross_fade(one, -one)
    assert np.isfinite(opposed).all()
    assert np.abs(opposed).max() <= np.abs(one).max()
