"""Rendering: mel frames of principal channels -> samples of the prompt's channels, at the prompt's rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Resampler
from audiogen.sound.patch_selection import Patch, Played
from audiogen.sound.prompt_analysis import PromptAnalysis
from audiogen.vocoders.base import Vocoder

RESAMPLER_WARM_UP = 8192  # samples of the prompt that prime the resampling filter


class Chunk(NamedTuple):
    """Mel frames to render.

    Args:
        frames: ``[time, channels * n_mels]`` log-mel frames of the principal channels, side by side.
        positions: ``[time]`` frames of the material that they were selected from; None if unknown.
    """

    frames: Tensor
    positions: Tensor | None = None


class Past(NamedTuple):
    """What a segment of a tail follows, if not the prompt.

    Args:
        samples: ``[channels, time]`` float32 at the rate of the mel frames, without partials: the last second or so,
            or all there are.
        played: the patches that they were made of, and whether they are held.
    """

    samples: np.ndarray
    played: Played


def noted(chunks: Iterable[Chunk], note: Callable[[Chunk], None]) -> Iterator[Chunk]:
    """The chunks, each shown to ``note`` before it is used."""
    for chunk in chunks:
        note(chunk)
        yield chunk


def positions_of(patches: Sequence[Patch]) -> Tensor | None:
    """Positions ``[time]`` of the frames of consecutive patches in the material; None if one is not the material's."""
    positions = []
    for patch in patches:
        if patch.start is None:
            return None
        positions.append(patch.start + torch.arange(len(patch.frames)))
    return torch.cat(positions)


def render(
    vocoder: Vocoder, prompt: PromptAnalysis, chunks: Iterable[Chunk], seed: int, past: Tensor | None = None
) -> Iterator[np.ndarray]:
    """Render what follows a prompt.

    Args:
        vocoder: its stream continues the phases of the prompt.
        prompt: whose rotation to principal channels is undone here.
        chunks: frames to render; the Vocoder's source is the prompt's material.
        seed: of the Vocoder's random phases, if it has any.
        past: ``[channels, time]`` principal channels that come before; None for those of the prompt.

    Yields:
        ``[channels, time]`` samples at the rate of the Vocoder's spec; may be empty.
    """
    channels = prompt.channels
    stream = vocoder.open(channels, prompt.join_partner.samples if past is None else past, seed)
    for chunk in chunks:
        frames = chunk.frames.unflatten(1, (channels, -1)).transpose(0, 1)
        samples = stream.push(frames) if chunk.positions is None else stream.push_selected(frames, chunk.positions)
        yield prompt.to_channels(samples.numpy())


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
