"""Loops: what follows the last sample is the first one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.generation.loop import close_loop, loop_on_itself

Texture = Callable[..., Recording]


def blocks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, samples.shape[1], size):
        yield samples[:, start : start + size]


def bend(before: np.ndarray, after: np.ndarray) -> float:
    """Largest second difference over a seam, in units of the largest that the material itself has."""
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
    # Outside the fade it is the tail itself, which the loop enters one fade later.
    overlap = round(1.5 * 44100)
    assert np.array_equal(looped[:, : length - overlap], whole[:, overlap:length])


def test_a_tail_shorter_than_the_overlap(texture: Texture) -> None:
    whole = texture(2.0).samples
    looped = np.concatenate(list(loop_on_itself(lambda count: blocks(whole[:, :count], 999), 5001, 44100)), axis=1)
    assert looped.shape == (1, 5001)


@pytest.mark.parametrize("size", [5000, 10**6])
def test_an_end_that_leads_into_the_prompt(texture: Texture, size: int) -> None:
    prompt, tail = texture(3.0, 1, channels=2), texture(3.0, 2, channels=2).samples
    led = np.concatenate(list(close_loop(blocks(tail, size), tail.shape[1], prompt)), axis=1)
    assert led.shape == tail.shape
    assert np.array_equal(led[:, :88200], tail[:, :88200])
    assert bend(led[0], prompt.samples[0]) < 1.2
    cut = bend(tail[0], prompt.samples[0])
    hum = Recording(np.sin(2 * np.pi * 441 * np.arange(44100) / 44100)[None].astype(np.float32), 44100)
    shifted = np.sin(2 * np.pi * 441 * np.arange(44100) / 44100 + 1.0)[None].astype(np.float32)
    led = np.concatenate(list(close_loop(blocks(shifted, size), 44100, hum)), axis=1)
    assert bend(led[0], hum.samples[0]) < 2 < bend(shifted[0], hum.samples[0])
    assert cut > 0
