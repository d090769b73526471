"""Copying and looping: does the continuation repeat passages of the prompt, or of itself?

Windows of 0.5 s, every 0.25 s of the tail, are compared with the prompt at every frame offset (about 12 ms). Their
similarity is the normalised correlation of log-mel frames (Müller 2015, "Fundamentals of Music Processing", section
7.2), with the mean of each band removed within the window. It therefore ignores gain and spectral tilt, and a steady
spectrum alone does not correlate: only the temporal evolution counts. Frames carry no phase, so a copy is still found
after a vocoder. This is the nearest-neighbour test for memorisation of Carlini et al. (2023), arXiv 2301.13188.

Some recordings repeat themselves: an engine, a cricket, a loop in the background. A window therefore counts as repeated
only if its best match is closer than 99 % of the prompt's own windows find elsewhere in the prompt (at least 1 s away),
and in any case only above a correlation of 0.5. The threshold comes from the prompt and not from held-out audio, since
recordings exist whose end is a sample-exact copy of an earlier part, which would excuse everything. Compare the result
with the fraction of repeated windows in real later audio, which is reported with it.

Searching more audio finds closer matches by chance: the maximum over m times as many positions stays below t with the
m-th power of the probability. The quantile is therefore 0.99^(1/m) when m times more audio is searched than the prompt
has.

A prompt shorter than about 2.5 s has no windows to compare with each other; the threshold is then 0.7. Windows without
temporal change (digital silence, a constant) never count as repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import mel_frames

WINDOW_SECONDS, HOP_SECONDS = 0.5, 0.25
SEPARATION_SECONDS = 1.0  # least distance between a window and its repetition in the same audio
QUANTILE = 0.99  # of the best matches within the prompt
MIN_THRESHOLD, DEFAULT_THRESHOLD = 0.5, 0.7
CHUNK = 1024  # source windows per matrix product: bounds memory


@dataclass(frozen=True)
class Matches:
    """The best match of each window.

    Args:
        times: ``[windows]`` start of each window, seconds.
        similarity: ``[windows]`` correlation with the best match, -1 to 1.
        positions: ``[windows]`` start of the best match in the searched audio, seconds.
        threshold: similarity above which a window counts as repeated.
    """

    times: np.ndarray
    similarity: np.ndarray
    positions: np.ndarray
    threshold: float

    @property
    def repeated(self) -> np.ndarray:
        """``[windows]`` bool: the windows above the threshold."""
        return self.similarity > self.threshold

    @property
    def fraction(self) -> float:
        """Fraction of the windows that are repeated, 0 to 1."""
        return float(np.mean(self.repeated))


@dataclass(frozen=True)
class Passage:
    """A verbatim passage: consecutive repeated windows whose matches are consecutive too.

    Args:
        start, stop: of the passage, seconds.
        position: start of what it repeats, seconds.
        similarity: the highest of its windows.
    """

    start: float
    stop: float
    position: float
    similarity: float


def verbatim_passages(marks: list[list[float]]) -> list[Passage]:
    """Join consecutive repeated windows into verbatim passages, of which the report shows the longest.

    Args:
        marks: ``[time, position, similarity]`` of each repeated window, in seconds and in order of time.
    """
    passages: list[Passage] = []
    for (time, position, similarity), previous in zip(marks, [None, *marks], strict=False):
        stop = time + WINDOW_SECONDS
        # Consecutive: half-overlapping windows whose matches lie as far apart as they do.
        if (
            previous is not None
            and time - previous[0] < WINDOW_SECONDS
            and abs((time - previous[0]) - (position - previous[1])) < 0.05
        ):
            last = passages[-1]
            passages[-1] = replace(last, stop=stop, similarity=max(last.similarity, similarity))
        else:
            passages.append(Passage(time, stop, position, similarity))
    return passages


class RepetitionDetector:
    """Finds passages of a source (the prompt) in tails, and with the same threshold passages that a tail repeats.

    Args:
        source: at least 0.5 s of audio.

    Raises:
        InputError: the source is shorter than a window; from the methods, the tail is, or its sample rate differs.
    """

    def __init__(self, source: Recording) -> None:
        self.source = source
        frames, self.frame_rate = mel_frames(source)
        # An analysis frame is four hops long: this many lie wholly within a window.
        self._length = max(2, round(WINDOW_SECONDS * self.frame_rate) - 3)
        self._hop = max(1, round(HOP_SECONDS * self.frame_rate))
        self._require(frames, "the prompt")
        self._scale = frames.std(axis=0) + 0.05
        self._frames = frames / self._scale
        own = self._nearest(self._frames, self._frames, separation=SEPARATION_SECONDS)[0]
        self._own = own[own > -1]

    def threshold(self, seconds: float) -> float:
        """Similarity above which a window counts as repeated when ``seconds`` of audio are searched."""
        if not len(self._own):
            return DEFAULT_THRESHOLD
        searched = len(self._frames) / self.frame_rate - 2 * SEPARATION_SECONDS
        quantile = QUANTILE ** min(1.0, max(searched, HOP_SECONDS) / seconds)
        return max(MIN_THRESHOLD, float(np.quantile(self._own, quantile)))

    @property
    def usual(self) -> float:
        """Similarity of half of the source's own windows to another, or more; 0 where there are none to compare."""
        return float(np.median(self._own)) if len(self._own) else 0.0

    def copying(self, tail: Recording) -> Matches:
        """The best match of each window of ``tail`` in the source."""
        return self._matches(self._prepare(tail), self._frames)

    def looping(self, tail: Recording) -> Matches:
        """The best match of each window of ``tail`` in the tail itself, at least 1 s before or after."""
        frames = self._prepare(tail)
        return self._matches(frames, frames, separation=SEPARATION_SECONDS)

    def between(self, first: Recording, second: Recording) -> Matches:
        """The best match of each window of one tail in another; the threshold is the source's."""
        return self._matches(self._prepare(first), self._prepare(second))

    def _prepare(self, tail: Recording) -> np.ndarray:
        if tail.sample_rate != self.source.sample_rate:
            rates = f"{tail.sample_rate} Hz and {self.source.sample_rate} Hz"
            raise InputError("copying", f"the sample rates differ: {rates}", "resample one of them")
        frames = mel_frames(tail)[0]
        self._require(frames, "the tail")
        return frames / self._scale

    def _require(self, frames: np.ndarray, subject: str) -> None:
        if len(frames) < self._length:
            raise InputError(subject, f"is shorter than {WINDOW_SECONDS} s", "give it more audio")

    def _matches(self, frames: np.ndarray, source: np.ndarray, separation: float = 0.0) -> Matches:
        similarity, positions = self._nearest(frames, source, separation)
        times = np.arange(len(similarity)) * self._hop / self.frame_rate
        threshold = self.threshold(len(source) / self.frame_rate)
        return Matches(times, similarity, positions / self.frame_rate, threshold)

    def _nearest(self, frames: np.ndarray, source: np.ndarray, separation: float) -> tuple[np.ndarray, np.ndarray]:
        """Similarity (-1 if there is no match at all) and frame index of the best match of each window."""
        queries = windows(frames, self._length, self._hop)
        index = np.arange(len(queries))
        best, position = np.full(len(queries), -1.0, np.float32), np.zeros(len(queries), int)
        for first in range(0, len(source) - self._length + 1, CHUNK):
            products = queries @ windows(source[first : first + CHUNK + self._length - 1], self._length).T
            if separation:
                lag = index[:, None] * self._hop - (first + np.arange(products.shape[1]))
                products[np.abs(lag) < separation * self.frame_rate] = -1
            here = products.argmax(axis=1)
            value = products[index, here]
            position = np.where(value > best, first + here, position)
            best = np.maximum(best, value)
        return best, position


def windows(frames: np.ndarray, length: int, hop: int = 1) -> np.ndarray:
    """Windows of ``[time, bands]`` frames, ``hop`` apart, as unit vectors ``[offsets, bands * length]``, bands centred.

    The inner product of two of them is their normalised correlation. A window without change is the zero vector.
    """
    unfolded = np.lib.stride_tricks.sliding_window_view(frames, length, axis=0)[::hop]
    centred = unfolded - unfolded.mean(axis=-1, keepdims=True)
    flat = centred.reshape(len(centred), -1)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.where(norm < 1e-3, np.inf, norm)
