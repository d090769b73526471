"""Drift guard: running statistics of what was generated against the source, corrected gently and reported.

A model that hears itself wanders. Two guards lean against it with a time constant of many seconds, so that swells,
which are the texture's own, pass: `SpectrumGuard` shifts bands of the log-mel frames, `LevelGuard` turns the rendered
samples up or down, since only there the power is known exactly.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec

TIME_CONSTANT = 12.0  # time constant
MAX_LEVEL_DB = 6.0  # dB
MAX_BAND_DB = 2.0  # dB
SMOOTHED_BANDS = 9  # over which band corrections are averaged
END_SECONDS = 5.0  # of the prompt, whose level is where the tail sets out
END_MARGIN_DB = 1.0  # dB that the target may lie off the level of the prompt's end
PRIOR_SECONDS = 4.0  # of generated sound that it takes to doubt the level as much as to believe it
RELATIVE_FLOOR = 1e-6  # of the power, below which a principal channel is left alone
DB = 20 / math.log(10)  # of one unit of a log-mel value


class SpectrumGuard:
    """Follows generated frames and shifts their bands back towards the source.

    What is held is each band's mean magnitude, which is what brightness is made of: by means of its logarithm, swells
    with crests a little brighter than the source's kept the centroid of ocean waves 5 % too high.

    Args:
        frames: ``[time, channels * n_mels]`` of the source.
        spec: of the frames.
    """

    def __init__(self, frames: Tensor, spec: MelSpec) -> None:
        self.n_mels = spec.n_mels
        # A Slaney band is a mean over its bins: its share of the power grows with their number.
        self.widths = torch.from_numpy((spec.filterbank() > 0).sum(1)).float()
        self.keep = math.exp(-1 / (TIME_CONSTANT * spec.frame_rate))
        self.mean, self.loudest = frames.exp().mean(0), frames.amax(0)
        self.greatest_power = float(self._powers(frames).max())
        self.running_mean = self.mean.clone()
        self.largest = 0.0

    def _powers(self, frames: Tensor) -> Tensor:
        """``[time]`` power of each frame, over all channels, in the unit of the frames."""
        return (frames.unflatten(1, (-1, self.n_mels)).mul(2).exp() * self.widths).sum((1, 2))

    def __call__(self, frames: Tensor) -> Tensor:
        """``[time, channels * n_mels]`` generated frames, in order -> the same, shifted."""
        for frame in frames.exp():
            self.running_mean.lerp_(frame, 1 - self.keep)
        bands = self._band_shift()
        self.largest = max(self.largest, float(bands.abs().max()))
        return self._within_range(frames + bands / DB)

    def _within_range(self, frames: Tensor) -> Tensor:
        """No band and no frame louder than the source ever is: a model that overshoots must not clip the output."""
        frames = torch.minimum(frames, self.loudest)
        excess = self._powers(frames) / max(self.greatest_power, 1e-20)
        return frames - 0.5 * excess.clamp(min=1.0).log()[:, None]

    def _band_shift(self) -> Tensor:
        """``[channels * n_mels]`` dB: smooth over bands, without the part that is level."""
        apart = (self.mean / self.running_mean).log().unflatten(0, (-1, self.n_mels)) * DB
        apart = apart - apart.mean(1, keepdim=True)
        smooth = torch.nn.functional.avg_pool1d(
            apart.unsqueeze(1), SMOOTHED_BANDS, 1, SMOOTHED_BANDS // 2, count_include_pad=False
        )
        return smooth.clamp(-MAX_BAND_DB, MAX_BAND_DB).flatten()


class LevelGuard:
    """Holds level and stereo image: the covariance of the principal channels, to the source's.

    The level aimed at is that of the whole source, but at most `END_MARGIN_DB` from that of its end. Departures are
    mixed back by the least change, the optimal transport between two Gaussians (Olkin & Pukelsheim 1982, Linear
    Algebra Appl. 48); of one channel, a gain.

    Args:
        samples: ``[channels, time]`` principal channels of the source.
        sample_rate: Hz, of the source.
        output_rate: Hz, of what it will be given.
    """

    def __init__(self, samples: np.ndarray, sample_rate: int, output_rate: int) -> None:
        self.output_rate = output_rate
        covariance = _covariance(samples)
        self.floor = np.eye(len(samples)) * (RELATIVE_FLOOR * np.trace(covariance) + 1e-20)
        power, end = np.trace(covariance), np.trace(_covariance(samples[:, -round(END_SECONDS * sample_rate) :]))
        margin = 10 ** (END_MARGIN_DB / 10)
        self.target = covariance * np.clip(power, end / margin, end * margin) / max(power, 1e-20)
        self.peak = float(np.abs(samples).max(initial=0))
        self.covariance, self.weight = self.target * PRIOR_SECONDS, PRIOR_SECONDS
        self.mixing = np.eye(len(samples))
        self.largest = 0.0

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """The next ``[channels, time]`` samples, by a mixing that glides from one block to the next."""
        seconds = block.shape[1] / self.output_rate
        keep = math.exp(-seconds / TIME_CONSTANT)
        self.covariance = keep * self.covariance + seconds * _covariance(block)
        self.weight = keep * self.weight + seconds
        wanted = self._transport(self.covariance / self.weight)
        # Turning up must not make a peak that the source never had.
        mixed, most = float(np.abs(wanted @ block).max()), max(self.peak, float(np.abs(block).max()))
        if mixed > most:
            wanted *= most / mixed
        glide = (np.arange(block.shape[1]) + 1) / block.shape[1]
        held = self.mixing @ block * (1 - glide) + wanted @ block * glide
        self.mixing = wanted
        self.largest = max(self.largest, float(np.abs(20 * np.log10(np.linalg.eigvalsh(wanted))).max()))
        return held.astype(np.float32)

    def _transport(self, covariance: np.ndarray) -> np.ndarray:
        root = _matrix_power(self.target + self.floor, 0.5)
        mixing = root @ _matrix_power(root @ (covariance + self.floor) @ root, -0.5) @ root
        values, vectors = np.linalg.eigh(mixing)
        most = 10 ** (MAX_LEVEL_DB / 20)
        return (vectors * values.clip(1 / most, most)) @ vectors.T


def _covariance(samples: np.ndarray) -> np.ndarray:
    """``[channels, time]`` -> mean power of and between channels ``[channels, channels]``."""
    total = np.zeros((len(samples), len(samples)))
    for start in range(0, samples.shape[1], 1 << 20):  # in double precision, a piece at a time
        piece = samples[:, start : start + (1 << 20)].astype(np.float64)
        total += piece @ piece.T
    return total / max(samples.shape[1], 1)


def _matrix_power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    """Of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values.clip(1e-30) ** exponent) @ vectors.T
