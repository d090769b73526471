"""Tonal-to-noise ratio of tones in noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audiogen.metrics.tonality import MIN_RATIO_DB, line_energy, tonal_to_noise
from tests.metrics.signals import noise


def tones(seconds: float, rate: int, *hertz: float) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return sum(np.sin(2 * np.pi * f * time + f) for f in hertz)[None].astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
@pytest.mark.parametrize("decibels", [0.0, 10.0, 20.0])
def test_a_tone_in_noise_has_its_own_ratio(rate: int, decibels: float) -> None:
    hiss = noise(4, 1, rate=rate)  # of 0.1 RMS
    tone = 0.1 * math.sqrt(2) * 10 ** (decibels / 20) * tones(4, rate, 1000.3)
    assert tonal_to_noise(*line_energy(tone + hiss, rate)) == pytest.approx(decibels, abs=0.5)


def test_noise_has_the_minimum_and_a_pure_tone_the_maximum() -> None:
    assert tonal_to_noise(*line_energy(noise(4, 1), 16000)) < -15
    assert tonal_to_noise(*line_energy(tones(4, 16000, 440.0, 880.5), 16000)) > 30
    assert math.isnan(tonal_to_noise(*line_energy(np.zeros((2, 16000), np.float32), 16000)))
    assert tonal_to_noise(0.0, 1.0) == MIN_RATIO_DB


def test_a_partial_that_became_narrow_band_noise_is_no_tone() -> None:
    """Noise one semitone wide around 440 Hz: it has the third-octave levels of a tone."""
    spectrum = np.fft.rfft(noise(8, 2)[0])
    hertz = np.fft.rfftfreq(8 * 16000, 1 / 16000)
    narrow = np.fft.irfft(np.where(np.abs(hertz - 440) < 60, spectrum, 0.001 * spectrum))[None].astype(np.float32)
    assert tonal_to_noise(*line_energy(narrow, 16000)) < 12
    assert tonal_to_noise(*line_energy(tones(8, 16000, 440.0) + 0.001 * noise(8, 2), 16000)) > 30


def test_channels_are_summed_and_less_than_a_frame_is_zero() -> None:
    both = np.concatenate([tones(2, 16000, 500.0), noise(2, 3)])
    lines, rest = line_energy(both, 16000)
    assert lines == pytest.approx(line_energy(both[:1], 16000)[0], rel=0.02)
    assert rest == pytest.approx(line_energy(both[1:], 16000)[1], rel=0.02)
    assert line_energy(np.ones((1, 1000), np.float32), 16000) == (0.0, 0.0)
