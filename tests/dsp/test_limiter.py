"""The limiter: ceiling, continuous gain, independence of block sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from audiogen.dsp.limiter import HOLD_SECONDS, LookaheadLimiter, limit_peaks, peak_of

RATE = 44100
REACH = round(HOLD_SECONDS * RATE)


def blocks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, samples.shape[1], size):
        yield samples[:, start : start + size]


def noise(seconds: float, channels: int = 2) -> np.ndarray:
    draws = np.random.default_rng(0).standard_normal((channels, round(seconds * RATE)))
    return (0.2 * draws).clip(-0.5, 0.5).astype(np.float32)


def with_peaks(*places: int) -> np.ndarray:
    """Noise within 0.5 with some peaks of up to 0.9 in one channel."""
    samples = noise(1.0)
    for number, place in enumerate(places):
        samples[number % 2, place] = (0.9, -0.7)[number % 2]
    return samples


@pytest.mark.parametrize("size", [1, 100, 4096, RATE, 10 * RATE])
def test_the_sizes_of_the_blocks_change_no_sample(size: int) -> None:
    # Peaks at the very ends, at edges of blocks, close together and alone.
    loud = with_peaks(0, 99, 100, 4095, 4096, 4100, 20_000, RATE - 1)[:, : None if size > 1 else 9000]
    found = list(LookaheadLimiter(0.5, RATE)(blocks(loud, size)))
    assert all(block.shape[1] for block in found)
    limited = np.concatenate(found, axis=1)
    assert limited.dtype == np.float32
    assert np.array_equal(limited, limit_peaks(loud, 0.5, RATE))
    assert not np.array_equal(limited, loud)


@pytest.mark.parametrize("ceiling", [0.0, 1e-6, 0.1, 0.3, 0.5, float(np.float32(0.7))])
def test_no_sample_exceeds_the_ceiling(ceiling: float) -> None:
    loud = with_peaks(0, 1000, 4096, 5000, RATE - 1)
    found = np.concatenate(list(LookaheadLimiter(ceiling, RATE)(blocks(loud, 4096))), axis=1)
    assert found.shape == loud.shape
    assert np.abs(found).max() <= np.float32(ceiling)
    assert np.abs(found).max() > 0.9 * ceiling or ceiling == 0


@pytest.mark.parametrize("size", [100, 4096])
def test_samples_within_the_ceiling_are_not_changed(size: int) -> None:
    quiet = noise(0.5)
    ceiling = peak_of(quiet)
    assert np.array_equal(np.concatenate(list(LookaheadLimiter(ceiling, RATE)(blocks(quiet, size))), axis=1), quiet)
    silence = np.zeros((1, 1000), np.float32)
    assert np.array_equal(limit_peaks(silence, 0.0, RATE), silence)
    wide = quiet.astype(np.float64)
    assert np.array_equal(limit_peaks(wide, 1.0, RATE), wide)


def test_the_gain_is_common_to_all_channels_and_precedes_the_peak() -> None:
    loud = noise(1.0)
    loud[0, 20_000] = 0.7
    found = limit_peaks(loud, 0.5, RATE)
    assert found[0, 20_000] == pytest.approx(0.5, abs=1e-6)
    near = slice(20_000 - 2 * REACH, 20_000 + 2 * REACH + 1)
    assert np.array_equal(np.delete(found, np.r_[near], axis=1), np.delete(loud, np.r_[near], axis=1))
    for channel in range(2):
        gain = found[channel, near].astype(float) / loud[channel, near]
        assert gain.min() == pytest.approx(0.5 / 0.7, abs=1e-3)
        assert gain[0] == pytest.approx(1, abs=1e-3)
        assert gain == pytest.approx(gain[::-1], abs=1e-3)


@pytest.mark.parametrize("place", [4095, 4096, 4097, 8000])
def test_the_gain_does_not_jump_at_the_edge_of_a_block(place: int) -> None:
    """A limiter without memory across blocks would start at full gain."""
    steady = np.full((1, 3 * 4096), 0.5, np.float32)
    loud = steady.copy()
    loud[0, place] = 1.0
    gain = np.concatenate(list(LookaheadLimiter(0.5, RATE)(blocks(loud, 4096))), axis=1)[0] / loud[0]
    assert gain.min() == pytest.approx(0.5)
    assert np.abs(np.diff(gain)).max() < 1.01 * 0.5 / (2 * REACH + 1)


def test_a_tone_beyond_the_ceiling_has_no_click() -> None:
    time = np.arange(RATE) / RATE
    source = (0.5 * np.sin(2 * np.pi * 440 * time))[None].astype(np.float32)
    loud = (source * (1 + 0.4 * np.exp(-(((time - 0.5) / 0.002) ** 2)))).astype(np.float32)
    held = limit_peaks(loud, peak_of(source), RATE)
    assert np.abs(held).max() <= np.abs(source).max()
    assert np.array_equal(held[:, :20000], loud[:, :20000])
    assert np.abs(np.diff(held, 2)).max() < 1.1 * np.abs(np.diff(source, 2)).max()


def test_the_output_lags_by_the_look_ahead_at_most() -> None:
    limiter = LookaheadLimiter(0.5, RATE)
    samples = noise(0.5)
    given = sum(limiter.push(block).shape[1] for block in blocks(samples, 1000))
    assert given == samples.shape[1] - 2 * REACH
    assert limiter.flush().shape == (2, 2 * REACH)
    assert LookaheadLimiter(0.5, RATE).flush().shape[1] == 0


def test_the_peak_of_several_signals() -> None:
    assert peak_of(np.array([[0.1, -0.4]]), np.array([[0.3]])) == pytest.approx(0.4)
    assert peak_of(np.zeros((2, 0)), np.array([[-0.2, 0.1]])) == pytest.approx(0.2)
    assert peak_of() == 0
