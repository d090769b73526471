"""Loops: a tail whose end meets the beginning, of the whole file or of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from audiogen.audio import Recording
from audiogen.generation.join import cross_fade, extrapolate

OVERLAP_SECONDS = 1.5  # over which a tail fades into its own beginning
FADE_SECONDS = 0.25  # over which a whole file's end takes on what leads into its beginning


def loop_on_itself(tail: Callable[[int], Iterable[np.ndarray]], length: int, sample_rate: int) -> Iterator[np.ndarray]:
    """``length`` samples that repeat without a seam.

    The tail is generated a little too long, and its overhang faded into its beginning at equal power: the last sample
    is followed by what truly came next.

    Args:
        tail: makes blocks ``[channels, time]`` of a tail of the given length.
        length: samples of the loop.
        sample_rate: Hz.
    """
    overlap = min(round(OVERLAP_SECONDS * sample_rate), length // 2)
    if overlap == 0:
        yield from tail(length)
        return
    head: list[np.ndarray] = []
    held = 0
    start: np.ndarray | None = None
    written = 0
    overhang: list[np.ndarray] = []
    # The faded beginning can be written only when the overhang is known, so the loop is cut where the fade ends:
    # it begins at sample ``overlap`` of the tail and ends with the fade.
    for block in tail(length + overlap):
        if held < overlap:
            head.append(block[:, : overlap - held])
            taken = head[-1].shape[1]
            held += taken
            block = block[:, taken:]
        if held == overlap and start is None:
            start = np.concatenate(head, axis=1)
        body = block[:, : length - overlap - written]
        if body.shape[1]:
            written += body.shape[1]
            yield body
        overhang.append(block[:, body.shape[1] :])
    if start is None:
        return
    after = np.concatenate(overhang, axis=1)[:, :overlap]
    angle = 0.5 * np.pi * (np.arange(overlap) + 0.5) / overlap
    yield (np.cos(angle) * after + np.sin(angle) * start).astype(np.float32)


def close_loop(tail: Iterable[np.ndarray], length: int, prompt: Recording) -> Iterator[np.ndarray]:
    """A tail of ``length`` samples whose end leads into the prompt's first sample.

    Nothing is known of what came before the prompt; its own beginning, played backwards, has the right spectrum and
    level and meets the first sample exactly. The tail fades into that mirror image, and its last milliseconds into
    what linear prediction, run backwards, expects before the prompt.
    """
    fade = min(round(FADE_SECONDS * prompt.sample_rate), length // 2, prompt.length - 1)
    held = np.zeros((prompt.channels, 0), np.float32)
    for block in tail:
        held = np.concatenate([held, block], axis=1)
        ready = held.shape[1] - fade
        if ready > 0:
            yield held[:, :ready]
            held = held[:, ready:]
    yield lead_into(prompt, held)


def lead_into(prompt: Recording, ending: np.ndarray) -> np.ndarray:
    """``[channels, time]`` ending, turned so that the prompt's first sample can follow."""
    length = ending.shape[1]
    if length < 2:
        return ending
    mirror = 2 * prompt.samples[:, :1] - prompt.samples[:, length:0:-1]
    mirror = mirror[:, -length:]
    angle = 0.5 * np.pi * (np.arange(mirror.shape[1]) + 0.5) / mirror.shape[1]
    led = ending.copy()
    led[:, -mirror.shape[1] :] = np.cos(angle) * ending[:, -mirror.shape[1] :] + np.sin(angle) * mirror
    short = min(round(0.008 * prompt.sample_rate), length)
    for channel, beginning in enumerate(prompt.samples[:, : max(round(0.1 * prompt.sample_rate), 256)]):
        backwards = cross_fade(*extrapolate(beginning[::-1], short), led[channel, -short:][::-1])
        led[channel, -short:] = backwards[::-1]
    return led.astype(np.float32)
