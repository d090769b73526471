"""Level expansion: the variance of band levels follows the temperature, their power stays."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.representation.cochleagram import COMPRESSION, audibility_floor, block_envelopes
from audiogen.sound.level_expansion import MAX_GAIN, expansion_gains
from tests.metrics.signals import RATE, impacts, modulated, noise

FRAMES = 200


def turned(samples: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Power of bands ``[channels, bands, time]`` before and after."""
    floor = audibility_floor(samples)
    envelope = block_envelopes(samples, RATE, floor, FRAMES)
    gains = expansion_gains(envelope, FRAMES, floor, temperature)
    assert gains.shape == envelope.shape
    power = envelope.astype(float) ** (2 / COMPRESSION)
    return power, power * np.exp(2 * gains)


def level_variance(power: np.ndarray) -> float:
    """Variance of the levels of quarter seconds, dB2, mean over bands."""
    return float(np.var(10 * np.log10(power.reshape(*power.shape[:2], -1, 50).mean(-1)), axis=-1).mean())


@pytest.mark.parametrize("temperature", [0.0, 0.25, 1.0, 2.0, 4.0])
def test_the_variance_of_levels_is_multiplied_by_the_temperature(temperature: float) -> None:
    before, after = turned(modulated(16, 1, 0.5, 0.6), temperature)
    # What is left at 0 is faster than levels are taken.
    assert level_variance(after) == pytest.approx(temperature * level_variance(before), rel=0.15, abs=0.1)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 3.0])
def test_bands_keep_their_power(temperature: float) -> None:
    before, after = turned(impacts(12, 2), temperature)
    assert np.abs(10 * np.log10(after.mean(-1) / before.mean(-1))).max() < 0.01
    assert level_variance(after) != pytest.approx(level_variance(before), rel=0.1)


def test_a_temperature_of_one_changes_nothing() -> None:
    before, after = turned(impacts(12, 2), 1.0)
    assert np.array_equal(before, after)


def test_gains_are_limited() -> None:
    lone = np.zeros((1, 8 * RATE), np.float32)
    lone[:, 3 * RATE : 4 * RATE] = noise(1, 3)
    before, after = turned(lone, 0.0)
    change = 0.5 * np.log(after / before)
    assert np.ptp(change, axis=-1).max() <= 2 * MAX_GAIN + 1e-6
    assert np.isfinite(turned(np.zeros((2, 4 * RATE), np.float32), 3.0)[1]).all()
