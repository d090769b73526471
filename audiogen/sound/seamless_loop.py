"""Loops: a tail whose end meets the beginning, of the whole file or of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.limiter import limit_peaks, peak_of
from audiogen.sound.join import cross_fade, extrapolate

OVERLAP_SECONDS = 1.5  # over which a tail fades into its own beginning
FADE_SECONDS = 0.25  # over which a whole file's end takes on what leads into its beginning


def loop_on_itself(tail: Callable[[int], Iterable[np.ndarray]], length: int, sample_rate: int) -> Iterator[np.ndarray]:
    """``length`` samples that repeat without a seam.

    The tail is generated a little too long, and its overhang faded into its beginning: the last sample is followed by
    what truly came next.

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
    yield limit_peaks(faded(after, start).astype(np.float32), peak_of(after, start), sample_rate)


def close_loop(tail: Iterable[np.ndarray], length: int, prompt: Recording) -> Iterator[np.ndarray]:
    """A tail of ``length`` samples whose end leads into the prompt's first sample.

    Nothing is known of what came before the prompt; its own beginning, played backwards, has the right spectrum and
    level and meets the first sample. The tail fades into that mirror image, and its last milliseconds into what linear
    prediction, run backwards, expects before the prompt.
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
    """``[channels, time]`` ending, turned so that the prompt's first sample can follow.

    It is nowhere louder than the ending or the prompt's beginning, whichever of them is.
    """
    length = ending.shape[1]
    if length < 2:
        return ending
    # As it is and not turned about its first sample too (odd symmetry), which would go on at the same slope, but stands
    # twice that sample off zero.
    mirror = prompt.samples[:, length:0:-1]
    led = ending.copy()
    led[:, -mirror.shape[1] :] = faded(ending[:, -mirror.shape[1] :], mirror)
    short = min(round(0.008 * prompt.sample_rate), length)
    for channel, beginning in enumerate(prompt.samples[:, : max(round(0.1 * prompt.sample_rate), 256)]):
        backwards = cross_fade(*extrapolate(beginning[::-1], short), led[channel, -short:][::-1])
        led[channel, -short:] = backwards[::-1]
    return limit_peaks(led, peak_of(ending, prompt.samples[:, : length + 1]), prompt.sample_rate)


def faded(ending: np.ndarray, beginning: np.ndarray) -> np.ndarray:
    """From one to the other, both ``[channels, time]``, at constant power as far as they are correlated.

    Power-complementary for what has nothing to do with one another, amplitude-complementary for the same: a sine fade
    divided by what it would gain (Fink, Holters & Zölzer 2016, DAFx, "Signal-matched power-complementary
    cross-fading and dry-wet mixing"). Opposed signals are faded as if they were unrelated.
    """
    length = ending.shape[1]
    power = float(np.sqrt(np.square(ending, dtype=np.float64).sum() * np.square(beginning, dtype=np.float64).sum()))
    product = float(np.multiply(ending, beginning, dtype=np.float64).sum())
    correlation = min(max(product / power, 0.0), 1.0) if power > 0 else 0.0
    angle = 0.5 * np.pi * (np.arange(length) + 0.5) / length
    return (np.cos(angle) * ending + np.sin(angle) * beginning) / np.sqrt(1 + correlation * np.sin(2 * angle))
