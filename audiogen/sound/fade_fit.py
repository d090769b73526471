"""Fit of a fade to the level at the end of a recording.

The level in dB of blocks of 10 ms is modelled as constant up to the fade, the gain of an editor's fade from there, and
a floor beyond; start, length and curve are those with the least mean absolute error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

BLOCK_SECONDS = 0.01
COARSE = 5  # blocks in a level of the fit of long fades
FINE_SECONDS = 0.5  # fades up to this length are fitted to single blocks
MAX_FADE_SECONDS = 12.0
LENGTHS = 60  # that are tried, in geometric progression
LENGTH_PENALTY = 0.01  # of the error, per second: a slow change of level before a short fade is not part of it
SETTLED_SECONDS = 0.3  # of usual level before a fade
FLOOR_DB = -120.0
PAUSE_DB = 25.0  # below the usual level: a pause, in any recording
MARGIN_DB = 8.0  # below the lowest levels that are no pause
RANGE_FLOOR_DB = 40.0  # below the usual level: not part of its range
CLIP_DB = 30.0  # below the usual level, all levels are alike to the fit
BAND_EDGES = (60.0, 180.0, 400.0, 900.0, 2000.0, 4500.0, 10000.0)  # Hz
WINDOW_BLOCKS = 4  # of a spectrum
OFFSET_SECONDS = 1.0  # that an offset of the waveform is averaged over
CHUNKS = 24  # of a fade, in which bands are averaged
DECAY_DB = (-25.0, -3.0)  # of the gain, where bands are compared
ABOVE_FLOOR_DB = 6.0  # of a band that can be compared
WEAK_DB = 45.0  # below the strongest band: a band may be what a codec left of it

Shape = Callable[[np.ndarray], np.ndarray]


def _exponential(depth: float) -> Shape:
    return lambda u: -depth * u


SHAPES: dict[str, Shape] = {
    "linear": lambda u: 20 * np.log10(1 - u),
    "quadratic": lambda u: 40 * np.log10(1 - u),
    "S-curve": lambda u: 20 * np.log10(0.5 + 0.5 * np.cos(np.pi * u)),
    **{f"exponential, {depth} dB": _exponential(depth) for depth in (20, 40, 60, 80, 100)},
}
"""Gains in dB of fades, at times in 0..1 of their length."""


@dataclass(frozen=True)
class Profile:
    """Level of a recording, and what is usual in it.

    Args:
        levels: ``[blocks]`` dB, blocks aligned to the end.
        usual: median level of the middle half, without pauses.
        threshold: below any level that is usual, or a pause.
        deepest: level that the middle half falls below 1 % of the time, pauses included.
        run: blocks below the threshold at the end.
        floor: their median level.
        similar_pauses: runs elsewhere that are at least half as long.
    """

    levels: np.ndarray
    usual: float
    threshold: float
    deepest: float
    run: int
    floor: float
    similar_pauses: int

    @classmethod
    def of(cls, samples: np.ndarray, rate: int) -> Profile | None:
        """Profile of ``[channels, time]`` samples; None if they are shorter than a second, or silent."""
        levels = _db(block_powers(samples, rate))
        count = len(levels)
        if count * BLOCK_SECONDS < 1:
            return None
        middle = levels[count // 4 : 3 * count // 4]
        usual = float(np.median(middle))
        sounding = middle[middle > usual - PAUSE_DB]
        if usual <= FLOOR_DB or len(sounding) == 0:
            return None
        usual = float(np.median(sounding))
        low = float(np.quantile(sounding, 0.01))
        threshold = max(usual - PAUSE_DB, low - MARGIN_DB)
        starts, ends = _runs(levels < threshold)
        run = int(ends[-1] - starts[-1]) if len(ends) and ends[-1] == count else 0
        inner = (ends - starts)[(starts > 0) & (ends < count)]
        return cls(
            levels,
            usual,
            threshold,
            deepest=float(np.quantile(middle, 0.01)),
            run=run,
            floor=float(np.median(levels[count - run :])) if run else threshold,
            similar_pauses=int((2 * inner >= run).sum()),
        )

    def range_db(self, start: int, stop: int) -> float:
        """Difference of the quartiles of the levels of tenths of a second between two blocks, without pauses."""
        tenths = _db(_grouped(10 ** (self.levels[start:stop] / 10), 10))
        tenths = tenths[tenths > self.usual - RANGE_FLOOR_DB]
        return float(np.subtract(*np.quantile(tenths, (0.75, 0.25)))) if len(tenths) else 0.0


class Fade(NamedTuple):
    """A fitted fade: blocks ``start`` to ``stop``, from ``level`` dB; ``error`` is the mean absolute error, dB."""

    start: int
    stop: int
    level: float
    error: float
    shape: str


def block_powers(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mean power ``[blocks]`` of blocks of `BLOCK_SECONDS`, aligned to the end, over channels ``[channels, time]``.

    Without what stays the same over `OFFSET_SECONDS`: an offset (DC) would hide a fade. Silence stays silence.
    """
    size = max(round(BLOCK_SECONDS * rate), 1)
    count = samples.shape[1] // size
    powers = np.zeros(count)
    window = np.ones(min(round(OFFSET_SECONDS / BLOCK_SECONDS), count))
    weight = np.convolve(np.ones(count), window, "same") if count else window
    for channel in samples[:, samples.shape[1] - count * size :]:
        blocks = channel.reshape(count, size)
        power = np.einsum("ns,ns->n", blocks, blocks, dtype=np.float64) / size
        mean = blocks.mean(axis=1, dtype=np.float64)
        offset = np.convolve(mean, window, "same") / weight if count else mean
        powers += np.minimum(power, np.maximum(power - 2 * offset * mean + offset**2, 0))
    return powers / len(samples)


def fit_fade(profile: Profile) -> Fade | None:
    """The fade that fits best; of no length if the level falls at once, None if there is too little before any."""
    fine = _fit(profile, 1)
    if fine is not None and (fine.stop - fine.start) * BLOCK_SECONDS <= FINE_SECONDS:
        return fine
    return _fit(profile, COARSE) or fine


def _fit(profile: Profile, group: int) -> Fade | None:
    levels = _db(_grouped(10 ** (profile.levels / 10), group))
    count, seconds = len(levels), group * BLOCK_SECONDS
    clip = max(profile.usual - CLIP_DB, profile.floor)
    clipped = np.maximum(levels, clip)
    begin = int(np.argmax(levels >= profile.usual))  # after a fade-in
    first = max(begin, count - round(MAX_FADE_SECONDS / seconds) - profile.run // group)
    best: Fade | None = None
    for name, length, gain, stop in _candidates(profile, group, count, count - first):
        start = stop - length
        if start < first + max(round(SETTLED_SECONDS / seconds), 2):
            continue
        before = levels[begin:start]
        before = before[before > profile.usual - PAUSE_DB]
        level = float(np.median(before)) if len(before) else profile.usual
        model = np.full(count - first, clip)
        model[: start - first] = level
        model[start - first : stop - first] = np.maximum(level + gain, clip)
        error = float(np.abs(clipped[first:] - model).mean()) * (1 + LENGTH_PENALTY * length * seconds)
        if best is None or error < best.error:
            best = Fade(start, stop, level, error, name)
    if best is None:
        return None
    offset = len(profile.levels) - count * group
    return best._replace(start=offset + best.start * group, stop=offset + best.stop * group)


def _candidates(profile: Profile, group: int, count: int, longest: int) -> Iterator[tuple[str, int, np.ndarray, int]]:
    """Shape, length, gain ``[length]`` in dB and end of the fades to try, in groups of blocks.

    A fade has fallen to the threshold where the run below it begins, which gives its end.
    """
    longest = min(longest, round(MAX_FADE_SECONDS / (group * BLOCK_SECONDS)))
    silent = count - profile.run // group
    yield "none", 0, np.zeros(0), silent
    fine = _times(200)
    for name, shape in SHAPES.items():
        low = fine[shape(fine) < profile.threshold - profile.usual]
        crossing = low[0] if len(low) else 1.0
        for length in np.unique(np.geomspace(1, max(longest, 2), LENGTHS).round().astype(int)):
            yield name, int(length), shape(_times(int(length))), min(count, round(silent + (1 - crossing) * length))


def band_slopes(fade: Fade, profile: Profile, samples: np.ndarray, rate: int) -> np.ndarray:
    """Slope of the level of each band over that of the whole, during a fade; weak bands and floors are left out.

    Returns:
        ``[bands]`` dB per dB, low frequencies first; 1 where a band fades as the whole does.
    """
    count = len(profile.levels)
    start, stop = fade.start, min(fade.stop, count - WINDOW_BLOCKS)
    during = _band_powers(samples, rate, count, start, stop)
    size = max(len(during) // CHUNKS, 1)
    after = _band_powers(samples, rate, count, count - 2 * WINDOW_BLOCKS, count - WINDOW_BLOCKS)
    floor = _db(after.mean(0)) if profile.run > 2 * WINDOW_BLOCKS else np.full(during.shape[1], FLOOR_DB)
    gains = _db(_grouped(10 ** ((profile.levels[start : start + len(during)] - fade.level) / 10), size))
    bands = np.stack([_db(_grouped(band, size)) for band in during.T], axis=1)
    strong = bands[0] > bands[0].max() - WEAK_DB
    slopes = []
    for band, lowest in zip(bands.T[strong], floor[strong], strict=True):
        used = (gains > DECAY_DB[0]) & (gains < DECAY_DB[1]) & (band > lowest + ABOVE_FLOOR_DB)
        if used.sum() >= 3:
            gain = gains[used] - gains[used].mean()
            slopes.append(float((band[used] - band[used].mean()) @ gain / np.square(gain).sum()))
    return np.array(slopes)


def _band_powers(samples: np.ndarray, rate: int, count: int, start: int, stop: int) -> np.ndarray:
    """Power ``[blocks, bands]`` of the spectra of windows that begin at blocks ``start`` to ``stop`` of ``count``."""
    size = max(round(BLOCK_SECONDS * rate), 1)
    offset, window = samples.shape[1] - count * size, np.hanning(WINDOW_BLOCKS * size)
    frequencies = np.fft.rfftfreq(len(window), 1 / rate)
    bands = [(frequencies >= low) & (frequencies < high) for low, high in pairwise(BAND_EDGES)]
    bands = [band for band in bands if band.any()]
    rows = []
    for block in range(start, stop):
        begin = offset + block * size
        spectrum = np.fft.rfft(samples[:, begin : begin + len(window)] * window, axis=1)
        power = np.square(np.abs(spectrum)).sum(0)
        rows.append([power[band].mean() for band in bands])
    return np.array(rows)


def _times(length: int) -> np.ndarray:
    return (np.arange(length) + 0.5) / length


def _db(powers: np.ndarray) -> np.ndarray:
    return np.maximum(10 * np.log10(powers + 1e-30), FLOOR_DB)


def _grouped(values: np.ndarray, size: int) -> np.ndarray:
    """Means ``[groups]`` of groups of values, aligned to the end."""
    count = len(values) // size
    return values[len(values) - count * size :].reshape(count, size).mean(1)


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and past-the-last index of each run of true values."""
    steps = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
