"""The level guard corrects drift towards the source's level and image, and leaves everything else unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.sound.level_guard import MAX_LEVEL_DB, LevelGuard

RATE = 8000  # Hz, of the samples


def channels(seconds: float, seed: int, decibels: tuple[float, ...] = (0.0,)) -> np.ndarray:
    """``[channels, time]`` uncorrelated noise, each channel so many dB above 0.1 RMS."""
    draws = np.random.default_rng(seed).standard_normal((len(decibels), round(seconds * RATE))).clip(-3, 3)
    return (0.1 * draws * 10 ** (np.array(decibels)[:, None] / 20)).astype(np.float32)


def held_by(guard: LevelGuard, samples: np.ndarray, block: int = RATE // 2) -> np.ndarray:
    parts = [guard(samples[:, start : start + block]) for start in range(0, samples.shape[1], block)]
    return np.concatenate(parts, axis=1)


def levels(samples: np.ndarray) -> np.ndarray:
    """dB of each channel above 0.1 RMS."""
    return 10 * np.log10(np.square(samples, dtype=np.float64).mean(axis=1)) + 20


def end(samples: np.ndarray) -> np.ndarray:
    """The last 5 s, once the guard has settled."""
    return samples[:, -5 * RATE :]


@pytest.mark.parametrize("off", [-5.0, -3.0, 2.0, 5.0])
def test_a_wrong_level_is_corrected_slowly(off: float) -> None:
    guard = LevelGuard(channels(20, 0), RATE, RATE)
    drifted = channels(60, 1, (off,))
    held = held_by(guard, drifted)
    assert levels(end(drifted)) == pytest.approx([off], abs=0.15)
    assert levels(end(held)) == pytest.approx([0.0], abs=0.15)
    assert guard.largest == pytest.approx(abs(off), abs=0.3)
    # Slowly, since a swell would belong to the texture.
    early, late = (levels(held[:, first * RATE : (first + 1) * RATE])[0] for first in (0, 10))
    assert abs(early) > 0.7 * abs(off)
    assert abs(late) < 0.35 * abs(off)


@pytest.mark.parametrize("off", [-12.0, 12.0])
def test_the_level_is_corrected_by_six_decibels_at_most(off: float) -> None:
    guard = LevelGuard(channels(20, 0), RATE, RATE)
    held = held_by(guard, channels(60, 1, (off,)))
    assert levels(end(held)) == pytest.approx([off - np.sign(off) * MAX_LEVEL_DB], abs=0.15)
    assert guard.largest == pytest.approx(MAX_LEVEL_DB)


def test_each_axis_of_the_stereo_image_is_corrected_by_its_own_amount() -> None:
    guard = LevelGuard(channels(20, 0, (0.0, -10.0)), RATE, RATE)
    held = held_by(guard, channels(60, 1, (4.0, -14.0)))
    assert levels(end(held)) == pytest.approx([0.0, -10.0], abs=0.2)
    held = held_by(LevelGuard(channels(20, 0, (0.0, -10.0)), RATE, RATE), channels(60, 1, (-3.0, -7.0)))
    assert levels(end(held)) == pytest.approx([0.0, -10.0], abs=0.2)


def test_a_narrowed_image_is_widened_again() -> None:
    guard = LevelGuard(channels(20, 0, (0.0, 0.0)), RATE, RATE)
    own = channels(60, 1, (0.0, 0.0))
    narrow = np.array([[0.95, 0.3122], [0.3122, 0.95]], np.float32) @ own  # of one power, correlated
    held = held_by(guard, narrow)
    assert np.corrcoef(end(narrow))[0, 1] == pytest.approx(0.59, abs=0.03)
    assert np.corrcoef(end(held))[0, 1] == pytest.approx(0.0, abs=0.06)
    assert levels(end(held)) == pytest.approx([0.0, 0.0], abs=0.2)


def test_equal_covariance_is_not_changed() -> None:
    guard = LevelGuard(channels(60, 0, (0.0, -10.0)), RATE, RATE)
    more = channels(60, 1, (0.0, -10.0))
    assert np.abs(levels(held_by(guard, more)) - levels(more)).max() < 0.05
    assert guard.largest < 0.2


def drips(seconds: float, seed: int, every: float) -> np.ndarray:
    """Faint noise, and each so many seconds a drip 60 dB above it."""
    samples = 0.01 * channels(seconds, seed)
    for start in range(0, samples.shape[1] - RATE // 5, round(every * RATE)):
        samples[:, start : start + RATE // 5] *= 1000 * np.exp(-np.arange(RATE // 5) / (RATE / 25))
    return samples.astype(np.float32)


def bed(samples: np.ndarray) -> float:
    """Median level of tenths of a second, dB."""
    return float(
        np.median([levels(samples[:, start : start + RATE // 10]) for start in range(0, 30 * RATE, RATE // 10)])
    )


@pytest.mark.parametrize("every", [0.5, 4.0])
def test_what_lies_between_events_keeps_its_level_whether_they_come(every: float) -> None:
    guard = LevelGuard(drips(20, 0, 1.0), RATE, RATE)
    tail = drips(40, 1, every)
    held = held_by(guard, tail)
    assert bed(held[:, -30 * RATE :]) == pytest.approx(bed(tail[:, -30 * RATE :]), abs=0.5)


def test_an_end_without_an_event_is_no_fade() -> None:
    silent_end = np.concatenate([drips(20, 0, 1.0), 0.01 * channels(5, 1)], axis=1)
    guard = LevelGuard(silent_end, RATE, RATE)
    tail = drips(40, 2, 1.0)
    assert levels(end(held_by(guard, tail))) == pytest.approx(levels(end(tail)), abs=0.6)


def test_the_target_level_is_near_that_of_the_end() -> None:
    """A recording that fades out cannot continue at its mean level."""
    fading = np.concatenate([channels(15, 0), channels(5, 1, (-8.0,))], axis=1)
    held = held_by(LevelGuard(fading, RATE, RATE), channels(60, 2, (-8.0,)))
    assert levels(end(held)) == pytest.approx([-7.0], abs=0.15)
    rising = np.concatenate([channels(15, 0, (-8.0,)), channels(5, 1)], axis=1)
    held = held_by(LevelGuard(rising, RATE, RATE), channels(60, 2))
    assert levels(end(held)) == pytest.approx([-1.0], abs=0.15)


def test_amplification_makes_no_peak_beyond_the_sources() -> None:
    source = channels(20, 0)
    quiet = channels(60, 1, (-5.0,))
    quiet[:, ::4000] = 0.28  # within the source's 0.3
    assert np.abs(held_by(LevelGuard(source, RATE, RATE), quiet)).max() <= np.abs(source).max() * (1 + 1e-6)


def test_the_gain_glides_from_block_to_block() -> None:
    guard = LevelGuard(channels(20, 0), RATE, RATE)
    constant = np.full((1, 4 * RATE), 0.2, np.float32)  # 6 dB too loud
    held = held_by(guard, constant)[0]
    assert np.abs(np.diff(held)).max() < 0.2 / 1000
    assert held[0] == pytest.approx(0.2, rel=1e-3)
    assert (np.diff(held) <= 0).all()
    assert held[-1] < 0.15


def test_silence_stays_silent() -> None:
    held = held_by(LevelGuard(channels(20, 0), RATE, RATE), np.zeros((1, 10 * RATE), np.float32))
    assert not held.any()
    held = held_by(LevelGuard(np.zeros((1, RATE), np.float32), RATE, RATE), np.zeros((1, RATE), np.float32))
    assert not held.any()


def test_a_rotated_source_corrects_the_channels_it_was_rotated_from() -> None:
    rotation = np.array([[0.8, 0.6], [0.6, -0.8]], np.float32)
    principal, drifted = channels(20, 0, (0.0, -10.0)), rotation.T @ channels(60, 1, (3.0, -12.0))
    held = held_by(LevelGuard(principal, RATE, RATE, rotation=rotation), drifted)
    assert levels(rotation @ end(held)) == pytest.approx([0.0, -10.0], abs=0.2)
