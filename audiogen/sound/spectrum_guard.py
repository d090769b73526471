"""Spectrum guard: slow correction that holds the mean spectrum of generated mel frames to the source's.

Free-running models drift. This guard and `level_guard` compare running statistics of the tail with the prompt's and
correct the difference, with a time constant of many seconds, so that swells, which belong to the texture, pass. This
one shifts bands of the log-mel frames before rendering; the other mixes the rendered samples, since only there the
power is known exactly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audiogen.dsp.decibels import DB_PER_NEPER
from audiogen.representation.mel import MelSpec

TIME_CONSTANT = 12.0  # seconds, of the running statistics of both guards
MAX_BAND_DB = 2.0  # largest correction of a band
SMOOTHED_BANDS = 9  # number of bands that corrections are averaged over


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
