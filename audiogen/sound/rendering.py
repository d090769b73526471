"""Rendering: mel frames of principal channels -> samples of the prompt's channels, at the prompt's rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from torch import Tensor

from audiogen.audio import Resampler
from audiogen.sound.prompt_analysis import PromptAnalysis
from audiogen.vocoders.base import Vocoder

RESAMPLER_WARM_UP = 8192  # samples of the prompt that prime the resampling filter


def render(vocoder: Vocoder, prompt: PromptAnalysis, chunks: Iterable[Tensor], seed: int) -> Iterator[np.ndarray]:
    """Render what follows a prompt.

    Args:
        vocoder: its stream continues the phases of the prompt.
        prompt: whose rotation to principal channels is undone here.
        chunks: ``[time, channels * n_mels]`` log-mel frames of the principal channels, side by side.
        seed: of the Vocoder's random phases, if it has any.

    Yields:
        ``[channels, time]`` samples at the rate of the Vocoder's spec; may be empty.
    """
    channels = prompt.channels
    stream = vocoder.open(channels, prompt.join_partner.samples, seed)
    for frames in chunks:
        yield prompt.to_channels(stream.push(frames.unflatten(1, (channels, -1)).transpose(0, 1)).numpy())


def resample_after(past: np.ndarray, blocks: Iterable[np.ndarray], rate: int, new_rate: int) -> Iterator[np.ndarray]:
    """Resample a signal that continues another one, without a transient at its start.

    Args:
        past: ``[channels, time]`` at ``rate``: the end of the signal before, `RESAMPLER_WARM_UP` samples or all there
            are. It primes the filter; the output that corresponds to it is dropped.
        blocks: ``[channels, time]`` at ``rate``.
        rate: Hz, of the input.
        new_rate: Hz, of the output.

    Yields:
        ``[channels, time]`` at ``new_rate``, not empty.
    """
    resampler = Resampler(rate, new_rate, len(past))
    drop = round(past.shape[1] * new_rate / rate)
    waiting = [resampler.push(past)]
    for block in blocks:
        if block.shape[1] == 0:
            continue
        waiting.append(resampler.push(block))
        output = np.concatenate(waiting, axis=1)
        waiting = []
        dropped = min(drop, output.shape[1])
        drop -= dropped
        if output.shape[1] > dropped:
            yield output[:, dropped:]
