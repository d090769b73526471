"""Loudness and levels compared with their definitions: sines, the tables of ITU-R BS.1770-4, and torchaudio."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from audiogen.audio import AudioWarning, LoudnessMeter, Recording, info, write
from audiogen.audio.loudness import k_weighting

RATE = 48000


def sine(hertz: float, seconds: float, level: float = 1.0, rate: int = RATE) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)[None]


def loudness(samples: np.ndarray, rate: int = RATE, block: int = 10_007) -> float | None:
    meter = LoudnessMeter(rate, samples.shape[0])
    for start in range(0, samples.shape[1], block):
        meter.push(samples[:, start : start + block])
    return meter.integrated()


def test_k_weighting_at_48_khz_is_the_standards_table() -> None:
    (shelf_b, shelf_a), (pass_b, pass_a) = k_weighting(48000)
    np.testing.assert_allclose(shelf_b, [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-11)
    np.testing.assert_allclose(shelf_a, [1.0, -1.69065929318241, 0.73248077421585], atol=1e-11)
    np.testing.assert_allclose(pass_b, [1.0, -2.0, 1.0])
    np.testing.assert_allclose(pass_a, [1.0, -1.99004745483398, 0.99007225036621], atol=1e-11)


@pytest.mark.parametrize("rate", [8000, 22050, 37123, 44100, 48000, 192000])
def test_a_full_scale_997_hz_sine_reads_minus_3_01(rate: int) -> None:
    assert loudness(sine(997, 3.0, rate=rate), rate) == pytest.approx(-3.01, abs=0.1)


def test_stereo_and_surround_weights() -> None:
    tone = sine(997, 2.0, 0.1)
    stereo = loudness(np.repeat(tone, 2, axis=0))
    assert stereo == pytest.approx(-20.0, abs=0.05)
    six = np.zeros((6, tone.shape[1]))
    six[3] = tone  # the low-frequency channel does not count
    assert loudness(six) is None
    six[4] = tone
    assert loudness(six) == pytest.approx(-23.01 + 10 * np.log10(1.41), abs=0.05)


def test_gates_exclude_silence_and_quiet_passages() -> None:
    loud, quiet = sine(997, 5.0, 0.1), sine(997, 5.0, 0.01)
    expected = loudness(loud)
    assert loudness(np.concatenate([loud, 0 * loud], axis=1)) == pytest.approx(expected, abs=0.2)
    assert loudness(np.concatenate([loud, quiet], axis=1)) == pytest.approx(expected, abs=0.2)


def test_sizes_of_blocks_do_not_matter() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (2, 3 * RATE))
    assert loudness(samples, block=317) == pytest.approx(loudness(samples, block=10**6), abs=1e-9)


def test_loudness_agrees_with_torchaudio(torchaudio: ModuleType) -> None:
    import torch

    samples = np.random.default_rng(0).normal(0, 0.05, (2, 10 * RATE)) * np.linspace(0.1, 1, 10 * RATE)
    theirs = torchaudio.functional.loudness(torch.from_numpy(samples), RATE)
    assert loudness(samples) == pytest.approx(float(theirs), abs=0.1)


def test_info_of_a_sine(tmp_path: Path) -> None:
    samples = (0.1 + sine(1000, 2.0, 0.5)).astype("f4")
    write(tmp_path / "a.wav", Recording(samples, RATE))
    facts = info(tmp_path / "a.wav")
    assert (facts.format, facts.subtype, facts.sample_rate, facts.channels) == ("WAV", "PCM_24", RATE, 1)
    assert (facts.length, facts.seconds) == (2 * RATE, 2.0)
    assert facts.peak_dbfs == pytest.approx(20 * np.log10(0.6), abs=0.001)
    assert facts.rms_dbfs == pytest.approx(10 * np.log10(0.125 + 0.01), abs=0.001)
    assert facts.dc == pytest.approx([0.1], abs=1e-4)
    assert facts.loudness_lufs == pytest.approx(-9.0, abs=0.15)
    assert (facts.clipped, facts.over_full_scale, facts.nonfinite) == (0, 0, 0)


def test_info_of_silence_and_of_one_sample_has_no_levels(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", Recording(np.zeros((1, RATE), "f4"), RATE), exact=True)
    facts = info(tmp_path / "a.wav")
    assert (facts.peak_dbfs, facts.rms_dbfs, facts.loudness_lufs) == (None, None, None)
    write(tmp_path / "b.wav", Recording(np.full((1, 1), 0.5, "f4"), RATE), exact=True)
    facts = info(tmp_path / "b.wav")
    assert facts.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert facts.loudness_lufs is None


def test_info_counts_defects(tmp_path: Path) -> None:
    samples = np.zeros((1, 1000), "f4")
    samples[0, 10:20], samples[0, 100], samples[0, 200:205] = 1.0, 1.5, np.nan
    import soundfile

    soundfile.write(tmp_path / "a.wav", samples.T, RATE, subtype="FLOAT")
    with pytest.warns(AudioWarning) as caught:
        facts = info(tmp_path / "a.wav")
    assert (facts.clipped, facts.over_full_scale, facts.nonfinite) == (8, 1, 5)
    assert len(caught) == 3
