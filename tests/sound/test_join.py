"""The join of a tail to its prompt."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.sound.join import FADE_SECONDS, extrapolate_into, join_to_prompt, silence

RATE = 44100


def noise(channels: int, length: int, seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((channels, length)).astype(np.float32)


@pytest.mark.parametrize("length", [1, 999, 1000, 2500])
def test_length_is_exact_and_only_the_first_block_is_joined(length: int) -> None:
    prompt, tail = Recording(noise(2, RATE, 0), RATE), noise(2, 3000, 1)
    joined = np.concatenate(list(join_to_prompt(prompt, np.split(tail, 3, axis=1), length)), axis=1)
    expected = np.concatenate([extrapolate_into(prompt.samples, tail[:, :1000], RATE), tail[:, 1000:]], axis=1)
    assert np.array_equal(joined, expected[:, :length])
    fade = round(FADE_SECONDS * RATE)
    assert np.array_equal(joined[:, fade:], tail[:, fade:length])


def test_silent_channels_stay_silent() -> None:
    prompt = Recording(noise(2, RATE, 0) * np.array([[1], [0]], np.float32), RATE)
    tail = noise(2, 3000, 1)
    (joined,) = join_to_prompt(prompt, [tail], 3000)
    assert joined[0].any()
    assert not joined[1].any()
    assert tail[1].any(), "the input is not changed"


def test_silence_has_the_length_that_is_requested() -> None:
    blocks = list(silence(2, 100_000))
    assert sum(block.shape[1] for block in blocks) == 100_000
    assert not np.concatenate(blocks, axis=1).any()
