"""Texture statistics, on envelopes with known results."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from audiogen.representation.cochleagram import FRAME_RATE, envelopes
from audiogen.representation.texture_statistics import (
    BAND_OFFSETS,
    BANDS_PER_GROUP,
    MODULATIONS,
    RESOLUTION,
    segment_starts,
    segment_statistics,
    statistics,
)
from tests.metrics.signals import modulated, noise, recording


def found_in(samples: np.ndarray) -> dict[str, np.ndarray]:
    envelope = torch.from_numpy(envelopes(recording(samples))[0])
    return {name: values.numpy() for name, values in segment_statistics(envelope).items()}


@pytest.mark.parametrize(("hertz", "name"), [(1.0, "slow modulation"), (16.0, "modulation")])
def test_a_known_modulation_is_found_at_its_rate(hertz, name):
    envelope = torch.from_numpy(envelopes(recording(modulated(8, 2, hertz)))[0])
    values = segment_statistics(envelope)[name].numpy()
    rates = [rate for rate in MODULATIONS if (rate < 4) == (hertz < 4)]
    by_rate = values.reshape(len(rates), -1).mean(axis=1)
    assert rates[int(np.argmax(by_rate))] == hertz


def test_half_the_level_is_six_decibels_in_each_band():
    loud, quiet = (found_in(gain * noise(4, 5)) for gain in (1.0, 0.5))
    np.testing.assert_allclose(loud["spectrum"] - quiet["spectrum"], 6.02, atol=0.01)
    for name in ("moments", "attack", "correlation", "modulation", "slow modulation", "comodulation"):
        np.testing.assert_allclose(loud[name], quiet[name], atol=0.01)


def test_moments_and_correlations_are_those_of_the_envelopes():
    envelope = envelopes(recording(noise(4, 1)))[0]
    found = segment_statistics(torch.from_numpy(envelope))
    bands = len(envelope)
    variation, skewness, kurtosis = found["moments"].numpy().reshape(3, bands)
    mean, deviation = envelope.mean(axis=1), envelope.std(axis=1)
    shrunk = deviation / np.hypot(deviation, 0.01 * mean)  # what is constant but for rounding has no shape
    np.testing.assert_allclose(np.exp(variation), deviation / shrunk / mean, rtol=1e-3)
    np.testing.assert_allclose(skewness, shrunk**3 * scipy.stats.skew(envelope, axis=1), rtol=2e-3, atol=1e-4)
    fourth = shrunk**4 * scipy.stats.kurtosis(envelope, axis=1, fisher=False)
    np.testing.assert_allclose(np.exp(kurtosis) - 1, fourth, rtol=2e-3)
    pairs = np.corrcoef(envelope)
    expected = np.concatenate([np.diagonal(pairs, offset) for offset in BAND_OFFSETS])
    np.testing.assert_allclose(found["correlation"].numpy(), expected, atol=0.01)


def test_the_powers_of_all_modulation_bands_are_the_variance():
    """For a modulation at 23 Hz, which lies between two bands."""
    time = torch.arange(4 * FRAME_RATE) / FRAME_RATE
    envelope = (1 + 0.3 * torch.sin(2 * torch.pi * 23 * time)).expand(BANDS_PER_GROUP, -1)
    found = segment_statistics(envelope)
    fast = found["modulation"].reshape(-1, BANDS_PER_GROUP)[:, 0]
    assert float((10 ** (fast / 10)).sum()) == pytest.approx(1.0, abs=0.03)
    assert fast.argsort()[-2:].sort().values.tolist() == [2, 3], "around 16 and 32 Hz"


def test_at_a_lower_frame_rate_the_slower_bands_are_the_same():
    samples = recording(modulated(6, 3, 8.0))
    fine, coarse = (envelopes(samples, frame_rate=rate) for rate in (FRAME_RATE, FRAME_RATE // 2))
    whole = statistics(fine, fine.shape[-1])
    half = statistics(coarse, coarse.shape[-1], FRAME_RATE // 2)
    np.testing.assert_allclose(half["spectrum"], whole["spectrum"], atol=0.05)
    np.testing.assert_allclose(half["slow modulation"], whole["slow modulation"], atol=1.0)
    bands = fine.shape[1]
    assert half["modulation"].shape[-1] == whole["modulation"].shape[-1] - bands
    pulse = MODULATIONS.index(8.0) - MODULATIONS.index(4.0)
    of_band = slice(pulse * bands, (pulse + 1) * bands)
    np.testing.assert_allclose(half["modulation"][..., of_band], whole["modulation"][..., of_band], atol=1.5)


def test_segments_in_one_batch_equal_segments_one_by_one():
    envelope = envelopes(recording(noise(5, 2, channels=2)))
    together = statistics(envelope, 800)
    for channel, start in [(0, 0), (1, segment_starts(envelope.shape[-1], 800)[2])]:
        segment = torch.from_numpy(envelope[channel, :, start : start + 800])
        alone, index = segment_statistics(segment), 0 if start == 0 else 2
        for name, values in alone.items():
            np.testing.assert_allclose(together[name][channel, index], values, rtol=1e-4, atol=1e-4)


def test_every_statistic_has_a_gradient():
    envelope = torch.from_numpy(envelopes(recording(noise(3, 4)))[0]).requires_grad_()
    found = segment_statistics(envelope)
    of_lines = {"flatness", "depth", "width", "jitter"}  # statistics of partials, which are not matched
    assert set(found) == set(RESOLUTION) - of_lines
    for values in found.values():
        (gradient,) = torch.autograd.grad(values.sum(), envelope, retain_graph=True)
        assert torch.isfinite(gradient).all()
        assert float(gradient.abs().max()) > 0
