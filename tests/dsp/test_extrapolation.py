"""Extrapolation across a join: tones continue, noise does not dip, only the first milliseconds change."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from audiogen.dsp.extrapolation import burg, extrapolate
from audiogen.sound.join import FADE_SECONDS, extrapolate_into

RATE = 44100
FADE = round(FADE_SECONDS * RATE)


def noise(length: int, seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(length)


def joined(past: np.ndarray, tail: np.ndarray) -> np.ndarray:
    return extrapolate_into(past[None].astype(np.float32), tail[None].astype(np.float32), RATE)[0]


def test_burg_equals_librosa() -> None:
    import librosa

    samples = np.convolve(noise(4410, 0), [1, 0.9, 0.5])
    np.testing.assert_allclose(burg(samples, 32), librosa.lpc(samples, order=32), atol=1e-10)


def test_a_tone_is_predictable_and_noise_is_not() -> None:
    time = np.arange(4410 + FADE) / RATE
    tone = np.sin(2 * np.pi * 440 * time)
    expected, predictability = extrapolate(tone[:4410] + 1e-4 * noise(4410, 0), FADE)
    assert np.abs(expected - tone[4410:]).max() < 0.02
    assert predictability.min() > 0.9
    _, predictability = extrapolate(noise(4410, 0), FADE)
    assert predictability.max() < 0.2


@pytest.mark.parametrize("response", [(1.0,), (1.0, 1.8, 1.4, 0.5)])
def test_the_level_of_noise_does_not_dip(response: tuple[float, ...]) -> None:
    powers = []
    for seed in range(40):
        whole = np.convolve(noise(9000, seed), response)[:9000]
        other = np.convolve(noise(2000, 1000 + seed), response)[:2000]
        powers.append(np.square(joined(whole, other)[: FADE + 200]) / np.mean(np.square(whole)))
    level = 10 * np.log10(np.mean(powers, axis=0).reshape(-1)[: FADE // 24 * 24].reshape(-1, 24).mean(axis=1))
    assert np.abs(level[4:]).max() < 1.5  # dB, every half millisecond after the onset of the tail
    assert (10 ** (level[:4] / 10)).mean() > 0.25


def test_a_tail_in_phase_is_unchanged() -> None:
    time = np.arange(9000) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * time)
    np.testing.assert_allclose(joined(tone[:8000], tone[8000:]), tone[8000:], atol=0.01)


def test_a_tone_out_of_phase_makes_no_step() -> None:
    time = np.arange(9000) / RATE
    tone, shifted = (0.3 * np.sin(2 * np.pi * 220 * time + phase) for phase in (0.0, 2.0))
    around = np.concatenate([tone[7900:8000], joined(tone[:8000], shifted[8000:])])
    assert np.abs(np.diff(around)).max() < 1.5 * np.abs(np.diff(tone)).max()


def test_empty_bands_stay_empty() -> None:
    low = scipy.signal.butter(8, 4000, fs=RATE, output="sos")
    whole, other = (scipy.signal.sosfilt(low, noise(9000, seed)) for seed in (0, 1))
    around = np.concatenate([whole[8000:], joined(whole, other[-1000:])])
    high = scipy.signal.sosfilt(scipy.signal.butter(8, 10000, "high", fs=RATE, output="sos"), around)
    assert 20 * np.log10(np.abs(high[500:]).max() / np.abs(around).max()) < -40


def test_only_the_first_milliseconds_change() -> None:
    tail = noise(3000, 1)
    np.testing.assert_array_equal(joined(noise(8000, 0), tail)[FADE:], tail[FADE:].astype(np.float32))


def test_silent_context() -> None:
    assert np.isfinite(joined(np.zeros(8000), noise(2000, 0))).all()
