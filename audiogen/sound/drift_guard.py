"""Drift guard: feed-forward control that holds a tail to the spectrum, level and stereo image of its prompt.

Free-running models drift. Two guards compare running statistics of the tail with the prompt's and correct the
difference, with a time constant of many seconds, so that swells, which belong to the texture, pass. `SpectrumGuard`
shifts bands of the log-mel frames before rendering; `LevelGuard` mixes the rendered samples, since only there the
power is known exactly.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from audiogen.dsp.channel_covariance import mean_covariance
from audiogen.dsp.decibels import DB_PER_NEPER
from audiogen.dsp.limiter import peak_of
from audiogen.representation.mel import MelSpec

TIME_CONSTANT = 12.0  # seconds, of the running statistics
MAX_LEVEL_DB = 6.0  # largest correction of the level
MAX_BAND_DB = 2.0  # largest correction of a band
SMOOTHED_BANDS = 9  # number of bands that corrections are averaged over
END_SECONDS = 5.0  # of the prompt's end, whose level the tail starts from
END_MARGIN_DB = 1.0  # largest distance of the target from the level of the prompt's end
PRIOR_SECONDS = 4.0  # weight of the target covariance as a prior of the running one
RELATIVE_FLOOR = 1e-6  # of the power: weaker principal channels are not corrected


class SpectrumGuard:
    """Holds the mean spectrum of generated mel frames to the source's.

    What is held is each band's mean magnitude, which the brightness depends on. When the mean of its logarithm was held
    instead, swells with crests a little brighter than the source's kept the centroid of ocean waves 5 % too high.

    Args:
        frames: ``[time, channels * n_mels]`` log-mel frames of the source.
        spec: of the frames.

    Attributes:
        largest: largest correction of a band so far, dB.
    """

    def __init__(self, frames: Tensor, spec: MelSpec) -> None:
        self.n_mels = spec.n_mels
        # A Slaney band is a mean over its bins: its contribution to the power grows with their number.
        self.widths = torch.from_numpy((spec.filterbank() > 0).sum(1)).float()
        self.keep = math.exp(-1 / (TIME_CONSTANT * spec.frame_rate))
        self.mean, self.loudest = frames.exp().mean(0), frames.amax(0)
        self.max_power = float(self._powers(frames).max())
        self.running_mean = self.mean.clone()
        self.largest = 0.0

    def _powers(self, frames: Tensor) -> Tensor:
        """Power ``[time]`` of each frame over all channels, in the unit of the frames."""
        return (frames.unflatten(1, (-1, self.n_mels)).mul(2).exp() * self.widths).sum((1, 2))

    def __call__(self, frames: Tensor) -> Tensor:
        """Correct the next ``[time, channels * n_mels]`` frames."""
        for frame in frames.exp():
            self.running_mean.lerp_(frame, 1 - self.keep)
        bands = self._band_shift()
        self.largest = max(self.largest, float(bands.abs().max()))
        return self._within_range(frames + bands / DB_PER_NEPER)

    def _within_range(self, frames: Tensor) -> Tensor:
        """Limit bands and frames to the source's maxima, so that a model that overshoots does not clip the output."""
        frames = torch.minimum(frames, self.loudest)
        excess = self._powers(frames) / max(self.max_power, 1e-20)
        return frames - 0.5 * excess.clamp(min=1.0).log()[:, None]

    def _band_shift(self) -> Tensor:
        """Correction ``[channels * n_mels]`` in dB, smooth over bands and of zero mean in each channel."""
        error = (self.mean / self.running_mean).log().unflatten(0, (-1, self.n_mels)) * DB_PER_NEPER
        error = error - error.mean(1, keepdim=True)
        smooth = torch.nn.functional.avg_pool1d(
            error.unsqueeze(1), SMOOTHED_BANDS, 1, SMOOTHED_BANDS // 2, count_include_pad=False
        )
        return smooth.clamp(-MAX_BAND_DB, MAX_BAND_DB).flatten()


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
