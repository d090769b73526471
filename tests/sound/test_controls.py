"""Controls: each changes the tail as it says, ramped up from the join, and not at all at its default."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectral_tilt import spectral_tilt
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.controls import RAMP_SECONDS, Controls, Gain, SpectralTilt, tilt_filter
from audiogen.sound.patch_selection import PatchSelector

RATE = 44100
Texture = Callable[..., Recording]
Untrained = Callable[..., Run]


def decibels(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def tail_of(continuer: Continuer, seconds: float, controls: Controls) -> np.ndarray:
    return np.concatenate(list(continuer.tail(round(seconds * RATE), 0, 1.0, controls)), axis=1)


def pieces_of(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[:, start : start + size] for start in range(0, samples.shape[1], size)]


def noise(seconds: float, channels: int = 2) -> np.ndarray:
    draws = np.random.default_rng(0).standard_normal((channels, round(seconds * RATE)))
    return (0.1 * draws).astype(np.float32)


@pytest.mark.parametrize("slope", [-6.0, -1.5, 3.0])
def test_a_tilt_has_its_slope_and_keeps_the_level(slope: float) -> None:
    source, after = noise(2.0), round(RAMP_SECONDS * RATE)
    tilt = SpectralTilt(slope, source, RATE)
    control = tilt.after(source)
    sound = noise(6.0)
    tilted = np.concatenate([control(piece) for piece in pieces_of(sound, 10_007)], axis=1)
    found = spectral_tilt(Recording(tilted[:, after:], RATE), Recording(sound[:, after:], RATE))
    audible = (found.hertz > 80) & (found.hertz < 18_000)
    line = np.polynomial.polynomial.polyfit(np.log2(found.hertz[audible]), found.difference[audible], 1)
    assert line[1] == pytest.approx(slope, abs=0.15)
    assert decibels(tilted[:, after:]) == pytest.approx(decibels(sound), abs=0.2)
    assert decibels(tilt.reference) == pytest.approx(decibels(source), abs=0.01)


def test_block_sizes_make_no_difference() -> None:
    sound = noise(1.0)
    for make in (lambda: SpectralTilt(2.0, noise(0.5), RATE).after(noise(0.5)), lambda: Gain(-6.0, RATE)):
        whole, pieces = make()(sound), make()
        assert np.allclose(np.concatenate([pieces(p) for p in pieces_of(sound, 999)], axis=1), whole, atol=1e-6)


def test_controls_ramp_up_from_the_join() -> None:
    sound = noise(4.0)
    for control in (SpectralTilt(4.0, sound, RATE).after(sound), Gain(12.0, RATE)):
        changed = control(sound)
        first, half = RATE // 50, round(RAMP_SECONDS * RATE / 2)
        assert np.abs(changed[:, :first] - sound[:, :first]).max() < 0.001
        step = np.abs(np.diff(changed[:, :half])).max() / np.abs(np.diff(sound[:, :half])).max()
        assert step < 10 ** (12 / 20)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_level_is_reached(texture: Texture, untrained: Untrained, channels: int) -> None:
    prompt = texture(4.0, channels=channels)
    continuer = Continuer(untrained(prompt), prompt)
    plain = tail_of(continuer, 3.3, Controls())[:, 3 * RATE :]
    for level in (-12.0, 6.0):
        changed = tail_of(continuer, 3.3, Controls(level=level))[:, 3 * RATE :]
        assert decibels(changed) - decibels(plain) == pytest.approx(level, abs=0.01)


def test_brightness_is_monotone_at_the_level_of_the_prompt(texture: Texture, untrained: Untrained) -> None:
    prompt = texture(4.0)
    continuer = Continuer(untrained(prompt), prompt)
    plain = Recording(tail_of(continuer, 4.0, Controls())[:, 3 * RATE :], RATE)
    tilts = []
    for brightness in (-3.0, -1.0, 2.0):
        changed = Recording(tail_of(continuer, 4.0, Controls(brightness=brightness))[:, 3 * RATE :], RATE)
        tilts.append(spectral_tilt(changed, plain).slope)
        assert decibels(changed.samples) == pytest.approx(decibels(plain.samples), abs=1.5)
    assert all(one < other - 0.8 for one, other in pairwise(tilts))


def test_at_their_defaults_nothing_changes(texture: Texture, untrained: Untrained) -> None:
    prompt = texture(3.0)
    continuer = Continuer(untrained(prompt), prompt)
    plain = PatchSelector(continuer.predictor.representation, continuer.predictor.material, continuer.predictor.centre)
    biased = continuer.predictor.selection(1.0)
    assert torch.equal(plain.mean, biased.mean)
    sound = prompt.samples
    tilt = SpectralTilt(0.0, sound, RATE)
    assert Gain(0.0, RATE)(sound) is sound
    assert tilt.after(sound)(sound) is sound
    assert tilt.reference is sound
    assert tilt.whole(sound) is sound


@pytest.mark.parametrize("values", [{"level": 99}, {"brightness": -7}, {"density": 0.0}, {"density": float("nan")}])
def test_values_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(values))}: .*out of range; choose from "):
        Controls(**values)


@pytest.mark.parametrize("slope", [-3.0, 4.0])
def test_the_tilt_is_flat_below_forty_hertz(slope: float) -> None:
    response = 20 * np.log10(np.abs(np.fft.rfft(tilt_filter(slope, 8000), 8000)))  # one bin per Hz
    for hertz, wanted in ((10, 40), (20, 40), (60, 60), (100, 100), (500, 500), (1000, 1000), (3000, 3000)):
        assert response[hertz] == pytest.approx(slope * np.log2(wanted / 1000), abs=0.6), hertz
