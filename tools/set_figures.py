"""What `tools/check_files.py` measures of sets: how near two takes are, and how near two segments of the recording.

Waveforms and envelopes are compared here, independently of the package; repetitions by the measure that takes avoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from file_figures import OCTAVES, Row, written

from audiogen.audio import Recording, read
from audiogen.dsp.fourier import fast_length
from audiogen.jobs.continue_set import continue_set
from audiogen.jobs.loudness_target import loudness_in
from audiogen.jobs.request import Request
from audiogen.metrics.copying import RepetitionDetector
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.output_names import numbered

TAKES, TAKE_SECONDS = 8, 5.0
COMPARED = 4  # takes whose texture is compared
ENVELOPE_SECONDS = 0.005


def sets(name: str, recording: Recording, folder: Path) -> list[Row]:
    """A set of takes: how much of one is repeated in another, of all pairs and of as many pairs of real segments."""
    clip = written(recording, folder / "clip.wav")
    names = numbered(folder / "take.wav", TAKES)
    wanted = [(out, Request(seconds=TAKE_SECONDS, seed=seed)) for seed, out in enumerate(names)]
    sidecars = list(continue_set(clip, wanted, budget=0))
    loudness = [loudness_in(out) for out in names]
    takes, detector = [read(out) for out in names], RepetitionDetector(clip)
    made = [repeated(detector, *pair) for pair in combinations(takes, 2)]
    real = [repeated(detector, *pair) for pair in segment_pairs(clip, len(made))]
    row = {"name": name, "nearest": max(made), "mean": float(np.mean(made)), "loudness": max(loudness) - min(loudness)}
    row |= {"real nearest": max(real), "real mean": float(np.mean(real))}
    row["distinct"] = sidecars[-1]["settings"]["set"]["distinct"]
    for measure, found in {"waveform": alike, "envelopes": envelopes_alike}.items():
        row[measure] = found(list(combinations(takes, 2)))
        row["real " + measure] = found(segment_pairs(clip, len(made)))
        row["control " + measure] = found([(takes[0], reordered(takes[0]))])
    row["control"] = repeated(detector, takes[0], reordered(takes[0]))
    evaluator = TailEvaluator(clip)
    gains = [10 ** (-sidecar["loudness"]["gain_db"] / 20) for sidecar in sidecars]
    plain = [
        Recording(take.samples * np.float32(gain), take.sample_rate) for take, gain in zip(takes, gains, strict=True)
    ]
    for measure in ("texture", "scattering"):
        distances = [
            found.overall for take in plain[:COMPARED] if (found := getattr(evaluator, measure)(take)) is not None
        ]
        row |= {f"first {measure}": distances[0], measure: float(np.mean(distances[1:]))}
    return [row]


def reordered(take: Recording) -> Recording:
    """A take with its seconds in the opposite order: what no measure of a set may pass."""
    rate = take.sample_rate
    parts = [take.samples[:, start : start + rate] for start in range(0, take.length - rate + 1, rate)]
    return Recording(np.concatenate(parts[::-1], axis=1), rate)


def repeated(detector: RepetitionDetector, first: Recording, second: Recording) -> float:
    """Fraction of the half seconds of one sound that repeat a passage of the other, the larger of both directions."""
    return max(detector.between(first, second).fraction, detector.between(second, first).fraction)


def segment_pairs(clip: Recording, count: int) -> list[tuple[Recording, Recording]]:
    """Pairs of segments of a recording, as long as a take, that do not overlap, at random."""
    generator, length = np.random.default_rng(0), min(round(TAKE_SECONDS * clip.sample_rate), clip.length // 2)
    pairs = []
    for _ in range(count):
        first = int(generator.integers(0, clip.length - 2 * length + 1))
        second = int(generator.integers(first + length, clip.length - length + 1))
        pairs.append((clip.cut(first, first + length), clip.cut(second, second + length)))
    return pairs


class Waveforms:
    """Half seconds of a sound, and where they are searched for: transforms are made once for all pairs.

    Args:
        sound: at least half a second.
        size: samples of the transforms, at least those of the longest sound: half seconds lie within it.
    """

    def __init__(self, sound: Recording, size: int) -> None:
        self._size, self._length = size, sound.sample_rate // 2
        samples = sound.samples.mean(0).astype(np.float64)
        total = np.concatenate([[0.0], np.cumsum(np.square(samples))])
        self._places = np.sqrt(np.maximum(total[self._length :] - total[: -self._length], 0))
        self._spectrum = np.fft.rfft(samples, size)
        starts = range(0, len(samples) - self._length + 1, self._length)
        windows = [samples[start : start + self._length] for start in starts]
        self._norms = [float(np.linalg.norm(window)) for window in windows]
        self._windows = [np.fft.rfft(window, size).conj() for window in windows]

    def highest(self, other: Waveforms) -> float:
        """Largest correlation of one of the half seconds with any of another sound."""
        highest, count = 0.0, len(other._places)
        for window, norm in zip(self._windows, self._norms, strict=True):
            products = np.fft.irfft(other._spectrum * window, self._size)[:count]
            highest = max(highest, float(np.abs(products / np.maximum(norm * other._places, 1e-12)).max()))
        return highest


def alike(pairs: Sequence[tuple[Recording, Recording]]) -> float:
    """Largest correlation, of any pair, of a half second's waveform of the first sound with one in the second."""
    sounds = {id(sound): sound for pair in pairs for sound in pair}
    size = fast_length(max(sound.length for sound in sounds.values()))
    known = {key: Waveforms(sound, size) for key, sound in sounds.items()}
    return max(known[id(first)].highest(known[id(second)]) for first, second in pairs)


def envelopes_alike(pairs: Sequence[tuple[Recording, Recording]]) -> float:
    """The same of envelopes: powers of octaves every 5 ms.

    Phases do not count, and neither do the mel frames that takes are compared by while they are made.
    """
    bands = {id(sound): _envelopes(sound) for pair in pairs for sound in pair}
    return max(_envelopes_alike(bands[id(first)], bands[id(second)]) for first, second in pairs)


def _envelopes_alike(one: np.ndarray, other: np.ndarray) -> float:
    size = round(0.5 / ENVELOPE_SECONDS)
    places = np.lib.stride_tricks.sliding_window_view(other, size, axis=1)
    places = places - places.mean(-1, keepdims=True)
    norms, highest = np.sqrt(np.square(places).sum((0, 2))), 0.0
    for start in range(0, one.shape[1] - size + 1, size):
        window = one[:, start : start + size] - one[:, start : start + size].mean(-1, keepdims=True)
        products = np.einsum("bps,bs->p", places, window)
        highest = max(highest, float((products / np.maximum(norms * np.linalg.norm(window), 1e-12)).max()))
    return highest


def _envelopes(sound: Recording) -> np.ndarray:
    """Root powers ``[octaves, time]``, each with unit variance."""
    hop = round(ENVELOPE_SECONDS * sound.sample_rate)
    frames = np.lib.stride_tricks.sliding_window_view(sound.samples.mean(0), 4 * hop)[::hop]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(4 * hop), axis=1)))
    edges = np.searchsorted(np.fft.rfftfreq(4 * hop, 1 / sound.sample_rate), OCTAVES)
    bands = np.sqrt(np.add.reduceat(power, edges, axis=1)).T
    return bands / np.maximum(bands.std(-1, keepdims=True), 1e-12)
