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
    """Measure the join of two sounds; see `JoinReference`.

    Args:
        before: the first sound; its last 15 s are the comparison.
        after: the following sound, of the same sample rate and channels.
    """
    return JoinReference(before).measure(after)


class JoinReference:
    """The end of a sound, analysed once for all of the sounds that follow it.

    Spectral flux and complex-domain deviation after Bello et al. (2005), "A tutorial on onset detection in music
    signals", IEEE TSAP 13:1035, equations 5 and 10, counting increases and decreases; clicks by the linear-prediction
    residual after Godsill & Rayner (1998), "Digital Audio Restoration", section 5.2. Channels are measured separately
    and the largest value counts (for levels: the mean energy).

    Args:
        before: the sound; its last 15 s are analysed.
    """

    def __init__(self, before: Recording) -> None:
        rate = before.sample_rate
        self.side, context = max(1, round(SIDE_SECONDS * rate)), round(CONTEXT_SECONDS * rate)
        self.size, self.reach = frame_size(rate), max(2, round(CLICK_SECONDS * rate))
        past = before.cut(max(before.length - context, 0), before.length).samples
        self.length = past.shape[1]
        self._levels = _Levels(past, self.side)
        self._spectra = _Spectra(past, self.size)
        self._residuals = [_Residual(channel) for channel in past]

    def measure(self, after: Recording) -> JoinQuality:
        """Measure the join with a following sound, of the same sample rate and channels."""
        # The flux needs one frame beyond the join, the level 0.25 s.
        future = after.samples[:, : max(self.side, 2 * self.size)]
        step, step_percentile = self._levels.step(future)
        flux, flux_percentile, phase, phase_percentile = self._spectra.changes(future)
        clicks = [one.click(channel, self.reach) for one, channel in zip(self._residuals, future, strict=True)]
        click, click_percentile = (max(values) for values in zip(*clicks, strict=True))
        return JoinQuality(
            step, step_percentile, flux, flux_percentile, click, click_percentile, phase, phase_percentile
        )


def percentile(value: float, others: np.ndarray) -> float:
    """Percentage of ``others`` below ``value``, 0 to 100; 50 if there are none. Ties count half."""
    if not len(others):
        return 50.0
    return float(100 * (np.mean(others < value) + 0.5 * np.mean(others == value)))


class _Levels:
    """Steps of the level of ``[channels, time]`` samples, and at their end."""

    def __init__(self, past: np.ndarray, side: int) -> None:
        self.side, energy = side, np.mean(past.astype(np.float64) ** 2, axis=0)
        total = np.concatenate([[0.0], np.cumsum(energy)])
        levels = decibels((total[side:] - total[:-side]) / side)
        # At every sample: an onset after silence is a step of its full height at that sample alone.
        steps = np.abs(levels[side:] - levels[:-side])
        hop = max(1, side // 4)
        self.steps = steps[len(steps) % hop :].reshape(-1, hop).max(axis=1)
        self.before = float(energy[-side:].mean())

    def step(self, future: np.ndarray) -> tuple[float, float]:
        """The step to what follows, dB, and its percentile."""
        after = float(np.mean(future[:, : self.side].astype(np.float64) ** 2))
        here = float(decibels(after) - decibels(self.before))
        return here, percentile(abs(here), self.steps)


class _Spectra:
    """Changes of the spectrum of ``[channels, time]`` samples, and at their end."""

    def __init__(self, past: np.ndarray, size: int) -> None:
        self.size, self.hop = size, size // 4
        # Frames are aligned so that the join falls between two hops; the frames containing it span both sides.
        lead = past.shape[1] // self.hop * self.hop
        # Change k is that from frame k + 1 to k + 2; frames lead/hop - 3 .. lead/hop - 1 straddle the join.
        self.first, self.lead = max(0, lead // self.hop - 5), lead
        aligned = past[:, past.shape[1] - lead :]
        self.end = aligned[:, self.first * self.hop :].copy()
        none = np.zeros((len(past), 0), np.float32)
        self.past = _changes(aligned, size, self.hop) if self.first else (none, none)

    def changes(self, future: np.ndarray) -> tuple[float, float, float, float]:
        """Largest flux and phase deviation of the frames that span the join, each with its percentile."""
        future = np.pad(future, ((0, 0), (0, max(self.hop - future.shape[1], 0))))  # at least one frame contains it
        missing = max(4 * self.size - self.lead - future.shape[1], 0)
        signal = np.pad(np.concatenate([self.end, future], axis=1), ((0, 0), (0, missing)))
        count, results = 5, list[float]()
        for index, (before, after) in enumerate(zip(self.past, _changes(signal, self.size, self.hop), strict=True)):
            usual, here = before.max(axis=0), float(after[:, :count].max())
            peaks = np.lib.stride_tricks.sliding_window_view(usual, count).max(axis=1) if len(usual) > count else usual
            elsewhere = peaks[: max(0, self.first - count)]
            median = float(np.median(elsewhere)) if len(elsewhere) else 1.0
            results += [here / max(median, POWER_FLOOR) if index == 0 else here, percentile(here, elsewhere)]
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


class _Residual:
    """Linear-prediction residual of ``[time]`` samples, whose predictor is fitted (autocorrelation method) to them."""

    def __init__(self, past: np.ndarray) -> None:
        past = past.astype(np.float64)
        self.filter = _prediction_error_filter(past)
        self.end = past[-ORDER:].copy()
        self.error = self._of(past)

    def _of(self, signal: np.ndarray) -> np.ndarray:
        return np.abs(np.convolve(signal, self.filter)[: len(signal)]) if len(signal) else signal

    def click(self, future: np.ndarray, reach: int) -> tuple[float, float]:
        """Largest residual around the join, and its percentile among blocks of that length elsewhere."""
        length = len(self.error)
        later = self._of(np.concatenate([self.end, future.astype(np.float64)]))[len(self.end) :]
        # A jump causes residuals for as long as the order of the predictor.
        span, start = reach + ORDER, max(0, length - reach)
        here = float(max(self.error[start:].max(initial=0.0), later[: start + reach + span - length].max(initial=0.0)))
        # Noise that goes on after the join, as that of a codec, is no click: it stands out from both sides.
        sides = self.error[ORDER : max(ORDER, start)], later[start + reach + span - length :]
        blocks = [side[: len(side) // (reach + span) * (reach + span)].reshape(-1, reach + span) for side in sides]
        usual = max((float(np.sqrt(np.mean(side**2))) for side in sides if len(side)), default=1.0)
        return here / max(usual, 1e-9), percentile(here, np.concatenate([block.max(axis=1) for block in blocks]))


def _prediction_error_filter(fitted_on: np.ndarray) -> np.ndarray:
    """Impulse response of the filter from a signal to its linear-prediction residual."""
    size = fast_length(2 * len(fitted_on))
    power = np.abs(np.fft.rfft(fitted_on, size)) ** 2
    correlation = np.fft.irfft(power, size)[: ORDER + 1]
    if len(correlation) <= ORDER or correlation[0] <= POWER_FLOOR:
        return np.array([1.0, -1.0])
    correlation[0] *= 1 + 1e-6  # regularisation: pure tones make the equations singular
    lags = np.abs(np.subtract.outer(np.arange(ORDER), np.arange(ORDER)))
    coefficients = np.linalg.solve(correlation[lags], correlation[1:])
    return np.concatenate([[1.0], -coefficients])
