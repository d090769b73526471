"""Join quality: step, click or spectral break between two sounds, relative to the recording's own changes.

Each measure at the join is compared with the same measure at many other positions of the recording, over as many frames
or samples; its percentile is the percentage of them with a smaller value. A recording with sharp events of its own
thus permits a sharp join, rain does not. `measure_join` takes any two sounds, for example a loop's end and beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.fourier import fast_length
from audiogen.metrics.spectra import POWER_FLOOR, decibels, frame_size, spectra

CONTEXT_SECONDS = 15.0  # of the recording before the join, for comparison
SIDE_SECONDS = 0.25  # on either side, for the level
ORDER = 24  # of the linear prediction
CLICK_SECONDS = 0.001  # on either side of the join, searched for a click


@dataclass(frozen=True)
class JoinQuality:
    """Measures of the transition from one sound to the next. Percentiles, 0 to 100, are within the first sound.

    Args:
        level_step_db: level of the 0.25 s after the join relative to the 0.25 s before it, dB.
        level_step_percentile: of its absolute value.
        flux: spectral flux at the join, relative to the recording's median.
        flux_percentile: of the flux.
        click: largest linear-prediction residual within 1 ms of the join, relative to its RMS on the noisier side.
        click_percentile: of the residual.
        phase: complex-domain deviation at the join, from 0 (every partial continues) to about 1 (unrelated).
        phase_percentile: of the deviation.
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

    Spectral flux and complex-domain deviation after Bello et al. (2005), "A tutorial on onset detection in music
    signals", IEEE TSAP 13:1035, equations 5 and 10, counting increases and decreases; clicks by the linear-prediction
    residual after Godsill & Rayner (1998), "Digital Audio Restoration", section 5.2. Channels are measured separately
    and the largest value counts (for levels: the mean energy).

    Args:
        before: the first sound; its last 15 s are the comparison.
        after: the following sound, of the same sample rate and channels.
    """
    rate = before.sample_rate
    side, context = max(1, round(SIDE_SECONDS * rate)), round(CONTEXT_SECONDS * rate)
    size = frame_size(rate)
    past = before.cut(max(before.length - context, 0), before.length).samples
    # The flux needs one frame beyond the join, the level 0.25 s.
    future = after.samples[:, : max(side, 2 * size)]
    step, step_percentile = _level_step(past, future, side)
    flux, flux_percentile, phase, phase_percentile = _spectral(past, future, size)
    click, click_percentile = _click(past, future, max(2, round(CLICK_SECONDS * rate)))
    return JoinQuality(step, step_percentile, flux, flux_percentile, click, click_percentile, phase, phase_percentile)


def percentile(value: float, others: np.ndarray) -> float:
    """Percentage of ``others`` below ``value``, 0 to 100; 50 if there are none. Ties count half."""
    if not len(others):
        return 50.0
    return float(100 * (np.mean(others < value) + 0.5 * np.mean(others == value)))


def _level_step(past: np.ndarray, future: np.ndarray, side: int) -> tuple[float, float]:
    energy = np.mean(past.astype(np.float64) ** 2, axis=0)
    total = np.concatenate([[0.0], np.cumsum(energy)])
    levels = decibels((total[side:] - total[:-side]) / side)
    # At every sample: an onset after silence is a step of its full height at that sample alone.
    steps = np.abs(levels[side:] - levels[:-side])
    hop = max(1, side // 4)
    steps = steps[len(steps) % hop :].reshape(-1, hop).max(axis=1)
    after, before = float(np.mean(future[:, :side].astype(np.float64) ** 2)), float(energy[-side:].mean())
    here = float(decibels(after) - decibels(before))
    return here, percentile(abs(here), steps)


def _spectral(past: np.ndarray, future: np.ndarray, size: int) -> tuple[float, float, float, float]:
    """Largest flux and phase deviation of the frames that span the join, each with its percentile."""
    hop = size // 4
    # Frames are aligned so that the join falls between two hops; the frames containing it span both sides.
    lead = past.shape[1] // hop * hop
    future = np.pad(future, ((0, 0), (0, max(hop - future.shape[1], 0))))  # at least one frame contains it
    signal = np.concatenate([past[:, past.shape[1] - lead :], future], axis=1)
    if signal.shape[1] < 4 * size:
        signal = np.pad(signal, ((0, 0), (0, 4 * size - signal.shape[1])))
    flux, deviation = (value.max(axis=0) for value in _changes(signal, size, hop))
    # Change k is that from frame k + 1 to k + 2; frames lead/hop - 3 .. lead/hop - 1 straddle the join.
    first, count = max(0, lead // hop - 5), 5
    results = []
    for values in (flux, deviation):
        peaks = np.lib.stride_tricks.sliding_window_view(values, count).max(axis=1)
        here, elsewhere = float(values[first : first + count].max()), peaks[: max(0, first - count)]
        median = float(np.median(elsewhere)) if len(elsewhere) else 1.0
        results += [here / max(median, POWER_FLOOR) if values is flux else here, percentile(here, elsewhere)]
    return results[0], results[1], results[2], results[3]


def _changes(signal: np.ndarray, size: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """``[channels, frames - 2]`` change of magnitude, and deviation from the linearly extrapolated phase."""
    spectrum = spectra(signal, size, hop)
    magnitude = np.abs(spectrum)
    root = np.sqrt(magnitude)  # compressed, so that quiet bins count as well
    flux = np.abs(root[:, 2:] - root[:, 1:-1]).mean(axis=2)
    advance = spectrum[:, 1:-1] * spectrum[:, :-2].conj()
    expected = spectrum[:, 1:-1] * advance / np.maximum(np.abs(advance), 1e-20)
    deviation = np.abs(spectrum[:, 2:] - expected).sum(axis=2)
    total = (magnitude[:, 2:] + magnitude[:, 1:-1]).sum(axis=2)
    return flux, deviation / np.maximum(total, 1e-12)


def _click(past: np.ndarray, future: np.ndarray, reach: int) -> tuple[float, float]:
    """Largest linear-prediction residual around the join, and its percentile among blocks of that length elsewhere."""
    values, percentiles = [], []
    for before, after in zip(past, future, strict=True):
        signal = np.concatenate([before, after]).astype(np.float64)
        error = np.abs(_residual(signal, before))
        # A jump causes residuals for as long as the order of the predictor.
        span, start = reach + ORDER, max(0, len(before) - reach)
        here = float(error[start : start + reach + span].max(initial=0.0))
        # Noise that goes on after the join, as that of a codec, is no click: it stands out from both sides.
        sides = error[ORDER : max(ORDER, start)], error[start + reach + span :]
        blocks = [side[: len(side) // (reach + span) * (reach + span)].reshape(-1, reach + span) for side in sides]
        usual = max((float(np.sqrt(np.mean(side**2))) for side in sides if len(side)), default=1.0)
        values.append(here / max(usual, 1e-9))
        percentiles.append(percentile(here, np.concatenate([block.max(axis=1) for block in blocks])))
    return max(values), max(percentiles)


def _residual(signal: np.ndarray, fitted_on: np.ndarray) -> np.ndarray:
    """Linear-prediction residual of a signal; the predictor is fitted (autocorrelation method) to a part of it."""
    size = fast_length(2 * len(fitted_on))
    power = np.abs(np.fft.rfft(fitted_on.astype(np.float64), size)) ** 2
    correlation = np.fft.irfft(power, size)[: ORDER + 1]
    if len(correlation) <= ORDER or correlation[0] <= POWER_FLOOR:
        return np.diff(signal, prepend=signal[:1])
    correlation[0] *= 1 + 1e-6  # regularisation: pure tones make the equations singular
    lags = np.abs(np.subtract.outer(np.arange(ORDER), np.arange(ORDER)))
    coefficients = np.linalg.solve(correlation[lags], correlation[1:])
    return np.convolve(signal, np.concatenate([[1.0], -coefficients]))[: len(signal)]
