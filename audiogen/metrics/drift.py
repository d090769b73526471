"""Drift: changes of level, spectral centroid, bands and variance over the course of a continuation.

`DriftMeter` collects statistics per second of audio from blocks of any size, about 2 kB per second; `drift` summarises
them. Centroid: the magnitude-weighted mean frequency (Peeters 2004, "A large set of audio features", 6.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.channel_covariance import second_moments
from audiogen.metrics.spectra import POWER_FLOOR, decibels, frame_size, spectra, third_octaves
from audiogen.metrics.stereo import band_covariance
from audiogen.metrics.tonality import line_energy, tonal_to_noise

SILENCE_FLOOR = 1e-8  # mean square of a silent frame: -80 dBFS
STILL_DB = 0.1  # RMS change over bands below which a frame counts as unchanged
MAX_HERTZ = 22_050.0  # of the centroid: what is above is inaudible, and missing in tails
FULL_SCALE = 32767 / 32768
END_SECONDS = 60.0  # compared at the beginning and the end; half of a shorter sound
WINDOW_SECONDS = 30.0  # of the averages whose largest deviation is reported
BAND_RANGE = 40.0  # dB below the loudest band of the reference; quieter bands are left out


@dataclass
class SecondStats:
    """Sums over one second of audio."""

    samples: int
    energy: float  # mean square over channels and time
    frames: int
    centroid: tuple[float, float]  # sum of frequency x magnitude, sum of magnitude
    bands: np.ndarray  # [bands] mean power
    log_sum: np.ndarray  # [bands] sum of the frames' log powers, dB
    log_square: np.ndarray  # [bands] sum of their squares
    silent: int  # frames
    still: int  # frames
    clipped: int  # samples
    tenths: np.ndarray  # mean square of each whole tenth of a second
    lines: tuple[float, float]  # energy of spectral lines, and of the rest
    covariance: np.ndarray  # [channels, channels]
    band_covariance: np.ndarray  # [bands, channels, channels]


class DriftMeter:
    """Statistics per second of a sound that arrives in blocks.

    Args:
        sample_rate: Hz.
        channels: rows of each block.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.sample_rate, self.channels = sample_rate, channels
        self.size = frame_size(sample_rate)
        self.centres, self._bands = third_octaves(sample_rate, self.size)
        hertz = np.fft.rfftfreq(self.size, 1 / sample_rate).astype(np.float32)
        self._hertz = hertz[hertz <= MAX_HERTZ]
        self._rest = np.zeros((channels, 0), np.float32)
        self._last: np.ndarray | None = None
        self._seconds: list[SecondStats] = []

    @classmethod
    def of(cls, recording: Recording) -> DriftMeter:
        """The meter after a whole recording."""
        meter = cls(recording.sample_rate, recording.channels)
        meter.push(recording.samples)
        return meter

    def push(self, block: np.ndarray) -> None:
        """Add ``[channels, time]`` samples; the result does not depend on the block size."""
        if self._rest.shape[1]:
            block = np.concatenate([self._rest, block], axis=1)
        whole = block.shape[1] // self.sample_rate * self.sample_rate
        for first in range(0, whole, self.sample_rate):
            self._seconds.append(self._measure(block[:, first : first + self.sample_rate]))
        self._rest = block[:, whole:].copy()

    def seconds(self) -> list[SecondStats]:
        """Statistics of each second so far; a remainder counts if it is at least half a second or all there is."""
        enough = self._rest.shape[1] >= max(self.size, self.sample_rate // 2)
        if enough or (not self._seconds and self._rest.shape[1]):
            last, extra = self._last, self._measure(self._rest)
            self._last = last
            return [*self._seconds, extra]
        return self._seconds

    def _measure(self, samples: np.ndarray) -> SecondStats:
        clipped = int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
        energy, between = float(np.mean(samples.astype(np.float64) ** 2)), second_moments(samples)
        tenths, lines = _tenths(samples, self.sample_rate), line_energy(samples, self.sample_rate)
        if samples.shape[1] < self.size:
            samples = np.pad(samples, ((0, 0), (0, self.size - samples.shape[1])))
        spectrum = spectra(samples, self.size, self.size // 2)
        power = np.mean(spectrum.real**2 + spectrum.imag**2, axis=0)
        magnitude = np.sqrt(power[:, : len(self._hertz)]).sum(axis=0)
        bands = power @ self._bands
        logs = decibels(bands)
        before = logs[:1] + np.inf if self._last is None else self._last[None]
        change = np.sqrt(np.mean(np.diff(logs, axis=0, prepend=before) ** 2, axis=1))
        self._last = logs[-1]
        return SecondStats(
            samples=samples.shape[1],
            energy=energy,
            frames=len(logs),
            centroid=(float(magnitude @ self._hertz), float(magnitude.sum())),
            bands=bands.mean(axis=0).astype(np.float64),
            log_sum=logs.sum(axis=0, dtype=np.float64),
            log_square=(logs.astype(np.float64) ** 2).sum(axis=0),
            silent=int(np.count_nonzero(power.sum(axis=1) < SILENCE_FLOOR)),
            still=int(np.count_nonzero(change < STILL_DB)),
            clipped=clipped,
            tenths=tenths,
            lines=lines,
            covariance=between,
            band_covariance=band_covariance(spectrum, self._bands) if self.channels > 1 else np.zeros((0, 1, 1)),
        )


def _tenths(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mean square of each whole tenth of a second."""
    size = max(rate // 10, 1)
    whole = samples[:, : samples.shape[1] // size * size].reshape(len(samples), -1, size)
    return np.square(whole, dtype=np.float64).mean(axis=(0, 2))


@dataclass(frozen=True)
class SegmentStats:
    """Averages over a segment of several seconds.

    Args:
        level: dB relative to full scale.
        centroid: Hz, of what lies below `MAX_HERTZ`; 0 for silence.
        bands: ``[bands]`` level of each third octave, dB.
        variance: of log band powers over frames, averaged over bands, dB squared.
        silent: fraction of frames below -80 dBFS.
        still: fraction of frames that differ from the previous one by less than 0.1 dB.
        clipped: fraction of samples at full scale.
        tonality: energy of spectral lines over the rest, dB; NaN for silence.
    """

    level: float
    centroid: float
    bands: np.ndarray
    variance: float
    silent: float
    still: float
    clipped: float
    tonality: float


def segment_stats(seconds: list[SecondStats], channels: int) -> SegmentStats:
    """Averages over consecutive items of `DriftMeter.seconds`, at least one."""
    frames = sum(s.frames for s in seconds)
    weights = np.array([s.samples for s in seconds], float)
    mean = sum(s.log_sum for s in seconds) / frames
    variance = sum(s.log_square for s in seconds) / frames - mean**2
    weighted, total = (sum(s.centroid[k] for s in seconds) for k in (0, 1))
    return SegmentStats(
        level=float(decibels(np.average([s.energy for s in seconds], weights=weights))),
        centroid=weighted / total if total > POWER_FLOOR else 0.0,
        bands=decibels(np.average([s.bands for s in seconds], axis=0, weights=weights)),
        variance=float(np.mean(np.maximum(variance, 0))),
        silent=sum(s.silent for s in seconds) / frames,
        still=sum(s.still for s in seconds) / frames,
        clipped=sum(s.clipped for s in seconds) / (channels * weights.sum()),
        tonality=tonal_to_noise(*(sum(s.lines[k] for s in seconds) for k in (0, 1))),
    )


def sum_covariances(seconds: list[SecondStats]) -> tuple[np.ndarray, np.ndarray]:
    """``[channels, channels]`` and ``[bands, channels, channels]`` covariances of a segment."""
    return sum(s.covariance for s in seconds), sum(s.band_covariance for s in seconds)  # type: ignore[return-value]


def drift(meter: DriftMeter, reference: DriftMeter | None = None) -> dict[str, float]:
    """Change of a sound over time, and its deviation from a reference.

    Args:
        meter: of the sound, at least one sample.
        reference: of the continued recording; None compares with the sound's own average.

    Returns:
        ``level_change_db``, ``centroid_change_percent``, ``variance_change_ratio``: last minute compared with the first
        (the halves, below two minutes).
        ``level_slope_db``, ``centroid_slope_percent``: least-squares slope per minute.
        ``level_deviation_db``, ``centroid_deviation_percent``, ``band_deviation_db``: largest deviation of any half
        minute (or half of the sound) from the reference; of the bands within 40 dB of the reference's loudest.
        ``variance_ratio``: smallest variance of any half minute over the reference's; near 0 if the continuation
        collapsed to a constant frame.
        ``silent_fraction``, ``still_fraction``: fractions of frames, see `SegmentStats`.
    """
    seconds = meter.seconds()
    whole = segment_stats(seconds, meter.channels)
    base = whole if reference is None else segment_stats(reference.seconds(), reference.channels)
    half = max(1, len(seconds) // 2)
    ends = min(half, int(END_SECONDS))
    first, last = segment_stats(seconds[:ends], meter.channels), segment_stats(seconds[-ends:], meter.channels)
    step = min(half, int(WINDOW_SECONDS))
    starts = [*range(0, len(seconds) - step + 1, step), len(seconds) - step]
    parts = [segment_stats(seconds[start : start + step], meter.channels) for start in starts]
    kept = base.bands > base.bands.max() - BAND_RANGE
    levels = np.array([s.energy for s in seconds])
    centroids = np.array([s.centroid[0] / max(s.centroid[1], POWER_FLOOR) for s in seconds])
    return {
        "level_change_db": last.level - first.level,
        "level_slope_db": _slope(decibels(levels)),
        "level_deviation_db": max(abs(part.level - base.level) for part in parts),
        "centroid_change_percent": _percent(last.centroid, first.centroid),
        "centroid_slope_percent": _slope(centroids) / max(whole.centroid, 1.0) * 100,
        "centroid_deviation_percent": max(abs(_percent(part.centroid, base.centroid)) for part in parts),
        "band_deviation_db": max(float(np.abs(part.bands - base.bands)[kept].max()) for part in parts),
        "variance_change_ratio": last.variance / max(first.variance, 1e-3),
        "variance_ratio": min(part.variance for part in parts) / max(base.variance, 1e-3),
        "silent_fraction": whole.silent,
        "still_fraction": whole.still,
    }


def _percent(value: float, reference: float) -> float:
    return 100 * (value - reference) / max(reference, 1.0)


def _slope(values: np.ndarray) -> float:
    """Least-squares slope per minute of one value per second."""
    if len(values) < 2:
        return 0.0
    return float(60 * np.polynomial.polynomial.polyfit(np.arange(len(values)), values, 1)[1])
