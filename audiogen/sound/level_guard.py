"""Level guard: slow correction that holds level and stereo image of rendered samples to the source's.

The counterpart of `spectrum_guard` for what only samples show.
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
RELATIVE_FLOOR = 1e-6  # of the power: weaker principal channels are not corrected


class LevelGuard:
    """Holds level and stereo image, the covariance of the channels, to the source's.

    The target is the covariance of the whole source, scaled to within `END_MARGIN_DB` of the level of its end. The
    correction is the least change that brings the running covariance there: the optimal transport (Monge) map between
    two zero-mean Gaussians (Olkin & Pukelsheim 1982, Linear Algebra Appl. 48); for one channel, a gain.

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
        covariance = mean_covariance(source)
        power, end = np.trace(covariance), np.trace(mean_covariance(source[:, -round(END_SECONDS * sample_rate) :]))
        if rotation is not None:
            covariance = rotation.T @ covariance @ rotation
        self.floor = np.eye(len(source)) * (RELATIVE_FLOOR * power + 1e-20)
        margin = 10 ** (END_MARGIN_DB / 10)
        self.target = covariance * np.clip(power, end / margin, end * margin) / max(power, 1e-20)
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
        mixing = self._transport(self.covariance / self.weight)
        # Amplification must not create a peak that the source does not have.
        mixed, allowed = peak_of(mixing @ block), max(self.peak, peak_of(block))
        if mixed > allowed:
            mixing *= allowed / mixed
        glide = (np.arange(block.shape[1]) + 1) / block.shape[1]
        output = self.mixing @ block * (1 - glide) + mixing @ block * glide
        self.mixing = mixing
        self.largest = max(self.largest, float(np.abs(20 * np.log10(np.linalg.eigvalsh(mixing))).max()))
        return output.astype(np.float32)

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
