"""Second moments of multichannel signals."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.dsp import covariance
from audiogen.dsp.covariance import mean_covariance, second_moments


def sources() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 20000)) * np.array([[1], [0.2]])


def test_long_signals_are_summed_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = sources()
    whole = second_moments(samples)
    monkeypatch.setattr(covariance, "CHUNK", 3000)
    assert np.allclose(second_moments(samples), whole, rtol=1e-12)
    assert second_moments(samples[:, :0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_moments_add_up_over_blocks() -> None:
    samples = sources().astype(np.float32)
    halves = second_moments(samples[:, :7000]) + second_moments(samples[:, 7000:])
    assert np.allclose(halves, second_moments(samples), rtol=1e-9)


def test_the_mean_covariance_holds_powers() -> None:
    assert np.diag(mean_covariance(sources())) == pytest.approx([1, 0.04], rel=0.05)
    assert mean_covariance(np.zeros((2, 0))).tolist() == [[0.0, 0.0], [0.0, 0.0]]
