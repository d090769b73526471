"""Morphing: a tail that begins as one recording and ends as another."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from audiogen.audio import Recording, resample
from audiogen.errors import InputError
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.controls import Controls
from audiogen.sound.morph import HOLD_FRACTION, Morph, aligned_blocks, convert_format, mixing_weight

RATE = 44100
Texture = Callable[..., Recording]
Untrained = Callable[..., Run]


def decibels(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def centroid(samples: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(samples[0])) ** 2
    return float(power @ np.fft.rfftfreq(samples.shape[1], 1 / RATE) / power.sum())


@pytest.fixture
def dark(texture: Texture) -> Recording:
    return texture(4.0)


@pytest.fixture
def bright() -> Recording:
    """Differentiated noise, about 12 dB softer than the dark one."""
    draws = np.random.default_rng(3).standard_normal((1, 4 * RATE + 1))
    return Recording((0.01 * np.diff(draws)).astype(np.float32), RATE)


def test_a_morph_leads_from_one_to_the_other(dark: Recording, bright: Recording, untrained: Untrained) -> None:
    morph = Morph(Continuer(untrained(dark), dark), Continuer(untrained(bright), bright))
    tail = np.concatenate(list(morph.tail(8 * RATE)), axis=1)
    assert tail.shape == (1, 8 * RATE)
    fifths = np.array_split(tail, 5, axis=1)
    colours = [centroid(fifth) for fifth in fifths]
    ends = [centroid(recording.samples) for recording in (dark, bright)]
    assert colours[0] == pytest.approx(ends[0], rel=0.3)
    assert colours[-1] == pytest.approx(ends[1], rel=0.2)
    assert all(later > 0.98 * earlier for earlier, later in pairwise(colours))
    levels = [decibels(fifth) for fifth in fifths]
    wanted = [decibels(recording.samples) for recording in (dark, bright)]
    assert levels[0] == pytest.approx(wanted[0], abs=2.5)
    assert levels[-1] == pytest.approx(wanted[1], abs=2.5)
    assert levels[2] == pytest.approx(np.mean(wanted), abs=2.5)  # in dB: not the louder one up to the end
    assert "largest_level_db" in morph.drift_guard


def test_a_morph_into_itself_is_a_continuation(dark: Recording, untrained: Untrained) -> None:
    run = untrained(dark)
    tail = np.concatenate(list(Morph(Continuer(run, dark), Continuer(run, dark)).tail(5 * RATE)), axis=1)
    for part in np.array_split(tail, 5, axis=1):
        assert decibels(part) == pytest.approx(decibels(dark.samples), abs=2.5)


def test_a_morph_is_reproducible_and_takes_controls(dark: Recording, bright: Recording, untrained: Untrained) -> None:
    morph = Morph(Continuer(untrained(dark), dark), Continuer(untrained(bright), bright))
    one, same = (np.concatenate(list(morph.tail(4 * RATE, 2)), axis=1) for _ in range(2))
    assert np.array_equal(one, same)
    louder = np.concatenate(list(morph.tail(4 * RATE, 2, 1.0, Controls(level=6.0))), axis=1)
    assert decibels(louder[:, -RATE // 2 :]) - decibels(one[:, -RATE // 2 :]) == pytest.approx(6, abs=0.1)


def test_other_mel_frames_are_refused(dark: Recording, untrained: Untrained) -> None:
    other = untrained(dark, 0, "representation.spec={hop: 256}")
    with pytest.raises(InputError, match="morph: the mel frames of the two Runs differ"):
        Morph(Continuer(untrained(dark), dark), Continuer(other, dark))


@pytest.mark.parametrize(
    ("has", "wants", "each"),
    [(1, 2, [0, 0]), (2, 2, [0, 1]), (6, 2, [0, 1]), (2, 5, [0, 1, 0, 1, 0]), (2, 1, None)],
)
def test_a_target_is_converted_to_the_prompts_rate_and_channels(
    texture: Texture, has: int, wants: int, each: list[int] | None
) -> None:
    recording = texture(1.0, channels=has, rate=22050)
    made = convert_format(recording, 44100, wants)
    assert (made.channels, made.sample_rate, made.length) == (wants, 44100, 44100)
    expected = recording.samples.mean(0, keepdims=True) if each is None else recording.samples[each]
    assert np.allclose(made.samples, resample(np.ascontiguousarray(expected), 22050, 44100), atol=1e-6)


def test_the_mixing_weight_is_smooth_and_constant_at_both_ends() -> None:
    way = mixing_weight(np.arange(1000), 1000)
    assert not way[: int(1000 * HOLD_FRACTION)].any()
    assert (way[-int(1000 * HOLD_FRACTION) :] == 1).all()
    assert (np.diff(way) >= 0).all()
    assert np.diff(way).max() < 0.01


def test_blocks_of_several_streams_are_aligned() -> None:
    sound = np.arange(20.0).reshape(2, 10)
    streams = ([sound[:, start : start + size] for start in range(0, 10, size)] for size in (3, 4))
    blocks = list(aligned_blocks(*streams))
    assert all(one.shape == other.shape for one, other in blocks)
    assert np.array_equal(np.concatenate([one for one, _ in blocks], axis=1), sound)
    assert np.array_equal(np.concatenate([other for _, other in blocks], axis=1), sound)
