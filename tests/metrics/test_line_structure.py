"""Tonality distance of tones whose depth, width and jitter are known."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.metrics.line_structure import TonalityReference, find_lines
from tests.metrics.signals import RATE, noise, recording

PARTIALS = (220.0, 440.0, 660.0, 1210.0)


def tones(seconds: float, seed: int, level: float = 0.1, wander: float = 0.0, rate: float = 2.0) -> np.ndarray:
    """Partials over noise; their common pitch moves by ``wander`` (relative, RMS), at about ``rate`` Hz."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    rates, phases = rate * generator.uniform(0.7, 1.3, 4), generator.uniform(0, 2 * np.pi, 4)
    movement = sum(np.sin(2 * np.pi * r * time + p) for r, p in zip(rates, phases, strict=True)) / np.sqrt(2)
    phase = 2 * np.pi * np.cumsum(1 + wander * movement) / RATE
    starts = generator.uniform(0, 2 * np.pi, len(PARTIALS))
    return level * sum(np.sin(f * phase + s) for f, s in zip(PARTIALS, starts, strict=True)) + 0.1 * noise(
        seconds, seed + 100
    )


def narrow_noise(seconds: float, seed: int) -> np.ndarray:
    """Bands of noise, 10 Hz wide, of the power of the partials: their third octaves are the same."""
    count = int(seconds * RATE)
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    result = 0.1 * noise(seconds, seed + 100)
    for partial in PARTIALS:
        band = np.fft.irfft(np.where(np.abs(hertz - partial) < 5, spectrum, 0), count)
        result = result + 0.1 * np.sqrt(0.5) * band / band.std()
    return result


@pytest.fixture(scope="module")
def reference() -> TonalityReference:
    return TonalityReference(recording(tones(8, 1)), recording(tones(24, 2)))


def test_lines_are_found_where_they_are(reference: TonalityReference) -> None:
    hertz = reference.lines * reference.bin_hertz
    assert [min(abs(hertz - partial)) < reference.bin_hertz for partial in PARTIALS] == [True] * 4
    assert len(find_lines(np.ones(2000) + 0.1 * np.random.default_rng(0).random(2000), 2.7)) == 0


def test_another_part_of_the_same_sound_is_at_1(reference: TonalityReference) -> None:
    distances = [reference.distance(recording(tones(8, seed))).overall for seed in range(10, 14)]
    assert np.mean(distances) == pytest.approx(1.0, abs=0.25)


def test_lines_that_became_noise_are_far(reference: TonalityReference) -> None:
    classes = reference.distance(recording(narrow_noise(8, 3))).classes
    assert min(classes["width"], classes["jitter"]) > 3


def test_shallower_lines_are_far_in_depth(reference: TonalityReference) -> None:
    classes = reference.distance(recording(tones(8, 3, level=0.05))).classes
    assert classes["depth"] > 3
    assert classes["depth"] > 3 * classes["width"]


def test_wandering_lines_are_far_in_jitter_and_equal_wander_is_not(reference: TonalityReference) -> None:
    assert reference.distance(recording(tones(8, 3, wander=0.003))).classes["jitter"] > 3
    wandering = TonalityReference(recording(tones(8, 1, wander=0.003)), recording(tones(24, 2, wander=0.003)))
    same = [wandering.distance(recording(tones(8, seed, wander=0.003))).overall for seed in range(10, 13)]
    assert np.mean(same) == pytest.approx(1.0, abs=0.35)
    assert wandering.distance(recording(tones(8, 3))).classes["jitter"] > 2


def test_noise_has_no_lines_and_is_compared_by_flatness() -> None:
    reference = TonalityReference(recording(noise(8, 1)), recording(noise(24, 2)))
    found = reference.distance(recording(noise(8, 3)))
    assert set(found.classes) == {"flatness"}
    assert found.overall == pytest.approx(1.0, abs=0.4)
    assert reference.distance(recording(tones(8, 3))).overall > 3
