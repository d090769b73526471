"""Level guard: slow correction that holds level and stereo image of rendered samples to the source's.

The counterpart of `spectrum_guard` for what only samples show. Events that fail to come are no drift: what lies between
them would be amplified. So the mean power is held only as far as the median level agrees.
"""

from __future__ import annotations

import math

import numpy as np

from audiogen.dsp.channel_covariance import mean_covariance
from audiogen.dsp.limiter import peak_of
from audiogen.sound.spectrum_guard import TIME_CONSTANT

MAX_LEVEL_DB = 6.0  # largest correction of the level
END_SECONDS = 5.0  # of the prompt's end, whose level the tail starts from
END_MARGIN_DB = 1.0  # largest distance of the target from the level of the prompt's end
PRIOR_SECONDS = 4.0  # weight of the target covariance as a prior of the running one
FRAME_SECONDS = 0.1  # of the levels whose median is held
RELATIVE_FLOOR = 1e-6  # of the power: weaker principal channels are not corrected


class LevelGuard:
    """Holds level and stereo image, the covariance of the channels, to the source's.

    The target is the covariance of the whole source, scaled to within `END_MARGIN_DB` of the level of its end. The
    correction is the least change that brings the running covariance there: the optimal transport (Monge) map between
    two zero-mean Gaussians (Olkin & Pukelsheim 1982, Linear Algebra Appl. 48); for one channel, a gain. Of the gain it
    has on the whole, as of the distance of the end, only what the mean power and the median of short levels agree on is
    kept: the smaller of the two, and none where one would be raised and the other lowered.

    Args:
        source: ``[channels, time]`` samples.
        sample_rate: Hz, of the source.
        output_rate: Hz, of the blocks to correct.
        peak: magnitude that amplification must not exceed; None for the source's own.
        rotation: ``[channels, channels]`` that gave the source from the channels of the blocks; None for none.

    Attributes:
        largest: largest correction so far, dB.
    """

    def __init__(
        self,
        source: np.ndarray,
        sample_rate: int,
        output_rate: int,
        peak: float | None = None,
        rotation: np.ndarray | None = None,
    ) -> None:
        self.output_rate = output_rate
        covariance, end = mean_covariance(source), source[:, -round(END_SECONDS * sample_rate) :]
        power = float(np.trace(covariance))
        if rotation is not None:
            covariance = rotation.T @ covariance @ rotation
        self._least = RELATIVE_FLOOR * power + 1e-20
        self.floor = np.eye(len(source)) * self._least
        median = float(np.median(self._levels(source, sample_rate)))
        end_median = float(np.median(self._levels(end, sample_rate)))
        fades = agreed(self._level(float(np.trace(mean_covariance(end)))) - self._level(power), end_median - median)
        change = math.copysign(max(abs(fades) - END_MARGIN_DB, 0.0), fades)
        self.target = covariance * 10 ** (change / 10)
        self.median = median + change
        self._past = self._weights = np.zeros(0)  # levels of frames so far, dB, and their weights, seconds
        self.peak = peak_of(source) if peak is None else peak
        self.covariance, self.weight = self.target * PRIOR_SECONDS, PRIOR_SECONDS
        self.mixing = np.eye(len(source))
        self.largest = 0.0

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Correct the next ``[channels, time]`` samples; the mixing matrix glides from one block to the next."""
        seconds = block.shape[1] / self.output_rate
        keep = math.exp(-seconds / TIME_CONSTANT)
        self.covariance = keep * self.covariance + seconds * mean_covariance(block)
        self.weight = keep * self.weight + seconds
        levels = self._levels(block, self.output_rate)
        weights = np.concatenate([keep * self._weights, np.full(len(levels), seconds / len(levels))])
        recent = weights > 0.01 * weights[-1]
        self._past, self._weights = np.concatenate([self._past, levels])[recent], weights[recent]
        mixing = self._transport(self.covariance / self.weight) * self._restraint()
        # Amplification must not create a peak that the source does not have.
        mixed, allowed = peak_of(mixing @ block), max(self.peak, peak_of(block))
        if mixed > allowed:
            mixing *= allowed / mixed
        glide = (np.arange(block.shape[1]) + 1) / block.shape[1]
        output = self.mixing @ block * (1 - glide) + mixing @ block * glide
        self.mixing = mixing
        self.largest = max(self.largest, float(np.abs(20 * np.log10(np.linalg.eigvalsh(mixing))).max()))
        return output.astype(np.float32)

    def _restraint(self) -> float:
        """Factor that leaves of the gain what the median level agrees on."""
        target, running = (float(np.trace(each)) for each in (self.target, self.covariance / self.weight))
        wanted = float(np.clip(self._level(target) - self._level(running), -MAX_LEVEL_DB, MAX_LEVEL_DB))
        confidence = self._weights.sum() / self.weight  # the same prior as the covariance's
        off = confidence * (self.median - weighted_median(self._past, self._weights))
        return 10 ** ((agreed(wanted, off) - wanted) / 20)

    def _levels(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """Levels of short frames, dB."""
        energy = np.einsum("ct,ct->t", samples, samples)
        count = max(1, round(len(energy) / (FRAME_SECONDS * rate)))
        starts = np.arange(count) * len(energy) // count
        means = np.add.reduceat(energy, starts) / np.diff(starts, append=len(energy)) if len(energy) else np.zeros(1)
        return 10 * np.log10(np.maximum(means, self._least))

    def _level(self, power: float) -> float:
        return 10 * math.log10(max(power, self._least))

    def _transport(self, covariance: np.ndarray) -> np.ndarray:
        """Monge map from Gaussians of this covariance to the target, its gains limited to `MAX_LEVEL_DB`."""
        root = _matrix_power(self.target + self.floor, 0.5)
        mixing = root @ _matrix_power(root @ (covariance + self.floor) @ root, -0.5) @ root
        values, vectors = np.linalg.eigh(mixing)
        limit = 10 ** (MAX_LEVEL_DB / 20)
        return (vectors * values.clip(1 / limit, limit)) @ vectors.T


def _matrix_power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Power of a symmetric positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values.clip(1e-30) ** exponent) @ vectors.T


def agreed(first: float, second: float) -> float:
    """The smaller of two changes of one sign; 0 for changes of opposite signs."""
    return math.copysign(min(abs(first), abs(second)), first) if first * second > 0 else 0.0


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The value that half of the weight lies below."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
