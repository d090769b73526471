"""Scattering moments and their distance for known signals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audiogen.metrics.scattering import (
    MIN_HERTZ,
    MODULATIONS,
    ScatteringReference,
    block_envelopes,
    centres,
    scattering_moments,
)
from tests.metrics.signals import RATE, impacts, modulated, noise, recording


def moments(samples: np.ndarray, rate: int = RATE) -> dict[str, np.ndarray]:
    envelope = torch.from_numpy(block_envelopes(samples, rate, 0.0)[0])
    return {name: values.numpy() for name, values in scattering_moments(envelope, 400).items()}


def test_a_tone_has_its_amplitude_in_its_band() -> None:
    band = 17
    tone = 0.3 * np.sin(2 * np.pi * centres(RATE / 2)[band] * np.arange(4 * RATE) / RATE)[None]
    found = np.exp(moments(tone)["first order"])
    assert found[band] == pytest.approx(0.3, rel=0.02)
    assert found[band - 4] < 0.01


def test_sparsity_of_noise_and_of_impacts() -> None:
    steady, sparse = (moments(samples)["sparsity"] for samples in (noise(16, 1), impacts(16, 1)))
    assert np.exp(steady[6:14]).mean() == pytest.approx(4 / np.pi, rel=0.05), "of a Rayleigh distribution"
    assert sparse.mean() > steady.mean() + 0.3


def test_modulation_is_found_at_its_rate() -> None:
    second = moments(modulated(8, 2, 8.0))["second order"].reshape(len(MODULATIONS), -1)
    assert MODULATIONS[int(second[:, 12:].mean(axis=1).argmax())] == 8.0


def test_distance_is_one_for_the_same_texture_and_large_for_another() -> None:
    reference = ScatteringReference(recording(noise(4, 3)), recording(noise(12, 4)))
    same = [reference.distance(recording(noise(6, 10 + k))).overall for k in range(4)]
    assert np.mean(same) == pytest.approx(1.0, abs=0.12)
    assert reference.distance(recording(modulated(6, 5, 8.0))).overall > 1.5
    assert reference.distance(recording(0.5 * noise(6, 5))).classes["first order"] > 3


def test_classes_of_scattering_moments() -> None:
    real, prompt = recording(noise(5, 1)), recording(noise(15, 2))
    found = ScatteringReference(real, prompt).distance(recording(noise(5, 3)))
    assert set(found.classes) == {"first order", "sparsity", "second order"}
    assert centres(RATE / 2)[0] == MIN_HERTZ


def test_bands_above_the_lower_rate_are_left_out() -> None:
    reference = ScatteringReference(recording(noise(4, 3)), recording(noise(12, 4)))
    generator = np.random.default_rng(0)
    half = 0.1 / np.sqrt(2) * generator.standard_normal((1, 4 * RATE // 2)).astype(np.float32)
    assert reference.distance(recording(half, RATE // 2)).overall == pytest.approx(1.0, abs=0.3)
