"""The join: is there a step, a click, a break, that the recording itself does not have?

Each measure at the join is set against the same measure at many other places of the recording, over just as
many frames or samples: its percentile says how many of them are calmer. A recording with sharp events of
its own excuses a sharp join; rain does not. `measure_join` takes any two sounds, so it serves for a loop's end and
beginning as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.metrics.spectra import POWER_FLOOR, decibels, frame_size, spectra

CONTEXT_SECONDS = 15.0  # seconds of the recording that the join is compared with
SIDE_SECONDS = 0.25  # seconds either side over which levels are compared
ORDER = 24  # of the linear prediction
CLICK_SECONDS = 0.001  # seconds around the join in which a click is sought


@dataclass(frozen=True)
class JoinQuality:
    """What happens where one sound follows another. Percentiles are 0..100, of the same measure elsewhere.

    Args:
        level_step_db: level of the quarter second after the join over the one before, dB.
        level_step_percentile: of its size.
        flux: spectral flux at the join, relative to the median of the recording's own.
        flux_percentile: of it.
        click: largest linear-prediction residual within 1 ms, relative to its RMS.
        click_percentile: of it.
        phase: complex-domain deviation at the join, 0 (every partial goes on) to about 1 (unrelated).
        phase_percentile: of it.
    """

    level_step_db: float
    level_step_percentile: float
    flux: float
    flux_percentile: float
    click: float
    click_percentile: float
    phase: float
    phase_percentile: float


def measure_join(before: Recording, after: Recording) -> JoinQuality:
    """Measure the join of two sounds.

    Spectral flux and complex-domain deviation after Bello et al. (2005), "A tutorial on onset detection in
    music signals", IEEE TSAP 13:1035, equations 5 and 10, both signs of the change counted; clicks by the
    residual of linear prediction after Godsill & Rayner (1998), "Digital Audio Restoration", section 5.2.
    Channels are measured one by one and the largest value counts (levels: the sum of energies).

    Args:
        before: what comes first; its last 15 s are what the join is compared with.
        after: what follows, same rate and channels.
    """
    rate = before.sample_rate
    side, context = max(1, round(SIDE_SECONDS * rate)), round(CONTEXT_SECONDS * rate)
    size = frame_size(rate)
    past = before.samples[:, -context:]
    # One frame beyond the join is enough for the flux, the quarter second for the level.
    future = after.samples[:, : max(side, 2 * size)]
    step, step_percentile = _level_step(past, future, side)
    flux, flux_percentile, phase, phase_percentile = _spectral(past, future, size)
    click, click_percentile = _click(past, future, max(2, round(CLICK_SECONDS * rate)))
    return JoinQuality(step, step_percentile, flux, flux_percentile, click, click_percentile, phase, phase_percentile)


def percentile(value: float, others: np.ndarray) -> float:
    """Share of ``others`` that do not exceed ``value``, 0..100; 50 if there are none. Ties count by half."""
    if not len(others):
        return 50.0
    return float(100 * (np.mean(others < value) + 0.5 * np.mean(others == value)))


def _level_step(past: np.ndarray, future: np.ndarray, side: int) -> tuple[float, float]:
    energy = np.mean(past.astype(np.float64) ** 2, axis=0)
    ends = np.arange(len(energy), side - 1, -max(1, side // 4))
    total = np.concatenate([[0.0], np.cumsum(energy)])
    levels = decibels((total[ends] - total[ends - side]) / side)
    steps = np.abs(levels[:-4] - levels[4:])
    after, before = float(np.mean(future[:, :side].astype(np.float64) ** 2)), float(energy[-side:].mean())
    here = float(decibels(after) - decibels(before))
    return here, percentile(abs(here), steps)


def _spectral(past: np.ndarray, future: np.ndarray, size: int) -> tuple[float, float, float, float]:
    """Flux and phase deviation of the frames that see both sides, against as many frames elsewhere."""
    hop = size // 4
    # Frames are laid out so that the join falls between two hops; those that hold it see both sides.
    lead = past.shape[1] // hop * hop
    future = np.pad(future, ((0, 0), (0, max(hop - future.shape[1], 0))))  # at least one frame holds it
    signal = np.concatenate([past[:, past.shape[1] - lead :], future], axis=1)
    if signal.shape[1] < 4 * size:
        signal = np.pad(signal, ((0, 0), (0, 4 * size - signal.shape[1])))
    flux, deviation = (value.max(axis=0) for value in _changes(signal, size, hop))
    # Change k is that from frame k + 1 to k + 2; frames lead/hop - 3 .. lead/hop - 1 straddle the join.
    first, count = max(0, lead // hop - 5), 5
    found = []
    for values in (flux, deviation):
        peaks = np.lib.stride_tricks.sliding_window_view(values, count).max(axis=1)
        here, elsewhere = float(values[first : first + count].max()), peaks[: max(0, first - count)]
        usual = float(np.median(elsewhere)) if len(elsewhere) else 1.0
        found += [here / max(usual, POWER_FLOOR) if values is flux else here, percentile(here, elsewhere)]
    return found[0], found[1], found[2], found[3]


def _changes(signal: np.ndarray, size: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """``[channels, frames - 2]`` change of magnitude and deviation from the phase that was to be expected."""
    spectrum = spectra(signal, size, hop)
    magnitude = np.abs(spectrum)
    root = np.sqrt(magnitude)  # compressed, so that quiet bins count beside the loudest
    flux = np.abs(root[:, 2:] - root[:, 1:-1]).mean(axis=2)
    turn = spectrum[:, 1:-1] * spectrum[:, :-2].conj()
    expected = spectrum[:, 1:-1] * turn / np.maximum(np.abs(turn), 1e-20)
    missed = np.abs(spectrum[:, 2:] - expected).sum(axis=2)
    total = (magnitude[:, 2:] + magnitude[:, 1:-1]).sum(axis=2)
    return flux, missed / np.maximum(total, 1e-12)


def _click(past: np.ndarray, future: np.ndarray, reach: int) -> tuple[float, float]:
    """Largest prediction error around the join, against as long stretches elsewhere."""
    values, percentiles = [], []
    for before, after in zip(past, future, strict=True):
        signal = np.concatenate([before, after]).astype(np.float64)
        error = np.abs(_residual(signal, before))
        # The error of a jump lasts as long as the predictor looks back.
        span, start = reach + ORDER, max(0, len(before) - reach)
        here = float(error[start : start + reach + span].max(initial=0.0))
        usable = error[ORDER : max(ORDER, start)]
        blocks = usable[: len(usable) // (reach + span) * (reach + span)].reshape(-1, reach + span)
        rms = float(np.sqrt(np.mean(usable**2))) if len(usable) else 1.0
        values.append(here / max(rms, 1e-9))
        percentiles.append(percentile(here, blocks.max(axis=1)))
    return max(values), max(percentiles)


def _residual(signal: np.ndarray, fitted_on: np.ndarray) -> np.ndarray:
    """Linear-prediction error of a signal, the predictor fitted (autocorrelation method) on a part of it."""
    from scipy import fft, linalg

    size = fft.next_fast_len(2 * len(fitted_on))
    power = np.abs(fft.rfft(fitted_on.astype(np.float64), size)) ** 2
    correlation = fft.irfft(power, size)[: ORDER + 1]
    if len(correlation) <= ORDER or correlation[0] <= POWER_FLOOR:
        return np.diff(signal, prepend=signal[:1])
    correlation[0] *= 1 + 1e-6  # keeps the equations solvable for pure tones
    coefficients = linalg.solve_toeplitz(correlation[:-1], correlation[1:])
    return np.convolve(signal, np.concatenate([[1.0], -coefficients]))[: len(signal)]
