"""Copying and looping: does the continuation repeat the prompt, or itself?

Half-second windows of the tail, a quarter of a second apart, are laid over the prompt at each frame offset
(about 12 ms). Their similarity is the correlation of log-mel frames, each band centred within the window,
so that neither gain nor a tilt of the spectrum hides a copy, and a steady spectrum does not look like one:
only the course of the sound counts. Frames carry no phase: a copy that went through a vocoder is still a
copy. (The nearest-neighbour test for memorisation of Carlini et al. 2023, arXiv 2301.13188, with the
normalised correlation of audio matching: Müller 2015, "Fundamentals of Music Processing", section 7.2.)

Some recordings repeat themselves: an engine, a cricket, a loop that somebody laid under them. So a window
counts as repeated only if its best match is closer than 99 % of the prompt's own half seconds find
elsewhere in the prompt (at least a second away), and in any case only above a correlation of 0.5. The
threshold is taken from the prompt rather than from held-out audio: recordings exist whose end is a copy of
an earlier part, sample by sample, and would excuse everything. What share of real later audio counts as
repeated is measured beside it: judge against that.

More audio to search finds closer matches by chance. The maximum over m times as many places stays below t
with the m-th power of the probability, so the quantile is 0.99^(1/m) when m times more is searched than the
prompt had.

Short prompts: with less than about 2.5 s of it there is nothing to compare it with, and the threshold is
0.7. Windows without any course (digital silence, a constant) repeat nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import mel_frames

WINDOW_SECONDS, HOP_SECONDS = 0.5, 0.25  # seconds
SEPARATION_SECONDS = 1.0  # seconds between a window and what may be called its repetition
QUANTILE = 0.99  # of the prompt's own best matches
MIN_THRESHOLD, DEFAULT_THRESHOLD = 0.5, 0.7
CHUNK = 1024  # source windows laid out at once: bounds memory


@dataclass(frozen=True)
class Matches:
    """The best match of each window.

    Args:
        times: ``[windows]`` where the windows begin, seconds.
        similarity: ``[windows]`` correlation with the best match, -1..1.
        positions: ``[windows]`` where the best match begins, seconds.
        threshold: similarity from which on a window counts as repeated.
    """

    times: np.ndarray
    similarity: np.ndarray
    positions: np.ndarray
    threshold: float

    @property
    def repeated(self) -> np.ndarray:
        """``[windows]`` bool."""
        return self.similarity > self.threshold

    @property
    def fraction(self) -> float:
        """Share of the windows that are repetitions, 0..1."""
        return float(np.mean(self.repeated))


class RepetitionDetector:
    """Finds repetitions of one source (the prompt) and, at the same threshold, of a tail within itself.

    Args:
        source: at least half a second of audio.

    Raises:
        InputError: the source is shorter than a window; for the methods, the tail is, or its rate differs.
    """

    def __init__(self, source: Recording) -> None:
        self.source = source
        frames, self.frame_rate = mel_frames(source)
        # A frame is four hops long: these lie wholly within half a second.
        self._length = max(2, round(WINDOW_SECONDS * self.frame_rate) - 3)
        self._hop = max(1, round(HOP_SECONDS * self.frame_rate))
        self._require(frames, "the prompt")
        self._scale = frames.std(axis=0) + 0.05
        self._frames = frames / self._scale
        own = self._nearest(self._frames, self._frames, apart=SEPARATION_SECONDS)[0]
        self._own = own[own > -1]

    def threshold(self, seconds: float) -> float:
        """Similarity that counts as a repetition when ``seconds`` of audio are searched."""
        if not len(self._own):
            return DEFAULT_THRESHOLD
        searched = len(self._frames) / self.frame_rate - 2 * SEPARATION_SECONDS
        quantile = QUANTILE ** min(1.0, max(searched, HOP_SECONDS) / seconds)
        return max(MIN_THRESHOLD, float(np.quantile(self._own, quantile)))

    def copying(self, tail: Recording) -> Matches:
        """Where ``tail`` repeats the source."""
        return self._matches(self._prepare(tail), self._frames)

    def looping(self, tail: Recording) -> Matches:
        """Where ``tail`` repeats itself, a second or more before or after."""
        frames = self._prepare(tail)
        return self._matches(frames, frames, apart=SEPARATION_SECONDS)

    def _prepare(self, tail: Recording) -> np.ndarray:
        if tail.sample_rate != self.source.sample_rate:
            rates = f"{tail.sample_rate} Hz against {self.source.sample_rate} Hz"
            raise InputError("copying", f"the rates differ: {rates}", "resample one of them")
        frames = mel_frames(tail)[0]
        self._require(frames, "the tail")
        return frames / self._scale

    def _require(self, frames: np.ndarray, what: str) -> None:
        if len(frames) < self._length:
            raise InputError(what, f"is shorter than {WINDOW_SECONDS} s", "give it more audio")

    def _matches(self, frames: np.ndarray, source: np.ndarray, apart: float = 0.0) -> Matches:
        similarity, places = self._nearest(frames, source, apart)
        times = np.arange(len(similarity)) * self._hop / self.frame_rate
        threshold = self.threshold(len(source) / self.frame_rate)
        return Matches(times, similarity, places / self.frame_rate, threshold)

    def _nearest(self, frames: np.ndarray, source: np.ndarray, apart: float) -> tuple[np.ndarray, np.ndarray]:
        """Similarity (-1 if there is no match at all) and frame of the best match of each window."""
        queries = windows(frames, self._length)[:: self._hop]
        index = np.arange(len(queries))
        best, place = np.full(len(queries), -1.0, np.float32), np.zeros(len(queries), int)
        for first in range(0, len(source) - self._length + 1, CHUNK):
            found = queries @ windows(source[first : first + CHUNK + self._length - 1], self._length).T
            if apart:
                lag = index[:, None] * self._hop - (first + np.arange(found.shape[1]))
                found[np.abs(lag) < apart * self.frame_rate] = -1
            here = found.argmax(axis=1)
            value = found[index, here]
            place = np.where(value > best, first + here, place)
            best = np.maximum(best, value)
        return best, place


def windows(frames: np.ndarray, length: int) -> np.ndarray:
    """Each window of ``[time, bands]`` frames, bands centred, as unit vectors ``[offsets, bands * length]``.

    A window that does not change is the zero vector.
    """
    unfolded = np.lib.stride_tricks.sliding_window_view(frames, length, axis=0)
    centred = unfolded - unfolded.mean(axis=-1, keepdims=True)
    flat = centred.reshape(len(centred), -1)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.where(norm < 1e-3, np.inf, norm)
