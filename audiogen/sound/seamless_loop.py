"""Seamless loops: a tail whose end leads into the start, of itself or of the whole file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.fades import correlated_cross_fade
from audiogen.dsp.limiter import limit_peaks, peak_of
from audiogen.sound.join import extrapolate_into

OVERLAP_SECONDS = 1.5  # over which a tail fades into its own start
CUT_SECONDS = 0.05  # in which the flattest pair of samples is searched for: a period of 20 Hz
EPSILON = 1e-20
FADE_SECONDS = 0.25  # over which the end of a file fades into the mirror image of its start


def loop_on_itself(tail: Callable[[int], Iterable[np.ndarray]], length: int, sample_rate: int) -> Iterator[np.ndarray]:
    """A tail alone that repeats without a seam.

    The tail is generated a little too long, and the excess cross-faded into its start: the last sample is followed by
    what the Model put there. Such a circle can be cut anywhere; it is cut where the waveform is flattest
    (`flattest_pair`), so that players that interpolate between end and start have nothing to bridge.

    Args:
        tail: makes blocks ``[channels, time]`` of a tail of the given length.
        length: samples of the loop.
        sample_rate: Hz.
    """
    overlap = min(round(OVERLAP_SECONDS * sample_rate), length // 2)
    if overlap == 0:
        yield from tail(length)
        return
    # The cross-fade needs the excess, which comes last. So the loop is cut where the fade ends, or a little later: it
    # begins at sample ``overlap`` of the tail and ends with the fade.
    samples = _Samples(tail(length + overlap))
    start = samples.take(overlap)
    first = samples.take(min(round(CUT_SECONDS * sample_rate), length - overlap))
    cut = flattest_pair(first)
    yield first[:, cut:]
    yield from samples.blocks(length - overlap - first.shape[1])
    excess = samples.take(overlap)
    faded = correlated_cross_fade(excess, start).astype(np.float32)
    yield limit_peaks(faded, peak_of(excess, start), sample_rate)
    yield first[:, :cut]


def flattest_pair(samples: np.ndarray) -> int:
    """Index of the sample that differs least from the one before it, all channels together; 0 if there is no pair.

    Args:
        samples: ``[channels, time]``.
    """
    slope = np.diff(samples.astype(np.float64), axis=1)
    if not slope.size:
        return 0
    power = np.square(slope).mean(axis=1, keepdims=True)  # so that a quiet channel counts as much as a loud one
    return int(np.argmin((np.square(slope) / np.maximum(power, EPSILON)).sum(axis=0))) + 1


class _Samples:
    """A stream of blocks ``[channels, time]``, read by numbers of samples; it must be long enough."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._blocks = iter(blocks)
        self._rest: np.ndarray | None = None

    def blocks(self, count: int) -> Iterator[np.ndarray]:
        """The next ``count`` samples as blocks."""
        while count:
            block = next(self._blocks) if self._rest is None else self._rest
            self._rest = block[:, count:] if block.shape[1] > count else None
            count -= min(count, block.shape[1])
            yield block if self._rest is None else block[:, : block.shape[1] - self._rest.shape[1]]

    def take(self, count: int) -> np.ndarray:
        """The next ``count`` samples, at least one, in one array."""
        return np.concatenate(list(self.blocks(count)), axis=1)


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
    start = prompt.cut(
        0, min(length + 10 * prompt.sample_rate, prompt.length)
    ).samples  # more than is extrapolated from
    mirror = start[:, length:0:-1]
    led = ending.copy()
    led[:, -mirror.shape[1] :] = correlated_cross_fade(ending[:, -mirror.shape[1] :], mirror)
    led = extrapolate_into(start[:, ::-1], led[:, ::-1], prompt.sample_rate)[:, ::-1]
    return limit_peaks(led, peak_of(ending, start[:, : length + 1]), prompt.sample_rate)
