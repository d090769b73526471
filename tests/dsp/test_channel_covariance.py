"""Covariance of channels, and principal channels: uncorrelated, sorted, and rotated back without loss."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.dsp import channel_covariance
from audiogen.dsp.channel_covariance import mean_covariance, principal_rotation, second_moments


def two_sources() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 20000)) * np.array([[1], [0.2]])


def test_long_signals_are_summed_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = two_sources()
    whole = second_moments(samples)
    monkeypatch.setattr(channel_covariance, "CHUNK", 3000)
    assert np.allclose(second_moments(samples), whole, rtol=1e-12)
    assert second_moments(samples[:, :0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_moments_add_up_over_blocks() -> None:
    samples = two_sources().astype(np.float32)
    halves = second_moments(samples[:, :7000]) + second_moments(samples[:, 7000:])
    assert np.allclose(halves, second_moments(samples), rtol=1e-9)


def test_the_mean_covariance_holds_powers() -> None:
    assert np.diag(mean_covariance(two_sources())) == pytest.approx([1, 0.04], rel=0.05)
    assert mean_covariance(np.zeros((2, 0))).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def sources(count: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((count, 20000)) * np.linspace(1, 0.2, count)[:, None]


def correlation(samples: np.ndarray) -> float:
    return float(np.corrcoef(samples)[0, 1])


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_the_rotation_is_orthonormal_and_sorts_by_energy(channels: int):
    samples = np.random.default_rng(1).standard_normal((channels, channels)) @ sources(channels)
    rotation = principal_rotation(second_moments(samples))
    assert np.allclose(rotation @ rotation.T, np.eye(channels), atol=1e-5)
    principal = rotation @ samples
    energies = np.square(principal).sum(axis=1)
    assert (np.diff(energies) <= 1e-6 * energies[0]).all()
    off_diagonal = second_moments(principal) - np.diag(np.diag(second_moments(principal)))
    assert np.abs(off_diagonal).max() < 1e-5 * energies[0]


def test_antiphase_keeps_its_energy_in_the_first_channel():
    mono = sources(1)
    antiphase = np.concatenate([mono, -mono])
    principal = principal_rotation(second_moments(antiphase)) @ antiphase
    assert np.square(principal[0]).sum() == pytest.approx(np.square(antiphase).sum(), rel=1e-6)
    assert np.square(antiphase.mean(axis=0)).sum() == 0  # what a downmix would have kept


@pytest.mark.parametrize("wanted", [-0.95, -0.4, 0.0, 0.5, 0.99])
def test_rotating_back_uncorrelated_channels_restores_the_correlation(wanted: float):
    first, second = np.random.default_rng(2).standard_normal((2, 200000))
    stereo = np.stack([first, wanted * first + np.sqrt(1 - wanted**2) * second])
    rotation = principal_rotation(second_moments(stereo))
    deviations = (rotation @ stereo).std(axis=1, keepdims=True)
    made = deviations * np.random.default_rng(3).standard_normal((2, 200000))  # independent of each other
    assert correlation(rotation.T @ made) == pytest.approx(wanted, abs=0.02)


def test_equal_input_gives_equal_signs():
    samples = sources(2)
    assert np.array_equal(principal_rotation(second_moments(samples)), principal_rotation(second_moments(-samples)))


def test_silent_channels_have_a_finite_rotation():
    assert np.isfinite(principal_rotation(np.zeros((2, 2)))).all()
