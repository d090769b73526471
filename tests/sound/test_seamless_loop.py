"""Seamless loops: the first sample continues the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.dsp.limiter import peak_of
from audiogen.sound.seamless_loop import close_loop, flattest_pair, loop_on_itself

Texture = Callable[..., Recording]


def blocks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, samples.shape[1], size):
        yield samples[:, start : start + size]


def bend(before: np.ndarray, after: np.ndarray) -> float:
    """Largest second difference over a seam, relative to the largest in the material itself."""
    joined = np.concatenate([before[-64:], after[:64]])
    own = np.abs(np.diff(np.concatenate([before, after])[: len(before) - 200], 2)).max()
    return float(np.abs(np.diff(joined, 2)).max() / own)


@pytest.mark.parametrize("size", [1000, 44100, 10**6])
def test_a_tail_that_loops_on_itself(texture: Texture, size: int) -> None:
    whole = texture(6.0).samples
    length = 3 * 44100
    looped = np.concatenate(list(loop_on_itself(lambda count: blocks(whole[:, :count], size), length, 44100)), axis=1)
    assert looped.shape == (1, length)
    assert bend(looped[0], looped[0]) < 1.2
    # Outside the fade it is the tail itself, which the loop enters one fade later, where the waveform is flattest.
    overlap = round(1.5 * 44100)
    cut = flattest_pair(whole[:, overlap : overlap + 2205])
    assert np.array_equal(looped[:, : length - overlap - cut], whole[:, overlap + cut : length])
    assert np.array_equal(looped[:, length - cut :], whole[:, overlap : overlap + cut])
    step = abs(looped[0, 0] - looped[0, -1])
    assert step <= np.quantile(np.abs(np.diff(looped[0])), 0.01)


def test_the_flattest_pair_is_flat_in_all_channels() -> None:
    samples = np.array([[0, 1, 1, 3, 3, 9], [0, 4, 8, 9, 9, 0]], np.float32)
    assert flattest_pair(samples) == 4
    assert flattest_pair(samples[:, :1]) == 0


def test_a_tail_shorter_than_the_overlap(texture: Texture) -> None:
    whole = texture(2.0).samples
    looped = np.concatenate(list(loop_on_itself(lambda count: blocks(whole[:, :count], 999), 5001, 44100)), axis=1)
    assert looped.shape == (1, 5001)


@pytest.mark.parametrize("size", [5000, 10**6])
def test_the_end_leads_into_the_prompt(texture: Texture, size: int) -> None:
    prompt, tail = texture(3.0, 1, channels=2), texture(3.0, 2, channels=2).samples
    led = np.concatenate(list(close_loop(blocks(tail, size), tail.shape[1], prompt)), axis=1)
    assert led.shape == tail.shape
    assert np.array_equal(led[:, :88200], tail[:, :88200])
    assert bend(led[0], prompt.samples[0]) < 1.2
    hum = Recording(np.sin(2 * np.pi * 441 * np.arange(44100) / 44100)[None].astype(np.float32), 44100)
    shifted = np.sin(2 * np.pi * 441 * np.arange(44100) / 44100 + 1.0)[None].astype(np.float32)
    led = np.concatenate(list(close_loop(blocks(shifted, size), 44100, hum)), axis=1)
    assert bend(led[0], hum.samples[0]) < 2 < bend(shifted[0], hum.samples[0])


def tone(hertz: float, seconds: float, phase: float = 0.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * 44100)) / 44100 + phase)[None].astype(np.float32)


def hard(seed: int) -> tuple[Recording, np.ndarray]:
    """A prompt that begins far from zero, and a tail, both up to full scale: noise, hum, or a step."""
    random = np.random.default_rng(seed)
    noise = random.uniform(-1, 1, (2, 2 * 44100)).astype(np.float32)
    hum = np.concatenate([tone(90, 2, 1.5), tone(90, 2, 1.5 + seed)])
    step = np.sign(tone(3, 2, 1.0)).repeat(2, axis=0)
    choices = (noise, hum, step)
    return Recording(choices[seed % 3], 44100), choices[seed // 3 % 3][:, ::-1].copy()


@pytest.mark.parametrize("seed", range(9))
def test_no_loop_is_louder_than_what_it_joins(seed: int) -> None:
    prompt, tail = hard(seed)
    led = np.concatenate(list(close_loop(blocks(tail, 5000), tail.shape[1], prompt)), axis=1)
    fade = round(0.25 * 44100)
    assert np.abs(led[:, -fade:]).max() <= peak_of(tail[:, -fade:], prompt.samples[:, : fade + 1]) <= 1
    whole = np.concatenate([tail, prompt.samples], axis=1)
    looped = list(loop_on_itself(lambda count: blocks(whole[:, :count], 5000), 2 * 44100, 44100))
    assert np.abs(np.concatenate(looped, axis=1)).max() <= 1


def test_the_end_has_no_offset_that_the_prompt_lacks() -> None:
    prompt = Recording(0.9 * tone(50, 1, np.pi / 2), 44100)  # begins at its peak
    led = np.concatenate(list(close_loop(iter([np.zeros((1, 44100), np.float32)]), 44100, prompt)), axis=1)
    assert abs(led[0, -882 * 3 :].mean()) < 0.05  # three periods
    assert bend(led[0], prompt.samples[0]) < 2
