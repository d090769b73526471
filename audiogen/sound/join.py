"""The join: where the generated tail takes over from the prompt.

The Vocoder already continues the prompt's phases, so that only a small step remains. It is removed by extrapolating
the prompt for a few milliseconds and cross-fading into the tail (`audiogen.dsp.extrapolation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.extrapolation import extrapolate_into


def join_to_prompt(prompt: Recording, blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """A tail of a given length, joined to the end of its prompt.

    Channels that are digital silence in the prompt stay so: the rotation from principal channels would leave rounding
    errors of the other channels in them.

    Args:
        prompt: what the tail follows.
        blocks: ``[channels, time]`` samples of the tail, at least ``length`` in total.
        length: samples wanted, per channel.
    """
    remaining, silent = length, list(prompt.silent)
    for index, block in enumerate(blocks):
        block = extrapolate_into(prompt.samples, block, prompt.sample_rate) if index == 0 else block
        if silent:
            block = block.copy()
            block[silent] = 0
        yield block[:, :remaining]
        remaining -= min(remaining, block.shape[1])
        if remaining == 0:
            return


def silence(channels: int, length: int, block: int = 1 << 16) -> Iterator[np.ndarray]:
    """Digital silence in blocks ``[channels, time]``: the continuation of a silent prompt."""
    for start in range(0, length, block):
        yield np.zeros((channels, min(block, length - start)), np.float32)
