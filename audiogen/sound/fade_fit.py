"""Fit of a fade to the level at the end of a recording.

The level in dB of blocks of 10 ms goes on as it did before, which an autoregression learns, but for the gain of an
editor's fade: start, length and curve are those without which the course is most probable. So a wave that recedes or a
note that decays as others did is no fade, and a fade within a wave is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from audiogen.dsp.mask_spans import mask_spans

BLOCK_SECONDS = 0.01
MAX_FADE_SECONDS, MIN_FADE_BLOCKS = 12.0, 2
LENGTHS = 60  # that are tried, in geometric progression
MIN_RUN = 2  # blocks below the threshold: silence, and where little is learned, any fade
LEAST_FALL_DB = 6.0  # of the last block below what is usual
LEARNED_FRACTION = 0.4  # of a recording that is longer than two of the longest fades: at least, from its beginning
MIN_LEARNED_SECONDS = 5.0  # less is little: the end must be quieter than all that is usual
MAX_ORDER, BLOCKS_PER_LAG, RIDGE = 40, 8, 0.01  # of the autoregression
MIN_SCALE_DB = 0.3  # of its errors
MIN_EVIDENCE = 10.0  # log likelihood; without a fade it reaches 5
QUIETEST_EVIDENCE = 3.0  # if the last block is the quietest of all, which is by chance one in a thousand
EQUIVALENT, MAX_LONGER = 3.0, 2.0  # log likelihood below the best fade's, and times its length: as probable
DEEP_DB = 30.0  # that a fade attenuates by where the sound is no longer compared
FLOOR_DB = -120.0
PAUSE_DB = 25.0  # below the usual level: a pause, in any recording
MARGIN_DB = 8.0  # below the lowest levels that are no pause
RANGE_FLOOR_DB = 40.0  # below the usual level: not part of its range
CLIP_DB = 60.0  # below the usual level, all levels are alike to the fit
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
    **{f"exponential, {depth} dB": _exponential(depth) for depth in (40, 60, 80, 100)},
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
        starts, ends = mask_spans(levels < threshold).T
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

    @property
    def begin(self) -> int:
        """The first block at the usual level: after a fade-in."""
        return int(np.argmax(self.levels >= self.usual))

    def level_before(self, block: int) -> float:
        """Median level before a block, without a fade-in and pauses, dB."""
        levels = self.levels[self.begin : block]
        sounding = levels[levels > self.usual - PAUSE_DB]
        return float(np.median(sounding)) if len(sounding) else self.usual

    def range_db(self, start: int, stop: int) -> float:
        """Difference of the quartiles of the levels of tenths of a second between two blocks, without pauses."""
        tenths = _db(_grouped(10 ** (self.levels[start:stop] / 10), 10))
        tenths = tenths[tenths > self.usual - RANGE_FLOOR_DB]
        return float(np.subtract(*np.quantile(tenths, (0.75, 0.25)))) if len(tenths) else 0.0


class Fade(NamedTuple):
    """A fitted fade, from block ``start`` to ``stop``.

    Args:
        evidence: log likelihood of the course of the level with the fade over that without it.
    """

    start: int
    stop: int
    evidence: float


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
    """The fade that explains the end best; of no length if the level falls at once, None if nothing is evident.

    Of fades that explain it about as well, the longest, since what is left of one is audible.
    """
    count, longest = len(profile.levels), round(MAX_FADE_SECONDS / BLOCK_SECONDS)
    before_end = max(profile.usual, float(np.median(profile.levels[-round(1 / BLOCK_SECONDS) :])))
    if profile.levels[-1] > before_end - LEAST_FALL_DB:
        return None
    learned = max(profile.begin + round(LEARNED_FRACTION * (count - profile.begin)), count - 2 * longest)
    levels = np.maximum(profile.levels, profile.usual - CLIP_DB)
    prediction = Prediction.of(levels[profile.begin : learned])
    little = learned - profile.begin < MIN_LEARNED_SECONDS / BLOCK_SECONDS
    if prediction is None or (little and profile.run < MIN_RUN):
        return None
    first = max((profile.begin + learned) // 2, profile.begin + prediction.order, count - longest - profile.run)
    fades = sorted(_fades(profile, levels, prediction, first), key=lambda fade: fade.evidence)
    if not fades or (best := fades[-1]).evidence < QUIETEST_EVIDENCE:
        return None
    if best.evidence < MIN_EVIDENCE and profile.levels[profile.begin : best.start].min() <= profile.levels[-1]:
        return None
    likely = [fade for fade in fades if fade.evidence > best.evidence - EQUIVALENT]
    sudden = next((fade for fade in likely if fade.start == fade.stop), None)
    most = MAX_LONGER * (best.stop - best.start)
    return sudden or min((f for f in likely if f.stop - f.start <= most), key=lambda fade: fade.start)


def _fades(profile: Profile, levels: np.ndarray, prediction: Prediction, first: int) -> Iterator[Fade]:
    """All fades that begin at block ``first`` or later, with their evidence."""
    order, floor = prediction.order, -DEEP_DB
    deviations = levels[first - order :] - prediction.mean
    errors = prediction.errors(deviations)
    before, whole = np.concatenate([[0], np.cumsum(errors)]), float(errors.sum())
    if profile.run:
        floor = max(floor, profile.floor - prediction.mean)
    silenced = 1 + np.maximum(deviations[order:] - floor, 0) / prediction.scale  # as probable as the sound, or less
    latest = len(levels) - profile.run - first  # where the level has fallen below all that is usual
    for length, gain, stop in _candidates(profile, len(levels), len(levels) - first):
        start = stop - length - first
        if not 0 <= start <= latest:
            continue
        compared = int(np.count_nonzero(gain > -DEEP_DB))
        undone = deviations[start : start + order + compared].copy()
        undone[order:] -= gain[:compared]
        after = float(prediction.errors(undone).sum() + silenced[start + compared :].sum())
        yield Fade(first + start, stop, whole - float(before[start]) - after)


def _candidates(profile: Profile, count: int, longest: int) -> Iterator[tuple[int, np.ndarray, int]]:
    """Length, gain ``[length]`` in dB and end of the fades to try, in blocks.

    A fade ends with the recording, where silence begins, or such that it falls to the threshold where the run below it
    begins.
    """
    silent, sounding = count - profile.run, np.flatnonzero(profile.levels > profile.usual - CLIP_DB)
    ends = {count, int(sounding[-1]) + 1}
    if profile.run >= MIN_RUN:
        yield 0, np.zeros(0), silent
    fine = _times(200)
    lengths = np.geomspace(MIN_FADE_BLOCKS, min(longest, round(MAX_FADE_SECONDS / BLOCK_SECONDS)), LENGTHS)
    for shape in SHAPES.values():
        low = fine[shape(fine) < profile.threshold - profile.usual]
        crossing = low[0] if len(low) else 1.0
        for length in np.unique(lengths.round().astype(int)).tolist():
            gain = shape(_times(length))
            for stop in ends | {min(count, round(silent + (1 - crossing) * length))}:
                yield length, gain, stop


class Prediction(NamedTuple):
    """How the level of a recording goes on: an autoregression with Laplacian errors.

    Args:
        mean: median level, dB.
        weights: ``[order]`` of the deviations from it, the last block first.
        scale: mean absolute error, dB.
    """

    mean: float
    weights: np.ndarray
    scale: float

    @classmethod
    def of(cls, levels: np.ndarray) -> Prediction | None:
        """Fitted to ``[blocks]`` levels by ridge-regularised least squares; None if they are too few."""
        order = min(MAX_ORDER, len(levels) // BLOCKS_PER_LAG)
        if order < 1:
            return None
        mean = float(np.median(levels))
        past = np.lib.stride_tricks.sliding_window_view(levels - mean, order + 1)[:, ::-1]
        target, lags = past[:, 0], past[:, 1:]
        gram = lags.T @ lags
        weights = np.linalg.solve(gram + (RIDGE * np.trace(gram) / order + 1e-6) * np.eye(order), lags.T @ target)
        return cls(mean, weights, max(float(np.abs(target - lags @ weights).mean()), MIN_SCALE_DB))

    @property
    def order(self) -> int:
        return len(self.weights)

    def errors(self, deviations: np.ndarray) -> np.ndarray:
        """Absolute errors ``[blocks - order]`` of deviations from the mean ``[blocks]``, in units of their scale."""
        filtered = np.convolve(deviations, np.concatenate([[1], -self.weights]))
        return np.abs(filtered[self.order : len(deviations)]) / self.scale


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
    gains = _db(
        _grouped(10 ** ((profile.levels[start : start + len(during)] - profile.level_before(fade.start)) / 10), size)
    )
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
