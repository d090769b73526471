"""Edges: which fades, silence and clicks are found, and which changes of level are left alone."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.sound.fade_detection import NONE, find_edges

RATE = 22050
FADES = {
    "linear": lambda u: 1 - u,
    "exponential": lambda u: 10 ** (-3 * u),
    "S-curve": lambda u: 0.5 + 0.5 * np.cos(np.pi * u),
}


@cache
def noise(seconds: float = 14.0, seed: int = 0) -> np.ndarray:
    """Steady noise ``[2, time]`` that falls by 6 dB per octave."""
    generator = np.random.default_rng(seed)
    length = round(seconds * RATE)
    spectrum = np.fft.rfft(generator.standard_normal((2, length)))
    frequencies = np.fft.rfftfreq(length, 1 / RATE)
    samples = np.fft.irfft(spectrum / np.sqrt(1 + (frequencies / 1000) ** 2), length)
    return 0.1 * samples / samples.std()


@cache
def engine(seconds: float = 14.0) -> np.ndarray:
    """Harmonics of a wandering pitch, amplitude-modulated, over faint noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(75 + 3 * np.sin(0.9 * time)) / RATE
    tones = sum(np.sin(k * phase + k) / k for k in range(1, 20)) * (1 + 0.3 * np.sin(2 * np.pi * 9 * time))
    return 0.1 * np.tile(tones, (2, 1)) + 0.05 * noise(seconds)


@cache
def music(seconds: float = 14.0) -> np.ndarray:
    """Chords that are struck twice a second and decay by 9 dB each, over noise."""
    time = np.arange(round(seconds * RATE)) / RATE
    samples = np.zeros((2, len(time)))
    for index, start in enumerate(np.arange(0, seconds, 0.5)):
        since = time - start
        struck = np.where((since >= 0) & (since < 0.5), np.exp(-2 * since), 0) * np.minimum(since * 200, 1).clip(0)
        for note in (220, 277, 330):
            samples += 0.1 * struck * np.sin(2 * np.pi * note * 2 ** ((index % 4) / 12) * time)
    return samples + 0.05 * noise(seconds)


SOUNDS = {"noise": noise, "engine": engine, "music": music}


def fade_out(samples: np.ndarray, seconds: float, kind: str) -> np.ndarray:
    faded, length = samples.copy(), round(seconds * RATE)
    faded[:, -length:] *= FADES[kind]((np.arange(length) + 0.5) / length)
    return faded


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("kind", FADES)
@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0, 8.0])
def test_fades_are_found_at_either_end(sound: str, kind: str, seconds: float) -> None:
    faded = fade_out(SOUNDS[sound](), seconds, kind)
    start, end = find_edges(Recording(faded, RATE))
    assert start == NONE
    assert 0.4 * seconds < end.seconds < 1.4 * seconds + 0.05
    reversed_start, reversed_end = find_edges(Recording(faded[:, ::-1], RATE))
    assert reversed_end == NONE
    assert reversed_start.seconds == pytest.approx(end.seconds, abs=0.011)
    left = faded[:, : faded.shape[1] - round(end.seconds * RATE)][:, -RATE // 10 :]
    usual = np.sqrt(np.square(SOUNDS[sound]()).mean())
    assert 20 * np.log10(np.sqrt(np.square(left).mean()) / usual) > -6


@pytest.mark.parametrize("sound", SOUNDS)
def test_untouched_sounds_have_no_edges(sound: str) -> None:
    assert find_edges(Recording(SOUNDS[sound](), RATE)) == (NONE, NONE)


def test_length_of_a_fade_in_steady_noise_is_exact() -> None:
    for seconds in (0.3, 1.0, 4.0):
        for kind in FADES:
            end = find_edges(Recording(fade_out(noise(), seconds, kind), RATE))[1]
            assert end.seconds == pytest.approx(seconds, rel=0.15, abs=0.02), kind


@pytest.mark.parametrize("floor", [0.0, 1e-3])
def test_a_pause_at_the_end_is_an_edge_and_one_in_the_middle_is_not(floor: float) -> None:
    sound = noise(10.0)
    pause = floor * noise(1.0, seed=1) / 0.1
    half = sound.shape[1] // 2
    middle = np.concatenate([sound[:, :half], pause, sound[:, half:]], axis=1)
    assert find_edges(Recording(middle, RATE)) == (NONE, NONE)
    start, end = find_edges(Recording(np.concatenate([middle, pause], axis=1), RATE))
    assert start == NONE
    assert end.seconds == pytest.approx(1.0, abs=0.02)
    assert end.fade == 0
    assert end.silence == pytest.approx(1.0, abs=0.02)


def test_a_pause_at_the_end_of_a_swell_is_left_out_whole() -> None:
    time = np.arange(round(20 * RATE)) / RATE
    passing = noise(20.0) * 10 ** (12 * np.cos(2 * np.pi * time / 7) / 20)
    silent = np.concatenate([passing, np.zeros((2, RATE))], axis=1)
    assert 0.99 < find_edges(Recording(silent, RATE))[1].seconds < 1.5


@pytest.mark.parametrize("kind", FADES)
@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0])
def test_a_fade_within_a_swell_is_found_from_its_beginning(kind: str, seconds: float) -> None:
    """Waves of 18 dB, at their crest where the fade begins: at most 3 dB of it are left."""
    time = np.arange(round(20 * RATE)) / RATE
    waves = noise(20.0) * 10 ** (9 * np.cos(2 * np.pi * (time - 20 + seconds) / 5) / 20)
    assert find_edges(Recording(waves, RATE))[1] == NONE
    end = find_edges(Recording(fade_out(waves, seconds, kind), RATE))[1]
    left = FADES[kind](np.clip(1 - end.seconds / seconds, 0, 1))
    assert left > 10 ** (-3 / 20)
    assert end.seconds < 3 * seconds


def test_a_fade_before_silence_is_found_with_it() -> None:
    faded = np.concatenate([fade_out(noise(), 2.0, "linear"), np.zeros((2, 2 * RATE))], axis=1)
    end = find_edges(Recording(faded, RATE))[1]
    assert end.seconds == pytest.approx(4.0, abs=0.2)
    assert end.fade == pytest.approx(2.0, abs=0.2)


def test_swells_that_recede_are_no_fade() -> None:
    time = np.arange(round(20 * RATE)) / RATE
    waves = noise(20.0) * 10 ** (-(1 + np.cos(2 * np.pi * time / 5)) * 9 / 20)  # 18 dB, in a trough at both ends
    assert find_edges(Recording(waves, RATE)) == (NONE, NONE)


def test_thunder_that_decays_into_its_rain_is_no_fade() -> None:
    time = np.arange(round(14 * RATE)) / RATE
    roll = np.where(time > 9, 10 ** (-(time - 9) * 30 / 5 / 20), 0)
    assert find_edges(Recording(0.02 * noise() / 0.1 + roll * noise(seed=1), RATE))[1] == NONE


def test_the_decay_of_a_single_sound_is_no_fade() -> None:
    time = np.arange(round(8 * RATE)) / RATE
    bell = sum(np.sin(2 * np.pi * 300 * k * time) * 10 ** (-2.5 * k * time / 20) for k in (1, 2.7, 5.1, 9.3))
    assert find_edges(Recording(0.2 * np.tile(bell, (2, 1)) + 1e-5 * noise(8.0), RATE))[1].fade == 0


def test_pauses_throughout_are_how_it_sounds() -> None:
    time = np.arange(round(12 * RATE)) / RATE
    calls = noise(12.0) * (np.sin(2 * np.pi * time / 1.5) > 0) + 1e-4 * noise(12.0, seed=1)
    assert find_edges(Recording(calls, RATE))[1] == NONE


def test_a_click_of_an_edit_is_found_at_either_end() -> None:
    clicked = noise().copy()
    clicked[:, -400:-390] += 3.0
    start, end = find_edges(Recording(clicked, RATE))
    assert start == NONE
    assert end.click
    assert 400 < end.seconds * RATE < 400 + 0.01 * RATE
    start, end = find_edges(Recording(clicked[:, ::-1], RATE))
    assert start.click
    assert end == NONE
    assert start.describe(end=False) == "has a click at its start"


def test_crackling_has_no_clicks_of_an_edit() -> None:
    crackling = noise().copy()
    for start in np.random.default_rng(0).integers(0, crackling.shape[1] - 10, 60):
        crackling[:, start : start + 10] += 3.0
    crackling[:, -400:-390] += 3.0
    assert not find_edges(Recording(crackling, RATE))[1].click


def test_silence_and_short_recordings_have_no_edges() -> None:
    assert find_edges(Recording(np.zeros((1, 5 * RATE)), RATE)) == (NONE, NONE)
    assert find_edges(Recording(fade_out(noise(0.8), 0.3, "linear"), RATE)) == (NONE, NONE)


@pytest.mark.parametrize(("silent", "sounding"), [(3, 3), (4, 2), (4.9, 1.1), (130, 20)])
def test_silence_that_is_most_of_the_recording(silent: float, sounding: float):
    """Digital silence is no usual level, however much there is of it."""
    samples = 0.1 * np.random.default_rng(0).standard_normal((1, round((silent + sounding) * RATE)))
    samples = samples.astype(np.float32)
    samples[:, : round(silent * RATE)] = 0
    for recording, index in ((Recording(samples, RATE), 0), (Recording(samples[:, ::-1].copy(), RATE), 1)):
        edge = find_edges(recording)[index]
        assert edge.silence == pytest.approx(silent, abs=0.1)
        assert find_edges(recording)[1 - index] == NONE


@pytest.mark.parametrize("offset", [0.02, -0.3])
def test_a_fade_under_an_offset_is_found_and_an_offset_alone_is_none(offset: float) -> None:
    faded = fade_out(noise(), 2.0, "linear")
    assert find_edges(Recording(noise() + offset, RATE)) == (NONE, NONE)
    start, end = find_edges(Recording(faded + offset, RATE))
    assert start == NONE
    assert end.seconds == pytest.approx(find_edges(Recording(faded, RATE))[1].seconds, abs=0.1)


@pytest.mark.parametrize("channel", [0, 1])
def test_a_fade_of_one_channel_is_found_unless_that_is_faint(channel: int) -> None:
    faded = noise().copy()
    faded[channel] = fade_out(noise(), 2.0, "S-curve")[channel]
    _, end = find_edges(Recording(faded, RATE))
    assert 0.8 < end.seconds < 2.5
    assert end.channel == channel + 1
    assert end.describe(end=True).endswith(f" in channel {channel + 1}")
    both = np.concatenate([faded, np.zeros((2, 25 * RATE))], axis=1)
    text = find_edges(Recording(both, RATE))[1].describe(end=True)
    assert f" in channel {channel + 1} and ends with 25 s of silence" in text
    faded[channel] *= 0.1
    assert find_edges(Recording(faded, RATE)) == (NONE, NONE)
