"""Continuation: lengths, determinism, channels, levels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from audiogen.audio import Recording
from audiogen.experiment import Experiment
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.training.trainer import train

Texture = Callable[..., Recording]
Tiny = Callable[..., Experiment]


def decibels(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def tail_of(continuer: Continuer, length: int, seed: int = 0, temperature: float = 1.0) -> np.ndarray:
    return np.concatenate(list(continuer.tail(length, seed, temperature)), axis=1)


def stereo_texture(texture: Texture, correlation: float) -> Recording:
    left, other = texture(4.0, 1).samples[0], texture(4.0, 2).samples[0]
    right = correlation * left + np.sqrt(1 - correlation**2) * other
    return Recording(np.stack([left, right]).astype(np.float32), 44100)


@pytest.fixture(scope="module")
def trained() -> Callable[[Recording, Experiment], Run]:
    runs: dict[tuple[int, str], Run] = {}

    def get(prompt: Recording, experiment: Experiment) -> Run:
        key = (hash(prompt.samples.tobytes()), str(experiment))
        if key not in runs:
            runs[key] = train(experiment, prompt)
        return runs[key]

    return get


@pytest.mark.parametrize("rate", [44100, 48000, 37123, 8000])
def test_exact_length_at_any_rate(texture: Texture, tiny: Tiny, trained: Callable, rate: int) -> None:
    prompt = texture(3.0, rate=rate)
    run = trained(prompt, tiny("training.steps=3"))
    for length in (1, 777, rate + 13):
        tail = tail_of(Continuer(run, prompt), length)
        assert tail.shape == (1, length)
        assert np.isfinite(tail).all()


def test_same_seed_same_samples_and_a_shorter_tail_is_its_beginning(
    texture: Texture, tiny: Tiny, trained: Callable
) -> None:
    prompt = texture(3.0)
    continuer = Continuer(trained(prompt, tiny()), prompt)
    long = tail_of(continuer, 60_000, seed=3)
    assert np.array_equal(long, tail_of(continuer, 60_000, seed=3))
    assert np.array_equal(long[:, :20_001], tail_of(continuer, 20_001, seed=3))
    assert np.abs(long - tail_of(continuer, 60_000, seed=4)).max() > 1e-3


@pytest.mark.parametrize("correlation", [0.8, 0.0, -0.9])
def test_stereo_is_correlated_as_in_the_source(
    texture: Texture, tiny: Tiny, trained: Callable, correlation: float
) -> None:
    prompt = stereo_texture(texture, correlation)
    tail = tail_of(Continuer(trained(prompt, tiny()), prompt), 3 * 44100)
    assert np.corrcoef(tail)[0, 1] == pytest.approx(np.corrcoef(prompt.samples)[0, 1], abs=0.15)


def test_channels_that_are_not_modelled_follow_the_source(texture: Texture, tiny: Tiny, trained: Callable) -> None:
    base = texture(4.0, channels=1).samples[0]
    prompt = Recording(np.stack([base, 0.5 * base, texture(4.0, 5).samples[0], 0 * base]).astype(np.float32), 44100)
    tail = tail_of(Continuer(trained(prompt, tiny()), prompt), 2 * 44100)
    assert tail.shape[0] == 4
    assert np.corrcoef(tail[:2])[0, 1] > 0.95
    assert abs(decibels(tail[2]) - decibels(prompt.samples[2])) < 4
    assert decibels(tail[3]) < decibels(tail[0]) - 50


def test_level_stays_near_that_of_the_prompt(texture: Texture, tiny: Tiny, trained: Callable) -> None:
    prompt = texture(4.0)
    tail = tail_of(Continuer(trained(prompt, tiny()), prompt), 10 * 44100)
    assert abs(decibels(tail) - decibels(prompt.samples)) < 2
    assert np.abs(tail).max() < 2 * np.abs(prompt.samples).max()


def test_silence_is_continued_by_silence(texture: Texture, tiny: Tiny, trained: Callable) -> None:
    sound = texture(3.0)
    silent = Recording(np.zeros((2, 44100), np.float32), 44100)
    assert not tail_of(Continuer(trained(sound, tiny()), silent), 5000).any()


def test_a_tiny_prompt_is_refused(tiny: Tiny) -> None:
    from audiogen.errors import InputError

    with pytest.raises(InputError, match="too short"):
        train(tiny(), Recording(np.ones((1, 500), np.float32), 44100))


@pytest.mark.parametrize("vocoder", ["source", "griffin_lim"])
def test_no_step_at_the_join(texture: Texture, tiny: Tiny, trained: Callable, vocoder: str) -> None:
    time = np.arange(4 * 44100) / 44100
    hum = sum(np.sin(2 * np.pi * 110 * k * time) / k for k in range(1, 6))
    prompt = Recording((0.1 * hum + 0.001 * texture(4.0).samples[0])[None].astype(np.float32), 44100)
    tail = tail_of(Continuer(trained(prompt, tiny()), prompt, vocoder), 8000)
    joined = np.concatenate([prompt.samples[0, -8000:], tail[0]])
    steps = np.abs(np.diff(joined, 2))
    assert steps[7990:8010].max() <= 1.5 * steps[:7900].max()


def test_swells_grow_with_the_temperature(texture: Texture, untrained: Callable[..., Run]) -> None:
    swell = 1 + 0.6 * np.sin(2 * np.pi * np.arange(6 * 44100) / 44100)
    prompt = Recording((texture(6.0).samples * swell).astype(np.float32), 44100)
    continuer = Continuer(untrained(prompt), prompt)
    found = []
    for temperature in (0.0, 1.0, 2.0):
        tail = np.concatenate(list(continuer.tail(4 * 44100, 0, temperature)), axis=1)
        power = np.square(tail[0, 44100:]).reshape(-1, 4410).mean(1)  # after the transition
        found.append(float(np.var(10 * np.log10(power))))
    assert found == sorted(found)
    assert found[-1] > 3 * found[0]


def test_temperature_widens_the_predicted_frames(texture: Texture, tiny: Tiny, trained: Callable) -> None:
    """Which matters in morphs, and without texture matching."""
    prompt = texture(6.0)
    continuer = Continuer(trained(prompt, tiny("training.steps=60", "model.head={kind: mixture}")), prompt)
    variances = []
    for temperature in (0.0, 1.0, 3.0):
        chunks = continuer.frames_after(0, temperature)
        variances.append(float(torch.cat([next(chunks).frames for _ in range(8)]).var(0).mean()))
    assert variances == sorted(variances)
    assert variances[-1] > 1.2 * variances[0]
