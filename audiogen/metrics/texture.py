"""Texture distance: does the generated audio have the statistics that make a sound texture recognisable?

The statistics are those of McDermott & Simoncelli (2011), "Sound texture perception via statistics of the
auditory periphery: evidence from sound synthesis", Neuron 71:926-940, in the classes of
`texture_statistics`. The distance of a class is the RMS difference of its statistics, each in units of its
own scatter from one real stretch to the next (McDermott, Schemitsch & Simoncelli 2013, "Summary statistics
in auditory perception", Nature Neuroscience 16:493: what varies between excerpts of a texture does not tell
them apart). The scatter is taken over short stretches (a twelfth of the recording, 2 s at least) and drawn
towards the mean of its class, as far as their number leaves it uncertain.

A distance means nothing by itself: a real recording differs from itself. So each class is divided by the
distance between real stretches of the same recording: 1.0 is as close as another real stretch.

**Lengths.** Statistics of a short stretch scatter more than those of a long one, so everything is compared
in stretches of one common length: the shortest of the generated recording, the real one, and a third of the
recording that the floor is taken from (a quarter of the real one if there is no other). Longer recordings
are cut into stretches that overlap by half and all of them count, so that a continuation cannot hide a bad
minute. Nothing is extrapolated from other lengths, so the floor needs no correction; the price is that a
short recording (8 s: stretches of 2 s) is judged in short stretches, whose scatter hides small faults.
Modulation bands that do not complete one cycle in a stretch are left out. Under half a second nothing can
be said and an error is raised.

**Channels.** Each channel is compared with the same channel (cyclically, if their numbers differ) and the
squared distances are averaged: nothing is mixed down, so nothing can cancel. How channels relate is the
business of `stereo`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.representation.cochleagram import FRAME_RATE, audibility_floor, band_edges, envelopes
from audiogen.representation.texture_statistics import Analysis, Statistics, scatter, statistics

MIN_SECONDS = 0.5  # seconds
DISTANCE_FLOOR = 0.1  # scatters: closer than that is the same


@dataclass(frozen=True)
class TextureDistance:
    """How far apart two recordings are, in units of how far real stretches are apart.

    Args:
        classes: class name -> distance / floor; 1.0 is as close as another real stretch.
        overall: geometric mean over the classes.
        distance: class name -> distance, in units of the statistics' scatter between short real stretches.
        floor: class name -> distance between real stretches.
        segment_seconds: length of the stretches compared, seconds.
    """

    classes: dict[str, float]
    overall: float
    distance: dict[str, float]
    floor: dict[str, float]
    segment_seconds: float


def texture_distance(generated: Recording, real: Recording, floor_from: Recording | None = None) -> TextureDistance:
    """Texture statistics of ``generated`` against ``real``, relative to those between real stretches.

    Args:
        generated: what is judged.
        real: real audio of the same recording, best of the same place in time (what truly came next).
        floor_from: other real audio of that recording (the prompt), whose distance to ``real`` is the floor.
            If ``real`` is its end or its beginning, that part is left out. None takes the floor between the
            stretches of ``real`` itself.

    Raises:
        InputError: one of them is too short (0.5 s; 2 s for ``real`` without ``floor_from``).
    """
    return TextureReference(real, floor_from).distance(generated)


class TextureReference:
    """`texture_distance` to one real recording, whose analysis is kept for many generated ones."""

    of: Analysis | None = None  # what is said of a stretch, if not `stretch_statistics`

    def __init__(self, real: Recording, floor_from: Recording | None = None, nyquist: float | None = None) -> None:
        self.audible = audibility_floor(real.samples)
        self.nyquist = nyquist or real.sample_rate / 2  # Hz, up to which bands are compared
        self.real = self.analysed(real)
        other = None if floor_from is None else remove_part(floor_from, real)
        self.other = None if other is None else self.analysed(other)
        self._yardsticks: dict[tuple[int, int], _SegmentDistances] = {}

    def analysed(self, recording: Recording) -> np.ndarray:
        """``[channels, bands, time]`` at 400 Hz."""
        return envelopes(recording, self.audible)

    def bands(self, nyquist: float) -> int:
        """How many of them lie below ``nyquist``."""
        return len(band_edges(nyquist))

    def distance(self, generated: Recording) -> TextureDistance:
        """The distance of one generated recording: see `texture_distance`."""
        bands = self.bands(min(self.nyquist, generated.sample_rate / 2))
        judged = self.analysed(generated)[:, :bands]
        pool = self.real.shape[-1] // 4 if self.other is None else self.other.shape[-1] // 3
        frames = min(judged.shape[-1], self.real.shape[-1], pool)
        if frames < MIN_SECONDS * FRAME_RATE:
            raise InputError(
                "texture distance",
                f"stretches of {frames / FRAME_RATE:.2f} s are too short for statistics",
                f"give it at least {MIN_SECONDS} s of generated and {4 * MIN_SECONDS:g} s of real audio",
            )
        if (frames, bands) not in self._yardsticks:
            other = None if self.other is None else self.other[:, :bands]
            self._yardsticks[frames, bands] = _SegmentDistances(self.real[:, :bands], other, frames, self.of)
        yardstick = self._yardsticks[frames, bands]
        found, floor = yardstick.distance(judged), yardstick.floor
        ratios = {name: found[name] / floor[name] for name in found}
        overall = float(np.exp(np.mean(np.log(list(ratios.values())))))
        return TextureDistance(ratios, overall, found, floor, frames / FRAME_RATE)

    def relation(self) -> dict[str, float]:
        """Class -> distance between the real recording and the other one, over the mean of that within each of the two.

        About 1 where both are one kind of sound, of which one has no more to do with itself than with the other (the
        energy statistic of Székely & Rizzo 2013, J. Stat. Plan. Inference 143:1249, as a ratio). Empty without another,
        or where either is too short for three stretches.
        """
        if self.other is None:
            return {}
        bands = self.bands(self.nyquist)
        frames = min(self.real.shape[-1], self.other.shape[-1]) // 3
        if frames < MIN_SECONDS * FRAME_RATE:
            return {}
        spread = scatter(self.other[:, :bands], frames, analyse=self.of)
        channels = np.arange(max(len(self.real), len(self.other)))

        def scaled(envelope: np.ndarray) -> Statistics:
            found = statistics(envelope[channels % len(envelope), :bands], frames, analyse=self.of)
            return {name: values / spread[name][channels % len(spread[name])] for name, values in found.items()}

        def within(recording: Statistics) -> dict[str, float]:
            return _median({name: _exclude_overlaps(table) for name, table in pairwise(recording, recording).items()})

        real, other = scaled(self.real), scaled(self.other)
        between, first, second = _median(pairwise(real, other)), within(real), within(other)
        return {name: 2 * between[name] / (first[name] + second[name]) for name in between}


class _SegmentDistances:
    """Distances between stretches of one length.

    Args:
        real: ``[channels, bands, time]`` envelopes of the real recording.
        other: those of other real audio, which the floor is taken from; None: ``real`` itself.
        frames: length of a stretch.
        of: what is said of a stretch, if not `stretch_statistics`.
    """

    def __init__(self, real: np.ndarray, other: np.ndarray | None, frames: int, of: Analysis | None) -> None:
        self.frames, self.of = frames, of
        pool = real if other is None else other
        self.scatter = scatter(pool, frames, analyse=of)
        self.real = self._scaled(real)
        if other is None:
            apart = {name: _exclude_overlaps(table) for name, table in pairwise(self.real, self.real).items()}
            self.floor = _typical(apart)
        else:
            self.floor = self.distance(other)

    def distance(self, judged: np.ndarray) -> dict[str, float]:
        """Class name -> distance of ``[channels, bands, time]`` envelopes from the real ones."""
        return _typical(pairwise(self._scaled(judged), self.real))

    def _scaled(self, envelope: np.ndarray) -> Statistics:
        found = statistics(envelope, self.frames, analyse=self.of)
        channels = np.arange(len(envelope))
        return {name: values / self.scatter[name][channels % len(self.scatter[name])] for name, values in found.items()}


def remove_part(whole: Recording, part: Recording) -> Recording | None:
    """``whole`` less ``part``, if ``part`` is its end or its beginning; None if nothing is left."""
    time = part.samples.shape[-1]
    rest = whole.samples
    if np.array_equal(rest[:, -time:], part.samples):
        rest = rest[:, :-time]
    elif np.array_equal(rest[:, :time], part.samples):
        rest = rest[:, time:]
    return Recording(rest, whole.sample_rate) if rest.shape[-1] else None


def _exclude_overlaps(distances: np.ndarray) -> np.ndarray:
    """``[n, n]`` distances between half-overlapping stretches: NaN where they share audio."""
    index = np.arange(len(distances))
    return np.where(np.abs(index[:, None] - index) < 2, np.nan, distances)


def _typical(distances: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean over the judged stretches (rows) of the median over the real ones (columns).

    Nothing is closer than what the class resolves: so silence against silence reads 1.0.
    """
    typical = {name: float(np.mean(np.nanmedian(table, axis=1))) for name, table in distances.items()}
    return {name: max(value, DISTANCE_FLOOR) for name, value in typical.items()}


def _median(distances: dict[str, np.ndarray]) -> dict[str, float]:
    """Median over all pairs of stretches, at least what the class resolves."""
    return {name: max(float(np.nanmedian(table)), DISTANCE_FLOOR) for name, table in distances.items()}


def pairwise(judged: Statistics, real: Statistics) -> dict[str, np.ndarray]:
    """RMS difference of each class between all stretches, ``[judged, real]``.

    Channels are paired cyclically and averaged as squares.
    """
    found = {}
    for name, values in judged.items():
        channels = max(len(values), len(real[name]))
        squares = [
            np.mean((values[k % len(values)][:, None] - real[name][k % len(real[name])][None]) ** 2, axis=-1)
            for k in range(channels)
        ]
        found[name] = np.sqrt(np.mean(squares, axis=0))
    return found
