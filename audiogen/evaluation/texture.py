"""Texture distance: does the generated audio have the statistics that make a sound texture recognisable?

After McDermott & Simoncelli (2011), "Sound texture perception via statistics of the auditory periphery:
evidence from sound synthesis", Neuron 71:926-940. On the compressed envelopes of `envelopes`:

- ``spectrum``: mean of each envelope, in dB;
- ``moments``: coefficient of variation, skewness and kurtosis of each envelope;
- ``correlation``: between the envelopes of bands 1, 2, 3, 5, 8, 11, 16 and 21 apart (the paper's C);
- ``modulation``: power of each envelope in octave bands around 4 to 128 Hz, a share of its variance, in dB;
- ``slow modulation``: the same around 0.5, 1 and 2 Hz (swells, gusts, waves), averaged over 8 neighbouring
  bands: a stretch holds few such cycles, and band by band their scatter would hide a missing swell;
- ``comodulation``: correlation of neighbouring bands within each modulation band (the paper's C1).

The distance of a class is the RMS difference of its statistics. It means nothing by itself: a real
recording differs from itself from one stretch to the next. So each class is divided by the distance between
real stretches of the same recording: 1.0 is as close as another real stretch.

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
from functools import lru_cache

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.evaluation.envelopes import COMPRESSION, FRAME_RATE, band_edges, envelopes

OFFSETS = (1, 2, 3, 5, 8, 11, 16, 21)  # of band pairs whose correlation is taken (the paper's)
MODULATIONS = tuple(2.0**octave for octave in range(-1, 8))  # 0.5 .. 128 Hz
INAUDIBLE = 10 ** (-70 / 20)  # of the real recording's RMS: the threshold of hearing, roughly
SHORTEST = 0.5  # seconds
GROUP = 8  # neighbouring bands whose slow modulation power is averaged

# What each class cannot resolve: keeps silence against silence at 1.0. Units of the class (dB or plain).
RESOLUTION = {
    "spectrum": 0.05,
    "moments": 0.005,
    "correlation": 0.002,
    "modulation": 0.05,
    "slow modulation": 0.05,
    "comodulation": 0.002,
}

Statistics = dict[str, np.ndarray]
"""Class name -> ``[stretches, values]`` float64."""


@dataclass(frozen=True)
class TextureDistance:
    """How far apart two recordings are, in units of how far real stretches are apart.

    Args:
        classes: class name -> distance / floor; 1.0 is as close as another real stretch.
        overall: geometric mean over the classes.
        distance: class name -> distance, in the class's own unit.
        floor: class name -> distance between real stretches.
        stretch: length of the stretches compared, seconds.
    """

    classes: dict[str, float]
    overall: float
    distance: dict[str, float]
    floor: dict[str, float]
    stretch: float


def texture_distance(
    generated: Recording, real: Recording, floor_from: Recording | None = None
) -> TextureDistance:
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

    def __init__(self, real: Recording, floor_from: Recording | None = None) -> None:
        self.audible = INAUDIBLE * max(float(np.sqrt(np.mean(np.square(real.samples)))), 1e-5)
        self.nyquist = real.sample_rate / 2
        self.real = envelopes(real, self.audible)
        other = None if floor_from is None else without(floor_from, real)
        self.other = None if other is None else envelopes(other, self.audible)
        self._floors: dict[tuple[int, int], tuple[dict[str, float], Statistics]] = {}

    def distance(self, generated: Recording) -> TextureDistance:
        """The distance of one generated recording: see `texture_distance`."""
        bands = len(band_edges(min(self.nyquist, generated.sample_rate / 2)))
        judged = envelopes(generated, self.audible)[:, :bands]
        pool = self.real.shape[-1] // 4 if self.other is None else self.other.shape[-1] // 3
        frames = min(judged.shape[-1], self.real.shape[-1], pool)
        if frames < SHORTEST * FRAME_RATE:
            raise InputError(
                "texture distance",
                f"stretches of {frames / FRAME_RATE:.2f} s are too short for statistics",
                f"give it at least {SHORTEST} s of generated and {4 * SHORTEST:g} s of real audio",
            )
        if (frames, bands) not in self._floors:
            self._floors[frames, bands] = self._floor(frames, bands)
        floor, real = self._floors[frames, bands]
        found = _typical(pairwise(statistics(judged, frames), real))
        ratios = {
            name: max(found[name], RESOLUTION[name]) / max(floor[name], RESOLUTION[name]) for name in found
        }
        overall = float(np.exp(np.mean(np.log(list(ratios.values())))))
        return TextureDistance(ratios, overall, found, floor, frames / FRAME_RATE)

    def _floor(self, frames: int, bands: int) -> tuple[dict[str, float], Statistics]:
        real = statistics(self.real[:, :bands], frames)
        if self.other is not None:
            return _typical(pairwise(statistics(self.other[:, :bands], frames), real)), real
        apart = {name: _apart(distances) for name, distances in pairwise(real, real).items()}
        return _typical(apart), real


def without(whole: Recording, part: Recording) -> Recording | None:
    """``whole`` less ``part``, if ``part`` is its end or its beginning; None if nothing is left."""
    time = part.samples.shape[-1]
    rest = whole.samples
    if np.array_equal(rest[:, -time:], part.samples):
        rest = rest[:, :-time]
    elif np.array_equal(rest[:, :time], part.samples):
        rest = rest[:, time:]
    return Recording(rest, whole.sample_rate) if rest.shape[-1] else None


def _apart(distances: np.ndarray) -> np.ndarray:
    """``[n, n]`` distances between half-overlapping stretches: NaN where they share audio."""
    index = np.arange(len(distances))
    return np.where(np.abs(index[:, None] - index) < 2, np.nan, distances)


def _typical(distances: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean over the judged stretches (rows) of the median over the real ones (columns)."""
    return {name: float(np.mean(np.nanmedian(matrix, axis=1))) for name, matrix in distances.items()}


def pairwise(judged: Statistics, real: Statistics) -> dict[str, np.ndarray]:
    """RMS difference of each class between all stretches, ``[judged, real]``.

    Statistics are ``[channels, stretches, values]``; channels are paired cyclically and averaged as squares.
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


def statistics(envelope: np.ndarray, frames: int) -> Statistics:
    """Statistics of each stretch of a recording.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes at 400 Hz.
        frames: length of a stretch; stretches overlap by half, the last one ends with the recording.

    Returns:
        class -> ``[channels, stretches, values]``.
    """
    last = envelope.shape[-1] - frames
    starts = np.unique(np.linspace(0, last, 1 + int(np.ceil(last / (frames / 2)))).round().astype(int))
    table = [[stretch_statistics(channel[:, s : s + frames]) for s in starts] for channel in envelope]
    return {name: np.array([[row[name] for row in rows] for rows in table]) for name in table[0][0]}


def stretch_statistics(envelope: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of one stretch, ``[bands, time]`` compressed envelopes -> class -> ``[values]``."""
    mean = envelope.mean(axis=1, dtype=np.float64)
    centred = envelope - mean[:, None].astype(np.float32)
    # A band that lies at the inaudible floor is constant up to rounding: it has no shape to compare.
    variance = np.mean(centred**2, axis=1, dtype=np.float64) + (0.01 * mean) ** 2
    scaled = (centred / np.sqrt(variance)[:, None]).astype(np.float32)
    square = scaled**2
    skewness, kurtosis = np.mean(square * scaled, axis=1), np.mean(square * square, axis=1)
    correlation = scaled @ scaled.T / scaled.shape[1]
    moments = [np.log(np.sqrt(variance) / mean), skewness, np.log(kurtosis + 1)]
    return {
        "spectrum": 20 / COMPRESSION * np.log10(mean),
        "moments": np.concatenate(moments),
        "correlation": np.concatenate([np.diagonal(correlation, offset) for offset in OFFSETS]),
        **_modulation_statistics(scaled),
    }


def _modulation_statistics(scaled: np.ndarray) -> dict[str, np.ndarray]:
    """Modulation power and comodulation of ``[bands, time]`` envelopes of zero mean and unit variance."""
    from scipy import fft

    time = scaled.shape[1]
    window = np.hanning(time + 2)[1:-1].astype(np.float32)
    weighted = (scaled - (scaled @ window / window.sum())[:, None]) * window
    spectrum = fft.rfft(weighted, axis=1) * np.sqrt(2 / (time * np.sum(window**2)))
    slow, fast, together = [], [], []
    for centre, (bins, weight) in zip(MODULATIONS, _modulation_bands(time), strict=True):
        if centre * time < FRAME_RATE:
            continue
        part = spectrum[:, bins] * np.sqrt(weight)
        power = np.sum(np.abs(part) ** 2, axis=1)
        if centre < 4:
            groups = np.array_split(power, max(1, len(power) // GROUP))
            slow.append(10 * np.log10([group.mean() + 1e-3 for group in groups]))
        else:
            fast.append(10 * np.log10(power + 1e-3))
        if centre >= 4:
            norm = np.sqrt(power + 1e-6)
            cross = (part @ part.conj().T).real / (norm[:, None] * norm)
            together += [np.diagonal(cross, 1), np.diagonal(cross, 2)]
    classes = {"modulation": fast, "slow modulation": slow, "comodulation": together}
    return {name: np.concatenate(values) for name, values in classes.items() if values}


@lru_cache(maxsize=16)
def _modulation_bands(time: int) -> list[tuple[slice, np.ndarray]]:
    """Raised-cosine power weights an octave apart that sum to one; bins and weights of each band."""
    frequency = np.arange(1, time // 2 + 1) * FRAME_RATE / time
    bands = []
    for centre in MODULATIONS:
        octaves = np.log2(frequency / centre)
        used = np.flatnonzero(np.abs(octaves) < 1)
        weight = np.cos(np.pi / 2 * octaves[used]) ** 2
        bands.append((slice(1 + int(used[0]), 2 + int(used[-1])) if len(used) else slice(0, 0), weight))
    return [(bins, weight.astype(np.float32)) for bins, weight in bands]
