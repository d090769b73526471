"""Sample-exact repetition in recordings."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.metrics.waveform_repeat import waveform_repeat

RATE = 8000


def noise(seconds: float, seed: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE))).astype(np.float32) * 0.1


def test_a_loop_is_found_with_its_period() -> None:
    loop = np.tile(noise(3, 0), 4)
    found = waveform_repeat(Recording(loop[:, 8 * RATE :], RATE), Recording(loop[:, : 8 * RATE], RATE))
    assert found is not None
    assert found.repeats
    assert found.correlation == pytest.approx(1, abs=1e-6)
    assert found.seconds % 3 == pytest.approx(0, abs=1e-9)


def test_the_correlation_of_a_loop_under_new_sound_is_its_fraction_of_the_power() -> None:
    loop = np.tile(noise(3, 0), 4) + 0.5 * noise(12, 1)
    found = waveform_repeat(Recording(loop[:, 8 * RATE :], RATE), Recording(loop[:, : 8 * RATE], RATE))
    assert found is not None
    assert found.correlation == pytest.approx(1 / 1.25, abs=0.02)


def test_new_noise_of_the_same_kind_is_no_repeat() -> None:
    found = waveform_repeat(Recording(noise(4, 1), RATE), Recording(noise(8, 0), RATE))
    assert found is not None
    assert not found.repeats
    assert found.correlation < 0.1


def test_swapped_channels_are_no_repeat() -> None:
    source = noise(6, 0, channels=2)
    same = waveform_repeat(Recording(source[:, : 3 * RATE], RATE), Recording(source, RATE))
    swapped = waveform_repeat(Recording(source[::-1, : 3 * RATE].copy(), RATE), Recording(source, RATE))
    assert same is not None
    assert same.repeats
    assert swapped is not None
    assert not swapped.repeats


def test_silence_and_short_audio_do_not_repeat() -> None:
    silent = Recording(np.zeros((1, 4 * RATE), np.float32), RATE)
    found = waveform_repeat(silent, silent)
    assert found is not None
    assert found.correlation == 0
    assert waveform_repeat(Recording(noise(0.5, 0), RATE), silent) is None
