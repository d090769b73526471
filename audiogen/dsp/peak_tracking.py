"""Spectral peaks linked over time into tracks (McAulay & Quatieri 1986, IEEE TASSP 34:744)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.dsp.fourier import rfft
from audiogen.dsp.frequency_course import FrequencyCourse

PROMINENCE = 10.0  # times the median around a peak: one bin in a thousand of noise reaches it
NEIGHBOUR_HERTZ, NEIGHBOUR_BINS = 150.0, 32  # width of that neighbourhood, at least
OVERLAP = 4  # windows that cover a sample
MAX_GAP = 4  # frames that a track may miss
LINK_BINS = 1.5  # by which a peak may move from one frame to the next
MIN_WINDOWS = 4.0  # independent windows in a track: noise links no more
MIN_FILLED = 0.6  # of a track's frames that hold a peak
MIN_HERTZ = 16.0
BLACKMAN_HARRIS = (0.35875, 0.48829, 0.14128, 0.01168)  # side lobes below -92 dB: a loud line hides no quiet one


@dataclass(frozen=True)
class Track(FrequencyCourse):
    """A peak followed over time.

    Args:
        seconds: ``[frames]`` of the windows' centres, rising.
        hertz: ``[frames]``.
    """

    seconds: np.ndarray
    hertz: np.ndarray


def spectral_peaks(samples: np.ndarray, sample_rate: float, size: int) -> tuple[list[np.ndarray], float]:
    """Prominent local maxima of short-time spectra, powers summed over channels.

    Args:
        samples: ``[channels, time]``, time >= size.
        sample_rate: Hz.
        size: of the window, samples.

    Returns:
        ``[peaks, 2]`` frequency in Hz and log excess over the surroundings, for each frame; and the frames' distance in
        seconds.
    """
    angle = 2 * np.pi * np.arange(size) / size
    window = sum((-1) ** k * a * np.cos(k * angle) for k, a in enumerate(BLACKMAN_HARRIS)).astype(np.float32)
    hop = size // OVERLAP
    width = max(NEIGHBOUR_BINS, round(NEIGHBOUR_HERTZ * size / sample_rate))
    frames = np.lib.stride_tricks.sliding_window_view(samples, size, axis=-1)[:, ::hop]
    lowest = max(2, int(np.ceil(MIN_HERTZ * size / sample_rate)))
    found = []
    for first in range(0, frames.shape[1], 64):
        spectrum = rfft(frames[:, first : first + 64] * window)[..., :-1]
        power = np.sum(spectrum.real**2 + spectrum.imag**2, axis=0) + 1e-20
        groups = power.shape[1] // width
        grouped = power[:, : groups * width].reshape(len(power), groups, width)
        floor = np.repeat(np.partition(grouped, width // 2, axis=2)[..., width // 2], width, axis=1)
        inner = power[:, 1 : floor.shape[1] - 1]
        peak = (inner > power[:, : inner.shape[1]]) & (inner >= power[:, 2 : inner.shape[1] + 2])
        peak &= inner > PROMINENCE * floor[:, 1 : inner.shape[1] + 1]
        peak[:, : lowest - 1] = False
        rows, columns = np.nonzero(peak)
        columns += 1
        below, at, above = (np.log(power[rows, columns + k]) for k in (-1, 0, 1))
        offset = 0.5 * (below - above) / np.minimum(below - 2 * at + above, -1e-9)
        peaks = np.stack([(columns + offset) * sample_rate / size, at - np.log(floor[rows, columns])], axis=1)
        found += np.split(peaks, np.searchsorted(rows, np.arange(1, len(power))))
    return found, hop / sample_rate


def track_peaks(samples: np.ndarray, sample_rate: float, size: int) -> list[Track]:
    """Tracks of `spectral_peaks` that last longer than noise links by chance.

    Each peak continues the nearest track that is near enough; of several, the strongest does, and the others begin
    tracks of their own.
    """
    frames, step = spectral_peaks(samples, sample_rate, size)
    reach = LINK_BINS * sample_rate / size
    live = np.zeros((3, 0))  # number, latest frequency and frame of each track
    numbers, count = [], 0  # of the tracks of each frame's peaks
    for index, peaks in enumerate(frames):
        live, hertz = live[:, index - live[2] <= MAX_GAP], peaks[:, 0]
        number = np.full(len(peaks), -1)
        if live.shape[1] and len(peaks):
            order = live[1].argsort()
            last = live[1, order]
            nearest = order[(0.5 * (last[1:] + last[:-1])).searchsorted(hertz)]
            strongest_last = peaks[:, 1].argsort()
            possible = strongest_last[(np.abs(live[1, nearest] - hertz) <= reach)[strongest_last]]
            winner = np.full(live.shape[1], -1)
            winner[nearest[possible]] = possible  # of several, the strongest
            continued = winner >= 0
            chosen = winner[continued]
            number[chosen] = live[0, continued]
            live[1, continued], live[2, continued] = hertz[chosen], index
        fresh = np.flatnonzero(number < 0)
        number[fresh] = np.arange(count, count + len(fresh))
        count += len(fresh)
        live = np.concatenate([live, [number[fresh], hertz[fresh], np.full(len(fresh), index)]], axis=1)
        numbers.append(number)
    return _tracks(frames, numbers, step, size / (2 * sample_rate))


def _tracks(frames: list[np.ndarray], numbers: list[np.ndarray], step: float, centre: float) -> list[Track]:
    """Tracks of peaks ``[peaks, 2]`` of each frame, given the numbers of their tracks, if they last."""
    number, peaks = np.concatenate(numbers), np.concatenate(frames)
    index = np.repeat(np.arange(len(frames)), [len(each) for each in frames])
    lasting = np.flatnonzero(np.bincount(number, minlength=1) >= MIN_FILLED * MIN_WINDOWS * OVERLAP)
    inside = np.isin(number, lasting)
    order = np.flatnonzero(inside)[np.argsort(number[inside], kind="stable")]
    edges = np.append(np.flatnonzero(np.diff(number[order], prepend=-1)), len(order))
    starts, stops = edges[:-1], edges[1:]
    spans = index[order[stops - 1]] - index[order[starts]] + 1
    kept = (spans >= MIN_WINDOWS * OVERLAP) & (stops - starts >= MIN_FILLED * spans)
    seconds, hertz = centre + index[order] * step, peaks[order, 0]
    return [
        Track(seconds[start:stop], hertz[start:stop]) for start, stop in zip(starts[kept], stops[kept], strict=True)
    ]
