"""Seamless loops: a tail whose end leads into the start, of itself or of the whole file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.fades import correlated_cross_fade
from audiogen.dsp.limiter import limit_peaks, peak_of
from audiogen.sound.join import extrapolate_into

OVERLAP_SECONDS = 1.5  # over which a tail fades into its own start
FADE_SECONDS = 0.25  # over which the end of a file fades into the mirror image of its start


def loop_on_itself(tail: Callable[[int], Iterable[np.ndarray]], length: int, sample_rate: int) -> Iterator[np.ndarray]:
    """A tail alone that repeats without a seam.

    The tail is generated a little too long, and the excess cross-faded into its start: the last sample is followed by
    what the Model put there.

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
    buffered = written = 0
    start: np.ndarray | None = None
    excess: list[np.ndarray] = []
    # The cross-fade needs the excess, which comes last. So the loop is cut where the fade ends: it begins at sample
    # ``overlap`` of the tail and ends with the fade.
    for block in tail(length + overlap):
        if buffered < overlap:
            head.append(block[:, : overlap - buffered])
            taken = head[-1].shape[1]
            buffered += taken
            block = block[:, taken:]
        if buffered == overlap and start is None:
            start = np.concatenate(head, axis=1)
        body = block[:, : length - overlap - written]
        if body.shape[1]:
            written += body.shape[1]
            yield body
        excess.append(block[:, body.shape[1] :])
    if start is None:
        return
    after = np.concatenate(excess, axis=1)[:, :overlap]
    faded = correlated_cross_fade(after, start).astype(np.float32)
    yield limit_peaks(faded, peak_of(after, start), sample_rate)


def close_loop(tail: Iterable[np.ndarray], length: int, prompt: Recording) -> Iterator[np.ndarray]:
    """A tail whose end leads into the prompt's first sample, so that prompt and tail repeat without a seam.

    What preceded the prompt is unknown; its own start played backwards has the right spectrum and level and meets the
    first sample. The tail fades into that mirror image, and its last milliseconds into the prompt extrapolated
    backwards by linear prediction.

    Args:
        tail: blocks ``[channels, time]``.
        length: samples of the tail.
        prompt: what the tail continues.
    """
    fade = min(round(FADE_SECONDS * prompt.sample_rate), length // 2, prompt.length - 1)
    buffer = np.zeros((prompt.channels, 0), np.float32)
    for block in tail:
        buffer = np.concatenate([buffer, block], axis=1)
        ready = buffer.shape[1] - fade
        if ready > 0:
            yield buffer[:, :ready]
            buffer = buffer[:, ready:]
    yield lead_into(prompt, buffer)


def lead_into(prompt: Recording, ending: np.ndarray) -> np.ndarray:
    """The end of a tail, changed so that the prompt's first sample can follow it.

    Args:
        prompt: what follows.
        ending: ``[channels, time]``.

    Returns:
        ``[channels, time]``, nowhere louder than the louder of the ending and the prompt's start.
    """
    length = ending.shape[1]
    if length < 2:
        return ending
    # Mirrored in time only (even symmetry). Inverting about the first sample too (odd symmetry) would continue the
    # slope, but lie twice that sample off zero.
    mirror = prompt.samples[:, length:0:-1]
    led = ending.copy()
    led[:, -mirror.shape[1] :] = correlated_cross_fade(ending[:, -mirror.shape[1] :], mirror)
    led = extrapolate_into(prompt.samples[:, ::-1], led[:, ::-1], prompt.sample_rate)[:, ::-1]
    return limit_peaks(led, peak_of(ending, prompt.samples[:, : length + 1]), prompt.sample_rate)
