"""Resampling tested by physics: a tone in the band passes, one beyond it dies, lengths are exact."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import Resampler, resample, resampled_length

RATES = [(44100, 48000), (48000, 44100), (37123, 44100), (8000, 44100), (192000, 44100), (44100, 22050)]


def sine(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype("f4")[None]


def inner(samples: np.ndarray, rate: int) -> np.ndarray:
    """Without 0.1 s at either end, where the filter meets silence."""
    return samples[:, rate // 10 : -rate // 10]


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
@pytest.mark.parametrize(("share", "decibels"), [(0.02, -120), (0.5, -120), (0.9, -60)])  # -60: within 0.01 dB
def test_a_tone_below_both_nyquist_frequencies_is_the_same_tone(
    rate_in: int, rate_out: int, share: float, decibels: float
) -> None:
    hertz = share * min(rate_in, rate_out) / 2
    out = inner(resample(sine(hertz, rate_in), rate_in, rate_out), rate_out)
    error = out - inner(sine(hertz, rate_out), rate_out)
    assert 20 * np.log10(np.abs(error).max()) < decibels  # level, frequency and phase at once


@pytest.mark.parametrize(("rate_in", "hertz"), [(48000, 23000), (192000, 30000), (192000, 80000)])
def test_a_tone_above_the_new_nyquist_frequency_dies(rate_in: int, hertz: float) -> None:
    out = inner(resample(sine(hertz, rate_in), rate_in, 44100), 44100)
    assert 20 * np.log10(np.abs(out).max()) < -120


def test_constants_survive() -> None:
    out = inner(resample(np.full((2, 44100), 0.5, "f4"), 44100, 48000), 48000)
    np.testing.assert_allclose(out, 0.5, atol=1e-6)


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
@pytest.mark.parametrize("length", [0, 1, 2, 500, 10007])
def test_lengths_are_exact(rate_in: int, rate_out: int, length: int) -> None:
    out = resample(np.ones((2, length), "f4"), rate_in, rate_out)
    assert out.dtype == np.float32
    assert out.shape == (2, resampled_length(length, rate_in, rate_out))
    assert abs(out.shape[1] - length * rate_out / rate_in) <= 0.5


@pytest.mark.parametrize("sizes", [[1], [997], [1, 5000, 3], [1 << 20]])
def test_streaming_equals_offline(sizes: list[int]) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (2, 20011)).astype("f4")
    stream, parts, start, turn = Resampler(37123, 44100, 2), [], 0, 0
    while start < samples.shape[1]:
        size = sizes[turn % len(sizes)]
        parts.append(stream.push(samples[:, start : start + size]))
        start, turn = start + size, turn + 1
    parts.append(stream.finish())
    np.testing.assert_allclose(np.concatenate(parts, axis=1), resample(samples, 37123, 44100), atol=1e-6)


def test_a_stream_has_a_fixed_delay() -> None:
    stream, delays = Resampler(48000, 44100, 1), []
    for _ in range(50):
        stream.push(np.zeros((1, 9600), "f4"))
        delays.append(resampled_length(stream._samples_in, 48000, 44100) - stream._samples_out)
    assert max(delays[5:]) < 20000


def test_equal_rates_give_the_samples_back() -> None:
    samples = sine(440, 8000)
    assert resample(samples, 8000, 8000) is samples
    stream = Resampler(8000, 8000, 1)
    np.testing.assert_array_equal(np.concatenate([stream.push(samples), stream.finish()], axis=1), samples)


def test_wrong_shapes_and_rates_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[2, time\]"):
        Resampler(8000, 16000, 2).push(np.zeros((1, 5), "f4"))
    with pytest.raises(ValueError, match="positive"):
        Resampler(8000, 0, 1)
