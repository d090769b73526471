"""Ambience: only what lies between events is taken, at its own level and spectrum."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import InputError
from audiogen.sound.ambience import band_levels, extract_ambience

RATE = 22050


def room(seconds: float = 16.0, seed: int = 0) -> np.ndarray:
    """Room tone ``[1, time]``: rumble, and a hum of 100 Hz."""
    generator = np.random.default_rng(seed)
    length = round(seconds * RATE)
    frequencies = np.fft.rfftfreq(length, 1 / RATE)
    spectrum = np.fft.rfft(generator.standard_normal((1, length))) / (1 + frequencies / 200)
    tone = np.fft.irfft(spectrum, length)
    hum = 0.3 * np.sin(2 * np.pi * 100 * np.arange(length) / RATE)
    return 0.003 * (tone / tone.std() + hum)


def speech(seconds: float = 16.0, pause: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Voiced and unvoiced syllables in phrases of 2 s with pauses between, and when they sound, ``[time]``."""
    generator = np.random.default_rng(1)
    length = round(seconds * RATE)
    samples, sounds = np.zeros((1, length)), np.zeros(length, bool)
    for phrase in np.arange(1.0, seconds - 3, 2 + pause):
        for start in np.arange(phrase, phrase + 2, 0.25):
            time = np.arange(round(0.2 * RATE)) / RATE
            pitch = generator.uniform(100, 200)
            voiced = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 20))
            sound = voiced if generator.random() < 0.7 else generator.standard_normal(len(time))
            place = slice(round(start * RATE), round(start * RATE) + len(time))
            samples[0, place] += 0.05 * np.sin(np.pi * time / 0.2) * sound
            sounds[place] = True
    return samples, sounds


def test_the_bed_is_found_and_nothing_that_is_spoken() -> None:
    bed, (spoken, sounds) = room(), speech()
    with pytest.warns(AudioWarning, match=r"of it \(\d+%\) is ambience without events, \d+ dB below the rest .*alone"):
        found, report = extract_ambience(Recording(bed + spoken, RATE))
    mask = np.zeros(len(sounds), bool)
    for start, length in report.segments:
        mask[start : start + length] = True
    assert not (mask & sounds).any()
    assert mask[~sounds].mean() > 0.4
    rest = np.square((bed + spoken)[:, ~mask]).mean() / np.square(bed[:, mask]).mean()
    assert report.below_db == pytest.approx(10 * np.log10(rest), abs=0.01)
    assert report.seconds == pytest.approx(mask.sum() / RATE)
    assert found.length <= mask.sum()
    level, own = (10 * np.log10(np.square(samples).mean()) for samples in (found.samples, bed))
    assert level == pytest.approx(own, abs=0.5)
    bands, own_bands = (np.median(band_levels(Recording(samples, RATE))[0], 0) for samples in (found.samples, bed))
    assert np.abs(bands - own_bands).max() < 1.5


def test_a_bed_that_swells_is_followed() -> None:
    bed, (spoken, sounds) = room(32.0), speech(32.0)
    bed = bed * 10 ** (0.25 * np.sin(2 * np.pi * np.arange(bed.shape[1]) / (9 * RATE)))  # 10 dB in 4.5 s
    with pytest.warns(AudioWarning, match="is ambience without events"):
        found, report = extract_ambience(Recording(bed + spoken, RATE))
    mask = np.zeros(len(sounds), bool)
    for start, length in report.segments:
        mask[start : start + length] = True
    assert not (mask & sounds).any()
    level, own = (10 * np.log10(np.square(samples).mean()) for samples in (found.samples, bed))
    assert level == pytest.approx(own, abs=1.5)


def test_the_joins_of_the_bed_keep_a_hum_and_make_no_clicks() -> None:
    bed, (spoken, _) = room(), speech()
    with pytest.warns(AudioWarning):
        found, report = extract_ambience(Recording(bed + spoken, RATE))
    assert len(report.segments) > 2
    bend, usual = (np.abs(np.diff(samples, 2)).max() for samples in (found.samples, bed))
    assert bend < 1.2 * usual
    tenths = found.samples[0, : found.length // 2205 * 2205].reshape(-1, 2205)
    levels = 10 * np.log10(np.square(tenths).mean(1))
    assert levels.min() > np.median(levels) - 4


def test_a_fade_and_digital_silence_are_no_bed() -> None:
    bed, (spoken, _) = room(), speech()
    samples = bed + spoken
    samples[:, -RATE:] *= np.linspace(1, 0, RATE)
    samples = np.concatenate([samples, np.zeros((1, RATE))], axis=1)
    with pytest.warns(AudioWarning):
        _, report = extract_ambience(Recording(samples, RATE))
    last = max(start + length for start, length in report.segments)
    assert last < samples.shape[1] - 1.5 * RATE


def test_without_events_all_of_it_is_bed() -> None:
    with pytest.warns(AudioWarning, match="nothing stands out"):
        found, report = extract_ambience(Recording(room(), RATE))
    assert report.fraction > 0.97
    assert found.seconds == pytest.approx(16, abs=0.5)


def test_little_bed_is_reported_and_none_refused() -> None:
    with pytest.warns(AudioWarning, match=r"only \d\.\d s of it"):
        extract_ambience(Recording(room(5.0) + speech(5.0)[0], RATE))
    generator = np.random.default_rng(0)
    levels = np.repeat(10 ** generator.uniform(-3, 0, 80), RATE // 20)
    restless = generator.standard_normal((1, len(levels))) * levels
    with pytest.raises(InputError, match="longer pauses"):
        extract_ambience(Recording(restless, RATE))


def test_hits_in_digital_silence_have_no_ambience_and_it_says_why() -> None:
    samples = np.zeros((1, 10 * RATE))
    for start in range(0, 10 * RATE, RATE):
        decay = np.exp(-np.arange(RATE // 5) / (0.02 * RATE))
        samples[0, start : start + len(decay)] = decay * np.random.default_rng(start).standard_normal(len(decay))
    with pytest.raises(InputError, match="digital silence"):
        extract_ambience(Recording(samples, RATE))
