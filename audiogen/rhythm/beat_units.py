"""Beats as units: what each sounds like, how alike any two are, and how many make a bar."""

from __future__ import annotations

import numpy as np

from audiogen.audio import resample
from audiogen.rhythm.onsets import OnsetTrack

PARTS = 4  # of a beat, each described by its own mean levels
BAR_LENGTHS = (3, 4, 5, 6, 7, 8)
MIN_ACCENT = 0.05  # contrast between beats at a distance of one bar and others, from which on there are bars
IDENTICAL = 0.8  # correlation of the waveforms, over their mean power, of two beats made of the same samples
COMPARED_RATE = 4000  # Hz, of the waveforms compared
PLACE_SECONDS = 0.02  # by which an onset may miss its place in the next bar
COMPARED = 16  # beats that each is compared with
MAX_LAG_SECONDS = 0.008  # that the waveforms are moved to match


def mean_over(frames: np.ndarray, rate: float, edges: np.ndarray) -> np.ndarray:
    """Means ``[segments, features]`` of frames ``[time, features]`` between consecutive edges, seconds."""
    totals = np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(frames, 0, dtype=np.float64)])
    bounds = (edges * rate).clip(0, len(frames))
    whole = np.floor(bounds).astype(int).clip(0, len(frames) - 1)
    integral = totals[whole] + (bounds - whole)[:, None] * frames[whole]
    return np.diff(integral, axis=0) / np.maximum(np.diff(bounds), 1e-6)[:, None]


def unit_features(track: OnsetTrack, pitch: tuple[np.ndarray, float], grid: np.ndarray) -> np.ndarray:
    """Features of each beat: levels and onset strength of its parts, and chroma of its halves.

    Args:
        track: band levels and onset strength.
        pitch: chroma ``[frames, 12]`` and its frame rate.
        grid: ``[beats + 1]`` edges, seconds.

    Returns:
        ``[beats, features]``: the mean square difference of two rows is about 1 for beats taken at random.
    """
    edges = np.interp(np.arange(PARTS * (len(grid) - 1) + 1) / PARTS, np.arange(len(grid)), grid)
    units = len(grid) - 1
    levels = mean_over(track.levels, track.rate, edges).reshape(units, -1)
    accents = mean_over(track.strength[:, None], track.rate, edges).reshape(units, -1)
    classes = mean_over(pitch[0], pitch[1], edges[:: PARTS // 2]).reshape(units, -1)
    return np.concatenate([_scaled(part) for part in (levels, accents, classes)], axis=1) / np.sqrt(3)


def _scaled(features: np.ndarray) -> np.ndarray:
    """Features whose squared distance between two random rows has mean 1."""
    centred = features - features.mean(0)
    return centred / np.sqrt(max(2 * float(np.square(centred).sum(1).mean()), 1e-9))


def distances(features: np.ndarray) -> np.ndarray:
    """Squared distances ``[units, units]`` of feature vectors ``[units, features]``."""
    squares = np.square(features).sum(1)
    return np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0)


def beats_per_bar(unlike: np.ndarray) -> int | None:
    """Number of beats in a bar: beats at a distance of one bar are more alike than those at one beat more or less.

    Args:
        unlike: ``[units, units]`` distances.

    Returns:
        The shortest length that shows this at least half as clearly as the clearest; None if there is none.
    """
    longest = len(unlike) * 2 // 3
    profile = np.array([np.mean(np.diagonal(unlike, lag)) for lag in range(longest + 1)])
    contrasts = {}
    for length in BAR_LENGTHS:
        lags = np.arange(length, longest, length)
        if len(lags):
            contrast = 0.5 * (profile[lags - 1] + profile[lags + 1]) - profile[lags]
            contrasts[length] = float(np.average(contrast, weights=len(unlike) - lags))
    clearest = max(contrasts.values(), default=0.0)
    if clearest < MIN_ACCENT:
        return None
    return next(length for length, contrast in contrasts.items() if contrast >= 0.5 * clearest)


def clarity(track: OnsetTrack, grid: np.ndarray, bar: int) -> np.ndarray:
    """How far each beat takes part in the pulse, ``[beats]`` in 0..1: 1 for half of all, below in a break or a fill.

    The part of the beat in the autocorrelation of the onset strength at the lag of a bar, before and after.

    Args:
        track: onset strength.
        grid: ``[beats + 1]`` edges, seconds.
        bar: beats in a bar, or any number of them after which the pulse recurs.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d  # only where there is a pulse

    strength = track.strength - track.strength.mean()
    lag = round(bar * float(np.median(np.diff(grid))) * track.rate)
    # Onsets a little off their place still count.
    near = maximum_filter1d(strength, 2 * round(PLACE_SECONDS * track.rate) + 1)
    products = strength * np.stack([np.roll(near, lag), np.roll(near, -lag)])
    products[0, :lag], products[1, -lag:] = products[1, :lag], products[0, -lag:]
    shares = mean_over(products.mean(0)[:, None], track.rate, grid)[:, 0]
    # Averaged over a bar, since some of its beats have no onset.
    shares = uniform_filter1d(shares, bar, mode="nearest")
    return np.clip(shares / max(float(np.median(shares)), 1e-9), 0, 1)


def identical_beats(samples: np.ndarray, sample_rate: int, grid: np.ndarray, unlike: np.ndarray) -> np.ndarray:
    """Which beats are the same samples, as in music assembled from loops: ``[beats, beats]`` bool.

    Args:
        samples: ``[channels, time]``.
        sample_rate: Hz.
        grid: ``[beats + 1]`` edges, seconds.
        unlike: ``[beats, beats]`` distances; only the `COMPARED` nearest beats of each are compared.
    """
    mono = resample(samples.mean(0, keepdims=True), sample_rate, COMPARED_RATE)[0]
    length = int(np.diff(grid).min() * COMPARED_RATE)
    reach = round(MAX_LAG_SECONDS * COMPARED_RATE)
    padded = np.pad(mono, (reach, reach + length))
    starts = np.round(grid[:-1] * COMPARED_RATE).astype(int)
    same = np.eye(len(unlike), dtype=bool)
    for unit, nearest in enumerate(unlike.argsort(1)[:, :COMPARED]):
        wanted = padded[starts[unit] + reach : starts[unit] + reach + length]
        around = np.stack([padded[starts[other] : starts[other] + length + 2 * reach] for other in nearest])
        windows = np.lib.stride_tricks.sliding_window_view(around, length, axis=1)
        power = 0.5 * (np.einsum("olt,olt->ol", windows, windows) + wanted @ wanted)
        same[unit, nearest] = (windows @ wanted / np.maximum(power, 1e-9)).max(1) >= IDENTICAL
    return same | same.T
