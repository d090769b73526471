"""Cochleagram analysis and band gains, on signals with known results."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audiogen.representation.cochleagram import (
    COMPRESSION,
    FRAME_RATE,
    _interpolate,
    apply_band_gains,
    band_edges,
    block_envelopes,
    envelopes,
    power,
)
from tests.metrics.signals import RATE, noise, recording


def test_a_tone_appears_in_its_band_at_its_amplitude():
    edges = band_edges(RATE / 2)
    band = 12
    time = np.arange(3 * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * edges[band, 1] * time)[None]
    found = envelopes(recording(tone))[0]
    assert found[band].mean() == pytest.approx(0.5**0.3, rel=0.01)
    assert found[band].std() < 0.01
    others = np.abs(np.arange(len(found)) - band) > 1
    assert found[others].mean(axis=1).max() < 0.02**0.3


@pytest.mark.parametrize("hertz", [80, 211, 440.5, 1234, 4321])
def test_band_energies_sum_to_the_energy_of_the_signal(hertz):
    """Half-cosine lobes that overlap by half: their squares sum to one wherever the tone lies."""
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(3 * RATE) / RATE)[None]
    energy = (envelopes(recording(tone))[0] ** (2 / 0.3)).mean(axis=1)
    assert energy.sum() == pytest.approx(0.25, rel=0.02)


def test_long_recordings_are_analysed_in_segments_without_seams():
    samples = noise(34, 1, rate=8000)
    whole = envelopes(recording(samples, 8000))[0]
    part = envelopes(recording(samples[:, 8000 * 10 : 8000 * 22], 8000))[0]
    edge = FRAME_RATE // 20
    start = 10 * FRAME_RATE
    inside = slice(200, part.shape[1] - 200)
    aligned = whole[:, start : start + part.shape[1]]
    assert whole.shape[1] == 34 * FRAME_RATE - 2 * edge
    difference = np.abs(aligned[:, inside] - part[:, inside])
    assert difference.mean() < 1e-3
    assert difference.max() < 0.1  # at the sharp dips of compressed envelopes, whose corners alias a little


def test_unit_gains_give_the_signal_back():
    samples = noise(3, 1, channels=2)
    gains = np.ones((2, len(band_edges(RATE / 2)), 3 * FRAME_RATE))
    assert np.array_equal(apply_band_gains(samples, RATE, gains), samples)


def test_a_gain_changes_its_band_only():
    centres = band_edges(RATE / 2)[:, 1]
    near, far = 10, 20
    time = np.arange(3 * RATE) / RATE
    tones = [0.2 * np.sin(2 * np.pi * centres[band] * time) for band in (near, far)]
    gains = np.ones((1, len(centres), 3 * FRAME_RATE))
    gains[0, near] = 2.0
    turned = apply_band_gains(sum(tones)[None].astype(np.float32), RATE, gains)[0]
    inside = slice(RATE // 2, -RATE // 2)  # the ends hear each other
    np.testing.assert_allclose(turned[inside], (2 * tones[0] + tones[1])[inside], atol=2e-3)


@pytest.mark.parametrize("frame_rate", [FRAME_RATE, FRAME_RATE // 2])
def test_varying_gains_appear_in_the_envelopes(frame_rate: int) -> None:
    samples = noise(4, 2)
    course = 1 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(4 * frame_rate) / frame_rate)
    gains = np.broadcast_to(course, (1, len(band_edges(RATE / 2)), len(course)))
    before, after = (
        envelopes(recording(each), frame_rate=frame_rate)[0]
        for each in (samples, apply_band_gains(samples, RATE, gains))
    )
    edge = frame_rate // 20
    high = slice(15, None)  # whose bands follow 3 Hz at once
    ratio = np.exp(np.log(after[high] / before[high]).mean(axis=0) / 0.3)
    np.testing.assert_allclose(ratio, course[edge:-edge], atol=0.06)


def test_gains_are_interpolated_linearly() -> None:
    course = torch.tensor([0.0, 1.0, 2.0, 4.0])
    assert _interpolate(course, 8).tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 4]
    assert _interpolate(course, 4).tolist() == course.tolist()


@pytest.mark.parametrize("floor", [1e-4, 1e-2, 0.5])
def test_silence_has_the_envelopes_of_the_floor(floor: float) -> None:
    found = block_envelopes(np.zeros((1, 2 * RATE), np.float32), RATE, floor)
    assert found == pytest.approx(floor**COMPRESSION, rel=1e-3)
    assert power(found, floor) == pytest.approx(0, abs=1e-2 * floor**2)
