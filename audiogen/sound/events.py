"""Events of a recording (cracks, calls, drops, steps): what stands out of its bed for a moment, and its sound alone.

An event is a peak of the level in a group of bands, above the floor that the level falls back to around it. Its sound
is what exceeds the bed in its time-frequency region: power above the bed's is taken, the rest left (spectral
subtraction: Boll 1979, "Suppression of acoustic noise in speech using spectral subtraction"). Subtracted, it leaves
the bed; added elsewhere, it brings no bed along.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

WINDOW_SECONDS, HOP_FRACTION = 0.023, 4  # of the spectrogram
BANDS, LOWEST_HZ, HIGHEST_HZ = 8, 80.0, 16000.0
PROMINENCE_DB = 6.0  # of a peak above the floor, and above the valleys beside it
DEVIATIONS = 4.5  # of the level of noise in a band, below which nothing is an event
FLOOR_QUANTILE, FLOOR_SECONDS, FLOOR_STEP_SECONDS = 0.25, 3.0, 0.05  # of the level around a frame
END_DB = 3.0  # above the floor, at which an event has begun and ends
MIN_INTERVAL_SECONDS = 0.05  # peaks closer than this, in any bands, are one event
MAX_SECONDS = 1.5  # of an event
CLEAR = 3.0  # power relative to the bed's, above which it is the event's: noise exceeds it in 5 % of bins
MIN_QUIET_FRAMES = 12  # around an event, from which its bed is estimated
FADE_FRAMES = 2  # of the gain, at either end of an event
SMALLEST = 1e-14  # power, of digital silence


@dataclass(frozen=True)
class Event:
    """An event, in samples: [start, end), and the first of its peaks, which is ``height`` dB above the floor."""

    start: int
    peak: int
    end: int
    height: float


@dataclass
class EventSearch:
    """Finds events in signals of one sample rate, and extracts their sound.

    Args:
        sample_rate: Hz.
    """

    sample_rate: int

    @property
    def hop(self) -> int:
        """Samples from one frame of the spectrogram to the next."""
        return max(round(WINDOW_SECONDS * self.sample_rate / HOP_FRACTION), 1)

    @property
    def window(self) -> np.ndarray:
        """Periodic Hann window, of `HOP_FRACTION` hops."""
        size = HOP_FRACTION * self.hop
        return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)

    def power(self, samples: np.ndarray) -> np.ndarray:
        """Power spectra ``[frames, bins]`` of ``[channels, time]`` samples, summed; frame k is centred on k hops."""
        half = len(self.window) // 2
        total = np.zeros((samples.shape[1] // self.hop + 1, half + 1), np.float32)
        for channel in samples:
            total += np.square(np.abs(self._spectra(channel[None], half, len(total))[0]))
        return total

    def _spectra(self, samples: np.ndarray, silence: int, count: int) -> np.ndarray:
        """``count`` spectra ``[channels, count, bins]`` of samples with so many samples of silence before them."""
        size = len(self.window)
        missing = (count - 1) * self.hop + size - silence - samples.shape[1]
        padded = np.pad(samples.astype(np.float32), ((0, 0), (silence, max(missing, 0))))
        frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, :: self.hop][:, :count]
        return np.fft.rfft(frames * self.window, axis=2).astype(np.complex64)

    def _signal(self, spectra: np.ndarray) -> np.ndarray:
        """Samples ``[channels, hops]`` by overlap-add, from the centre of the first frame to that of the last."""
        size = len(self.window)
        frames = np.fft.irfft(spectra, n=size, axis=2) * self.window
        channels, count, _ = frames.shape
        summed = np.zeros((channels, (count - 1) * self.hop + size))
        for frame in range(count):
            summed[:, frame * self.hop : frame * self.hop + size] += frames[:, frame]
        # Squared Hann windows at a quarter of their length add up to 1.5.
        return (summed[:, size // 2 : size // 2 + (count - 1) * self.hop] / 1.5).astype(np.float32)

    def find(self, power: np.ndarray) -> list[Event]:
        """Find the events.

        Args:
            power: ``[frames, bins]``; see `power`.

        Returns:
            Events in the order of their peaks; none overlaps the next.
        """
        from scipy.signal import find_peaks

        above, needed = self._above_floor(power)
        found = [
            find_peaks(level, height=least, prominence=least)[0] for level, least in zip(above.T, needed, strict=True)
        ]
        if not any(map(len, found)):
            return []
        loud: np.ndarray = np.any(above > np.maximum(END_DB, needed / 2), axis=1)
        return self._extents(self._spaced(np.unique(np.concatenate(found))).tolist(), loud, np.max(above, axis=1))

    @cached_property
    def _bands(self) -> list[slice]:
        frequencies = np.fft.rfftfreq(len(self.window), 1 / self.sample_rate)
        edges = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, self.sample_rate / 2), BANDS + 1)
        return [slice(low, high) for low, high in pairwise(np.searchsorted(frequencies, edges)) if high > low]

    def levels(self, power: np.ndarray) -> np.ndarray:
        """Level ``[frames, bands]`` of power spectra in dB, smoothed over three frames."""
        bands = np.stack([power[:, band].mean(axis=1) for band in self._bands], axis=1)
        padded = np.pad(bands, ((1, 1), (0, 0)), mode="edge")
        return 10 * np.log10(0.25 * padded[:-2] + 0.5 * bands + 0.25 * padded[2:] + SMALLEST)

    def _above_floor(self, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Level ``[frames, bands]`` above the floor around it, dB, and how much ``[bands]`` of it makes an event."""
        from scipy.ndimage import percentile_filter

        level = self.levels(power)
        every = max(round(FLOOR_STEP_SECONDS * self.sample_rate / self.hop), 1)
        coarse = level[::every]
        size = (min(round(FLOOR_SECONDS / FLOOR_STEP_SECONDS), len(coarse)), 1)
        floor = percentile_filter(coarse, 100 * FLOOR_QUANTILE, size=size, mode="nearest")
        at = np.arange(len(level)) / every
        floor = np.stack([np.interp(at, np.arange(len(coarse)), column) for column in floor.T], axis=1)
        # A band of n bins has about 1.5 n independent values in three frames: its level scatters by 4.3 / sqrt(1.5 n).
        counts = np.array([band.stop - band.start for band in self._bands])
        return level - floor, np.maximum(PROMINENCE_DB, DEVIATIONS * 10 / np.log(10) / np.sqrt(1.5 * counts))

    def _extents(self, peaks: list[int], loud: np.ndarray, level: np.ndarray) -> list[Event]:
        """Events from one quiet frame to the next, divided at the quietest frame between two peaks."""
        longest = round(MAX_SECONDS * self.sample_rate / self.hop)
        bounds = [0, *(a + int(np.argmin(level[a : b + 1])) for a, b in pairwise(peaks)), len(level) - 1]
        events = []
        for peak, (first, last) in zip(peaks, pairwise(bounds), strict=True):
            start, end = peak, peak
            while start > max(first, peak - longest // 2) and loud[start - 1]:
                start -= 1
            while end < min(last, start + longest) and loud[end]:
                end += 1
            height = float(level[start : end + 1].max())
            events.append(Event(start * self.hop, peak * self.hop, (end + 1) * self.hop, height))
        return events

    def _bed(self, power: np.ndarray, events: list[Event], start: int, end: int) -> np.ndarray:
        """Mean power ``[bins]`` of the bed around the frames from ``start`` to ``end``."""
        around = round(MAX_SECONDS * self.sample_rate / self.hop)
        first, last = max(start - around, 0), min(end + around, len(power))
        quiet = np.ones(last - first, bool)
        for event in events:
            quiet[max(event.start // self.hop - first, 0) : max(event.end // self.hop + 1 - first, 0)] = False
        chosen = power[first:last]
        if quiet.sum() >= MIN_QUIET_FRAMES:
            mean = np.median(chosen[quiet], axis=0) / np.log(2)  # of an exponential distribution
        else:
            mean = np.quantile(chosen, 0.2, axis=0) / -np.log(0.8)
        padded = np.pad(mean, 2, mode="edge")
        return np.convolve(padded, np.ones(5) / 5, "valid") + SMALLEST

    def extract(self, samples: np.ndarray, power: np.ndarray, events: list[Event], event: Event) -> np.ndarray:
        """The sound ``[channels, end - start]`` of one event of ``[channels, time]`` samples, without the bed under it.

        Args:
            samples: of a recording.
            power: of it; see `power`.
            events: all of those found in it.
            event: one of them.
        """
        from scipy.ndimage import median_filter

        first, last = event.start // self.hop, event.end // self.hop
        bed = self._bed(power, events, first, last)
        region = power[first : last + 1]
        excess = np.where(region > CLEAR * bed, 1 - np.sqrt(bed / np.maximum(region, SMALLEST)), 0.0)
        excess = np.minimum(
            excess, 1.5 * median_filter(excess, size=3, mode="nearest")
        )  # bins that are alone are noise
        fade = np.minimum((np.arange(len(excess)) + 1) / FADE_FRAMES, 1.0)
        excess *= np.minimum(fade, fade[::-1])[:, None]
        half = len(self.window) // 2
        around = samples[:, max(event.start - half, 0) : event.end + half]
        spectra = self._spectra(around, max(half - event.start, 0), len(excess))
        return self._signal(spectra * excess.astype(np.float32))

    def count(self, power: np.ndarray, floor: np.ndarray, height: float) -> np.ndarray:
        """Frames of the peaks that stand ``height`` dB above a given ``floor`` ``[bands]`` in any band."""
        from scipy.signal import find_peaks

        found = [
            find_peaks(level, height=base + height, prominence=PROMINENCE_DB)[0]
            for level, base in zip(self.levels(power).T, floor, strict=True)
        ]
        return self._spaced(np.unique(np.concatenate(found)))

    def _spaced(self, peaks: np.ndarray) -> np.ndarray:
        """Of peaks that follow one another closely, the first."""
        chosen: list[int] = []
        for peak in peaks.tolist():
            if not chosen or (peak - chosen[-1]) * self.hop >= MIN_INTERVAL_SECONDS * self.sample_rate:
                chosen.append(peak)
        return np.array(chosen, int)
