"""Spectral peaks linked over time into tracks (McAulay & Quatieri 1986, IEEE TASSP 34:744)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PROMINENCE = 10.0  # times the median around a peak: one bin in a thousand of noise reaches it
NEIGHBOUR_HERTZ, NEIGHBOUR_BINS = 150.0, 32  # width of that neighbourhood, at least
OVERLAP = 4  # windows that cover a sample
MAX_GAP = 4  # frames that a track may miss
LINK_BINS = 1.5  # by which a peak may move from one frame to the next
MIN_WINDOWS = 4.0  # independent windows in a track: noise links no more
MIN_HERTZ = 16.0
BLACKMAN_HARRIS = (0.35875, 0.48829, 0.14128, 0.01168)  # side lobes below -92 dB: a loud line hides no quiet one


class Track(NamedTuple):
    """A peak followed over time.

    Args:
        seconds: ``[frames]`` of the windows' centres, rising.
        hertz: ``[frames]``.
        excess: mean over the frames of the power over its surroundings, natural logarithm.
    """

    seconds: np.ndarray
    hertz: np.ndarray
    excess: float


def spectral_peaks(samples: np.ndarray, sample_rate: int, size: int) -> tuple[list[np.ndarray], float]:
    """Prominent local maxima of short-time spectra, powers summed over channels.

    Args:
        samples: ``[channels, time]``, time >= size.
        sample_rate: Hz.
        size: of the window, samples.

    Returns:
        ``[peaks, 2]`` frequency in Hz and log excess over the surroundings, for each frame; and the frames' distance in
        seconds.
    """
    from scipy.fft import rfft

    angle = 2 * np.pi * np.arange(size) / size
    window = sum((-1) ** k * a * np.cos(k * angle) for k, a in enumerate(BLACKMAN_HARRIS)).astype(np.float32)
    hop = size // OVERLAP
    width = max(NEIGHBOUR_BINS, round(NEIGHBOUR_HERTZ * size / sample_rate))
    frames = np.lib.stride_tricks.sliding_window_view(samples, size, axis=-1)[:, ::hop]
    lowest = max(2, int(np.ceil(MIN_HERTZ * size / sample_rate)))
    found = []
    for first in range(0, frames.shape[1], 64):
        spectrum = rfft(frames[:, first : first + 64] * window, axis=-1)[..., :-1]
        power = np.sum(spectrum.real**2 + spectrum.imag**2, axis=0) + 1e-20
        groups = power.shape[1] // width
        median = np.median(power[:, : groups * width].reshape(len(power), groups, width), axis=2)
        floor = np.repeat(median, width, axis=1)
        inner = power[:, 1 : floor.shape[1] - 1]
        peak = (inner > power[:, : inner.shape[1]]) & (inner >= power[:, 2 : inner.shape[1] + 2])
        peak &= inner > PROMINENCE * floor[:, 1 : inner.shape[1] + 1]
        peak[:, : lowest - 1] = False
        for row in range(len(power)):
            bins = np.flatnonzero(peak[row]) + 1
            below, at, above = (np.log(power[row, bins + k]) for k in (-1, 0, 1))
            offset = 0.5 * (below - above) / np.minimum(below - 2 * at + above, -1e-9)
            hertz = (bins + offset) * sample_rate / size
            found.append(np.stack([hertz, at - np.log(floor[row, bins])], axis=1))
    return found, hop / sample_rate


def track_peaks(samples: np.ndarray, sample_rate: int, size: int) -> list[Track]:
    """Tracks of `spectral_peaks` that last longer than noise links by chance.

    Each frame's peaks continue the nearest track that is near enough, the strongest first.
    """
    frames, step = spectral_peaks(samples, sample_rate, size)
    reach = LINK_BINS * sample_rate / size
    live: list[list[tuple[int, float, float]]] = []
    done: list[list[tuple[int, float, float]]] = []
    for index, peaks in enumerate(frames):
        ended = [track for track in live if index - track[-1][0] > MAX_GAP]
        done += ended
        live = [track for track in live if index - track[-1][0] <= MAX_GAP]
        last = np.array([track[-1][1] for track in live])
        free = np.ones(len(live), bool)
        fresh = []
        for hertz, excess in peaks[np.argsort(-peaks[:, 1])]:
            entry = (index, float(hertz), float(excess))
            if free.any():
                distance = np.where(free, np.abs(last - hertz), np.inf)
                nearest = int(distance.argmin())
                if distance[nearest] <= reach:
                    live[nearest].append(entry)
                    free[nearest] = False
                    continue
            fresh.append([entry])
        live += fresh
    done += live
    centre = size / (2 * sample_rate)
    tracks = []
    for entries in done:
        index, hertz, excess = np.array(entries).T
        if index[-1] - index[0] + 1 >= MIN_WINDOWS * OVERLAP and len(index) >= 0.6 * (index[-1] - index[0] + 1):
            tracks.append(Track(centre + index * step, hertz, float(excess.mean())))
    return tracks
