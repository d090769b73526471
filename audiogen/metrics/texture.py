"""Texture distance between recordings, in units of the distance between real segments of one recording.

The statistics are those of McDermott & Simoncelli (2011), "Sound texture perception via statistics of the auditory
periphery: evidence from sound synthesis", Neuron 71:926-940; `audiogen.representation.texture_statistics` computes them
in classes (the lines of the texture chart). The distance of a class is the RMS difference of its statistics, each
divided by its own scatter between real segments (McDermott, Schemitsch & Simoncelli 2013, "Summary statistics in
auditory perception", Nature Neuroscience 16:493: what varies between excerpts of a texture does not distinguish them).
The scatter is estimated from short segments (a twelfth of the recording, at least 2 s) and shrunk towards the mean of
its class, the more the fewer segments there are.

A distance alone means nothing, since a real recording differs from itself. Each class is therefore divided by its
floor, the distance between real segments of the same recording: 1.0 is as close as another real segment.

**Lengths.** Statistics of a short segment scatter more than those of a long one, so everything is compared in segments
of one length: the shortest of the generated recording, the real one, and a third of the recording that the floor is
taken from (a quarter of the real one if there is no other). Longer recordings are cut into segments that overlap by
half, and all of them count, so that a continuation cannot hide a bad minute. Nothing is extrapolated from other
lengths, so the floor needs no correction. The price: a short recording (8 s: segments of 2 s) is compared in short
segments, whose scatter hides small faults. Modulation bands with less than one cycle per segment are left out. Segments
below 0.5 s are too short for any statistics and raise an error.

**Channels.** Each channel is compared with the same channel (cyclically, if their numbers differ) and the squared
distances are averaged; nothing is mixed down, so nothing can cancel. `stereo` measures the relation of the channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.representation.cochleagram import FRAME_RATE, audibility_floor, band_edges, envelopes
from audiogen.representation.texture_statistics import Analysis, Statistics, scatter, statistics

MIN_SECONDS = 0.5  # of a segment
DISTANCE_FLOOR = 0.1  # scatters: the resolution of a distance


@dataclass(frozen=True)
class TextureDistance:
    """Texture distance of two recordings, relative to that of real segments.

    Args:
        classes: class name -> distance / floor; 1.0 is as close as another real segment.
        overall: geometric mean over the classes.
        distance: class name -> distance, in units of the statistics' scatter between short real segments.
        floor: class name -> distance between real segments.
        segment_seconds: length of the compared segments.
    """

    classes: dict[str, float]
    overall: float
    distance: dict[str, float]
    floor: dict[str, float]
    segment_seconds: float


def texture_distance(generated: Recording, real: Recording, floor_from: Recording | None = None) -> TextureDistance:
    """Texture distance of generated audio from real audio.

    Args:
        generated: the generated audio.
        real: real audio of the same recording, ideally what followed the prompt.
        floor_from: other real audio of that recording (the prompt), whose distance to ``real`` is the floor. If
            ``real`` is its end or beginning, that part is left out. None takes the floor between the segments of
            ``real``.

    Raises:
        InputError: one of them is too short (0.5 s; 2 s for ``real`` without ``floor_from``).
    """
    return TextureReference(real, floor_from).distance(generated)


class TextureReference:
    """`texture_distance` to one real recording, which is analysed once for many generated ones.

    Args:
        real, floor_from: see `texture_distance`.
        nyquist: highest frequency that is compared, Hz; None for half the sample rate.
    """

    of: Analysis | None = None  # statistics of a segment; None for those of `texture_statistics`
    frame_rate: float = FRAME_RATE  # of what `analyse` returns, Hz
    min_seconds = MIN_SECONDS

    def __init__(self, real: Recording, floor_from: Recording | None = None, nyquist: float | None = None) -> None:
        self.audible = audibility_floor(real.samples)
        self.nyquist = nyquist or real.sample_rate / 2
        self.real = self.analyse(real)
        other = None if floor_from is None else remove_part(floor_from, real)
        self.other = None if other is None else self.analyse(other)
        self._by_length: dict[tuple[int, int], _SegmentDistances] = {}

    def analyse(self, recording: Recording) -> np.ndarray:
        """Band envelopes ``[channels, bands, time]`` at 400 Hz."""
        return envelopes(recording, self.audible)

    def bands(self, nyquist: float) -> int:
        """Number of bands below ``nyquist``."""
        return len(band_edges(nyquist))

    def distance(self, generated: Recording) -> TextureDistance:
        """Texture distance of one generated recording."""
        bands = self.bands(min(self.nyquist, generated.sample_rate / 2))
        generated_envelopes = self.analyse(generated)[:, :bands]
        pool = self.real.shape[-1] // 4 if self.other is None else self.other.shape[-1] // 3
        frames = min(generated_envelopes.shape[-1], self.real.shape[-1], pool)
        if frames < self.min_seconds * self.frame_rate:
            raise InputError(
                "texture distance",
                f"segments of {frames / self.frame_rate:.2f} s are too short for statistics",
                f"give it at least {self.min_seconds:g} s of generated and {4 * self.min_seconds:g} s of real audio",
            )
        if (frames, bands) not in self._by_length:
            other = None if self.other is None else self.other[:, :bands]
            self._by_length[frames, bands] = _SegmentDistances(self.real[:, :bands], other, frames, self)
        segments = self._by_length[frames, bands]
        distance, floor = segments.distance(generated_envelopes), segments.floor
        ratios = {name: distance[name] / floor[name] for name in distance}
        overall = float(np.exp(np.mean(np.log(list(ratios.values())))))
        return TextureDistance(ratios, overall, distance, floor, frames / self.frame_rate)

    def relation(self) -> dict[str, float]:
        """Energy statistic of the real recording and the other one: class -> distance between over distance within.

        The distance between the two recordings is divided by the mean of the distances within each of them (Székely &
        Rizzo 2013, J. Stat. Plan. Inference 143:1249, as a ratio). About 1 if both are one kind of sound. Empty without
        another recording, or if either is too short for three segments.
        """
        if self.other is None:
            return {}
        bands = self.bands(self.nyquist)
        frames = min(self.real.shape[-1], self.other.shape[-1]) // 3
        if frames < self.min_seconds * self.frame_rate:
            return {}
        spread = scatter(self.other[:, :bands], frames, self.frame_rate, self.of)
        channels = np.arange(max(len(self.real), len(self.other)))

        def scaled(envelope: np.ndarray) -> Statistics:
            table = statistics(envelope[channels % len(envelope), :bands], frames, self.frame_rate, self.of)
            return {name: values / spread[name][channels % len(spread[name])] for name, values in table.items()}

        def within(recording: Statistics) -> dict[str, float]:
            return _median({name: _exclude_overlaps(table) for name, table in pairwise(recording, recording).items()})

        real, other = scaled(self.real), scaled(self.other)
        between, first, second = _median(pairwise(real, other)), within(real), within(other)
        return {name: 2 * between[name] / (first[name] + second[name]) for name in between}


class _SegmentDistances:
    """Distances between segments of one length.

    Args:
        real: ``[channels, bands, time]`` envelopes of the real recording.
        other: those of other real audio, from which the floor is taken; None for ``real`` itself.
        frames: length of a segment.
        reference: whose frame rate and statistics these are.
    """

    def __init__(self, real: np.ndarray, other: np.ndarray | None, frames: int, reference: TextureReference) -> None:
        self.frames, self.rate, self.of = frames, reference.frame_rate, reference.of
        pool = real if other is None else other
        self.scatter = scatter(pool, frames, self.rate, self.of)
        self.real = self._scaled(real)
        if other is None:
            separate = {name: _exclude_overlaps(table) for name, table in pairwise(self.real, self.real).items()}
            self.floor = _typical(separate)
        else:
            self.floor = self.distance(other)

    def distance(self, generated: np.ndarray) -> dict[str, float]:
        """Class name -> distance of ``[channels, bands, time]`` envelopes from the real ones."""
        return _typical(pairwise(self._scaled(generated), self.real))

    def _scaled(self, envelope: np.ndarray) -> Statistics:
        found = statistics(envelope, self.frames, self.rate, self.of)
        channels = np.arange(len(envelope))
        return {name: values / self.scatter[name][channels % len(self.scatter[name])] for name, values in found.items()}


def remove_part(whole: Recording, part: Recording) -> Recording | None:
    """``whole`` without ``part``, if ``part`` is its end or its beginning; None if nothing remains."""
    time = part.samples.shape[-1]
    rest = whole.samples
    if np.array_equal(rest[:, -time:], part.samples):
        rest = rest[:, :-time]
    elif np.array_equal(rest[:, :time], part.samples):
        rest = rest[:, time:]
    return Recording(rest, whole.sample_rate) if rest.shape[-1] else None


def _exclude_overlaps(distances: np.ndarray) -> np.ndarray:
    """``[n, n]`` distances between half-overlapping segments, with NaN where two segments share audio."""
    index = np.arange(len(distances))
    return np.where(np.abs(index[:, None] - index) < 2, np.nan, distances)


def _typical(distances: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean over the generated segments (rows) of the median over the real ones (columns), at least `DISTANCE_FLOOR`.

    The floor makes the ratio of silence to silence 1.0.
    """
    typical = {name: float(np.mean(np.nanmedian(table, axis=1))) for name, table in distances.items()}
    return {name: max(value, DISTANCE_FLOOR) for name, value in typical.items()}


def _median(distances: dict[str, np.ndarray]) -> dict[str, float]:
    """Median over all pairs of segments, at least `DISTANCE_FLOOR`."""
    return {name: max(float(np.nanmedian(table)), DISTANCE_FLOOR) for name, table in distances.items()}


def pairwise(generated: Statistics, real: Statistics) -> dict[str, np.ndarray]:
    """RMS difference of each class between all segments, class -> ``[generated, real]``.

    Channels are paired cyclically and their squared differences averaged.
    """
    distances = {}
    for name, values in generated.items():
        channels = max(len(values), len(real[name]))
        squares = [
            np.mean((values[k % len(values)][:, None] - real[name][k % len(real[name])][None]) ** 2, axis=-1)
            for k in range(channels)
        ]
        distances[name] = np.sqrt(np.mean(squares, axis=0))
    return distances
