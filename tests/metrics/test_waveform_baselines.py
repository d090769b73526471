"""Waveform baselines: format, level, and their known faults."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.errors import InputError
from audiogen.metrics.copying import RepetitionDetector
from audiogen.metrics.spectra import frame_size
from audiogen.metrics.texture import TextureReference
from audiogen.metrics.waveform_baselines import (
    BASELINES,
    MAX_RADIUS,
    autoregression,
    fit_autoregression,
    loop,
    noise,
    walk,
)
from tests.metrics import signals
from tests.metrics.signals import RATE, impacts, modulated, recording


@pytest.fixture(scope="module")
def swelling():
    """Impacts over noise modulated at 1.5 Hz: prompt and real continuation."""
    whole = modulated(24, 1, 1.5) + impacts(24, 2)
    return recording(whole[:, : 18 * RATE]), recording(whole[:, 18 * RATE :])


@pytest.fixture(scope="module")
def judged(swelling):
    """Texture distance and repetitions of each baseline."""
    prompt, held_out = swelling
    reference, detector = TextureReference(held_out, prompt), RepetitionDetector(prompt)
    found = {}
    for name, baseline in BASELINES.items():
        tail = baseline(prompt, 12, 0)
        found[name] = (reference.distance(tail), detector.copying(tail).fraction, detector.looping(tail).fraction)
    return found


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("channels", [1, 2])
def test_rate_channels_and_level_are_those_of_the_prompt(name, channels):
    prompt = recording(signals.noise(4, 1, channels), 11025)
    tail = BASELINES[name](prompt, 2.5, 1)
    assert (tail.sample_rate, tail.channels, tail.length) == (11025, channels, round(2.5 * 11025))
    assert tail.samples.dtype == np.float32
    assert np.isfinite(tail.samples).all()
    assert 20 * np.log10(np.std(tail.samples) / np.std(prompt.samples)) == pytest.approx(0, abs=1.0)


@pytest.mark.parametrize("name", BASELINES)
def test_seeds_determine_the_tail(name):
    prompt = recording(signals.noise(3, 1))
    one, same, other = (BASELINES[name](prompt, 1, seed).samples for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (name == "loop") == np.array_equal(one, other)


def test_a_loop_is_detected(judged):
    _, copied, looped = judged["loop"]
    assert looped > 0.95
    assert copied > 0.9


def test_a_walk_copies(judged):
    assert judged["walk"][1] > 0.3


def test_grains_lack_slow_modulation(judged):
    distance, copied, looped = judged["grains"]
    assert distance.classes["slow modulation"] == max(distance.classes.values()) > 1.5
    assert copied < 0.1
    assert looped < 0.1


def test_noise_lacks_modulation_moments_and_correlation(judged):
    distance = judged["noise"][0]
    for name in ("modulation", "slow modulation", "moments", "correlation"):
        assert distance.classes[name] > 1.5
    assert judged["noise"][1] < 0.05


def test_autoregression_lacks_moments_and_does_not_copy(judged):
    distance, copied, _ = judged["autoregression"]
    assert distance.overall > 1.1
    assert distance.classes["moments"] > 1.3
    assert copied < 0.1


@pytest.mark.parametrize("correlation", [-1.0, 0.5])
@pytest.mark.parametrize("name", ["grains", "walk", "noise", "autoregression"])
def test_channel_correlations_are_preserved(name, correlation):
    a, b = signals.noise(6, 1, channels=2)
    prompt = recording(np.stack([a, correlation * a + np.sqrt(1 - correlation**2) * b]))
    found = signals.stereo(BASELINES[name](prompt, 4, 0))["correlation"]
    assert found == pytest.approx(correlation, abs=0.15)


def test_shaped_noise_has_the_spectrum_of_the_prompt():
    spectrum = np.fft.rfft(signals.noise(6, 1))
    hertz = np.fft.rfftfreq(6 * RATE, 1 / RATE)
    prompt = recording(np.fft.irfft(spectrum / (1 + (hertz / 500) ** 2)))
    powers = []
    for samples in (prompt.samples, noise(prompt, 6, 3).samples):
        power = np.abs(np.fft.rfft(samples[0])) ** 2
        powers.append([power[(hertz > low) & (hertz < 2 * low)].sum() for low in (60, 250, 1000, 3000)])
    np.testing.assert_allclose(10 * np.log10(powers[1]), 10 * np.log10(powers[0]), atol=1.0)


def test_a_loop_is_seamless():
    """The cross-fade ends at the beginning of the loop: no jump at the period."""
    tone = 0.5 * np.sin(2 * np.pi * 97.3 * np.arange(9 * RATE) / RATE)[None]
    tail = loop(recording(tone), 12).samples[0]
    steps = np.abs(np.diff(tail))
    assert steps.max() < 1.5 * np.abs(np.diff(tone[0])).max()


def test_a_walk_without_jumps_is_the_source(monkeypatch):
    monkeypatch.setattr("audiogen.metrics.waveform_baselines.JUMPS_PER_SECOND", 0.0)
    prompt = recording(signals.noise(6, 1))
    tail = walk(prompt, 1, 3).samples[0]
    best = np.abs(np.correlate(prompt.samples[0], tail[4000:8000], "valid")).max()
    assert best == pytest.approx(float(np.sum(tail[4000:8000] ** 2)), rel=1e-3)


def test_a_known_autoregression_is_recovered_and_an_unstable_one_stabilised():
    generator = np.random.default_rng(0)
    truth = np.array([[0.6, 0.3], [-0.3, 0.6]])
    values = np.zeros((20000, 2))
    for k in range(1, len(values)):
        values[k] = truth @ values[k - 1] + generator.standard_normal(2)
    matrices, residuals = fit_autoregression(values)
    np.testing.assert_allclose(matrices[0], truth, atol=0.03)
    np.testing.assert_allclose(matrices[1:], 0, atol=0.03)
    assert residuals.std() == pytest.approx(1, abs=0.02)
    growing = np.exp(np.linspace(0, 10, 400))[:, None] * generator.standard_normal((1, 3))
    matrices, _ = fit_autoregression(growing + generator.standard_normal((400, 3)))
    companion = np.eye(12, k=-3)
    companion[:3] = np.concatenate(matrices, axis=1)
    assert np.abs(np.linalg.eigvals(companion)).max() <= MAX_RADIUS + 1e-6


def test_short_prompts():
    prompt = recording(signals.noise(0.2, 1))
    for name in ("loop", "grains", "noise"):
        assert BASELINES[name](prompt, 1, 0).length == RATE
    for baseline in (walk, autoregression):
        with pytest.raises(InputError, match="shorter than 1 s"):
            baseline(prompt, 1, 0)


def test_a_walk_uses_all_whole_frames_of_its_prompt(monkeypatch):
    seen = []

    def nearest(frames, position, separation, generator):
        seen.append((len(frames), position))
        return 0

    monkeypatch.setattr("audiogen.metrics.waveform_baselines._similar_frame", nearest)
    prompt = recording(signals.noise(3, 1))
    walk(prompt, 1, 0)
    hop = frame_size(RATE) // 4
    count = (prompt.length - 4 * hop) // hop + 1
    assert seen[0] == (count, count - 1)  # it starts from the last frame
