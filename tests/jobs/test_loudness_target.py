"""Outputs at a target loudness, with their true peak below -1 dBTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, Writer, info, read
from audiogen.audio.true_peak import TruePeakMeter
from audiogen.jobs.loudness_target import write_at_loudness

RATE = 48000


def tone(hertz: float, peak: float, seconds: float = 3.0, phase: float = 0.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (peak * np.sin(2 * np.pi * hertz * time + phase))[None].astype(np.float32)


def test_true_peak_lies_between_samples() -> None:
    """A tone at a quarter of the rate, sampled at 45 degrees: its samples reach 0.707 of its peak (BS.1770 annex 2)."""
    samples = tone(RATE / 4, 0.5, phase=np.pi / 4)
    fade = np.hanning(2000)[:1000].astype(np.float32)
    samples[:, :1000] *= fade
    samples[:, -1000:] *= fade[::-1]
    assert np.abs(samples).max() == pytest.approx(0.354, abs=0.001)
    meter = TruePeakMeter(RATE, 1)
    for start in range(0, samples.shape[1], 777):
        meter.push(samples[:, start : start + 777])
    assert meter.finish() == pytest.approx(0.5, rel=0.01)


def test_the_target_is_reached(tmp_path: Path, texture: Callable[..., Recording]) -> None:
    prompt, tail = texture(2.0, rate=RATE), texture(4.0, 1, rate=RATE).samples
    with (
        Writer(tmp_path / "out.wav", RATE, 1) as writer,
        pytest.warns(AudioWarning, match="prompt.s level was changed"),
    ):
        level = write_at_loudness(writer, prompt, [tail[:, :50_000], tail[:, 50_000:]], -40.0)
    made = info(tmp_path / "out.wav")
    assert made.loudness_lufs == pytest.approx(-40.0, abs=0.05)
    assert level.lufs == pytest.approx(-40.0, abs=0.05)
    samples = read(tmp_path / "out.wav").samples
    whole = np.concatenate([prompt.samples, tail], axis=1) * 10 ** (level.gain_db / 20)
    np.testing.assert_allclose(samples, whole, atol=2**-22)


def test_the_true_peak_limits_the_gain(tmp_path: Path) -> None:
    sharp = np.zeros((1, 3 * RATE), np.float32)
    sharp[:, ::RATE] = 0.9
    sharp += tone(1000, 0.001)
    with Writer(tmp_path / "out.wav", RATE, 1) as writer, pytest.warns(AudioWarning, match="LUFS instead of -10"):
        level = write_at_loudness(writer, None, [sharp], -10.0)
    assert level.true_peak_dbtp == pytest.approx(-1.0, abs=0.01)


def test_silence_is_left_alone(tmp_path: Path) -> None:
    with Writer(tmp_path / "out.wav", RATE, 2) as writer, pytest.warns(AudioWarning, match="too quiet"):
        level = write_at_loudness(writer, None, [np.zeros((2, RATE), np.float32)], -23.0)
    assert (level.lufs, level.true_peak_dbtp, level.gain_db) == (None, None, 0.0)
