"""Excerpts around a join: the end of the prompt and the beginning of the tail, read from the written file."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiogen.audio import AudioWarning, Recording, open_blocks
from audiogen.errors import InputError


@dataclass(frozen=True)
class Excerpt:
    """The part of a continuation that a page plays and shows.

    Args:
        joined: end of the prompt and beginning of the tail.
        join: number of its samples that belong to the prompt.
        tail_length: samples of the whole tail, per channel.
    """

    joined: Recording
    join: int
    tail_length: int

    @property
    def prompt(self) -> Recording:
        return self.joined.cut(0, self.join)

    @property
    def tail(self) -> Recording:
        return self.joined.cut(self.join, self.joined.length)


def read_excerpt(prompt: Recording, continuation: Path, join_sample: int, before: float, after: float) -> Excerpt:
    """Read the excerpt around the join of a written continuation.

    Args:
        prompt: the continued recording.
        continuation: the audio file, with or without the prompt.
        join_sample: first sample of the tail in the file.
        before, after: seconds of the prompt and of the tail.

    Raises:
        InputError: the file cannot be read, has another format than the prompt, or ends before the join.
    """
    wanted, position = round(after * prompt.sample_rate), 0
    kept: list[np.ndarray] = []
    with warnings.catch_warnings(), open_blocks(continuation) as blocks:
        warnings.simplefilter("ignore", AudioWarning)  # the sidecar has the warnings of this file
        if (blocks.sample_rate, blocks.channels) != (prompt.sample_rate, prompt.channels):
            cause = "its sample rate or channels differ from the prompt's"
            raise InputError(continuation, cause, "give the prompt that it continues")
        for block in blocks:
            part = block[:, max(join_sample - position, 0) : max(join_sample - position + wanted, 0)]
            if part.size:  # an empty view would keep the block
                kept.append(part)
            position += block.shape[1]
    if position <= join_sample:
        raise InputError(continuation, "nothing follows the join", "render it again")
    past = prompt.cut(max(prompt.length - round(before * prompt.sample_rate), 0), prompt.length).samples
    joined = np.concatenate([past, *kept], axis=1)
    return Excerpt(Recording(joined, prompt.sample_rate), past.shape[1], position - join_sample)


def read_loop_seam(loop: Path, before: float, after: float) -> Excerpt:
    """Read the seam of a loop: its last ``before`` seconds, at most half of it, then its first ``after`` seconds.

    A loop shorter than both together is read once around.
    """
    with warnings.catch_warnings(), open_blocks(loop) as blocks:
        warnings.simplefilter("ignore", AudioWarning)
        head = last = np.zeros((blocks.channels, 0), np.float32)
        wanted, kept, length = round(after * blocks.sample_rate), round(before * blocks.sample_rate), 0
        for block in blocks:
            head = np.concatenate([head, block[:, : wanted - head.shape[1]]], axis=1)
            last = np.concatenate([last, block], axis=1)[:, -kept:]
            length += block.shape[1]
    kept = min(kept, length // 2)
    around = np.concatenate([last[:, last.shape[1] - kept :], head[:, : length - kept]], axis=1)
    return Excerpt(Recording(around, blocks.sample_rate), kept, length)


def playback_note(prompt: Recording, excerpt: Excerpt) -> str:
    """How the players differ from the written file, in sentences."""
    parts = []
    if prompt.length > excerpt.join:
        parts.append(f"the last {excerpt.prompt.seconds:.3g} s of the prompt")
    if excerpt.tail_length > excerpt.tail.length:
        parts.append(f"the first {excerpt.tail.seconds:.3g} s of the continuation")
    shown = f"This page plays and shows {' and '.join(parts)}. " if parts else ""
    mixed = "The players mix its channels to mono. " if prompt.channels > 2 else ""
    return f"{shown}{mixed}The players are compressed; the written file is not changed by this page."
