"""Drift guard: running statistics of what was generated against the source, corrected gently and reported.

A model that hears itself wanders. The guard follows the generated level and the mean of each band with a time constant
of many seconds, and leans against what departs from the source by slow, bounded shifts of the log-mel frames. Swells
shorter than the time constant are the texture's own and pass.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec

SECONDS = 12.0  # time constant
LARGEST_LEVEL = 6.0  # dB
LARGEST_BAND = 2.0  # dB
SMOOTHED_BANDS = 9  # over which band corrections are averaged
END_SECONDS = 5.0  # of the prompt, whose level is where the tail sets out
END_MARGIN = 1.0  # dB that the target may lie off the level of the prompt's end
DB = 20 / math.log(10)  # of one unit of a log-mel value


class DriftGuard:
    """Follows generated frames and shifts them back towards the source.

    Args:
        frames: ``[time, channels * n_mels]`` of the source.
        spec: of the frames.
    """

    def __init__(self, frames: Tensor, spec: MelSpec) -> None:
        self.n_mels = spec.n_mels
        # A Slaney band is a mean over its bins: its share of the power grows with their number.
        self.widths = torch.from_numpy((spec.filterbank() > 0).sum(1)).float()
        self.keep = math.exp(-1 / (SECONDS * spec.frame_rate))
        powers = self._powers(frames)
        end = powers[-max(round(END_SECONDS * spec.frame_rate), 1) :].mean()
        margin = 10 ** (END_MARGIN / 10)
        self.power = float(powers.mean().clamp(end / margin, end * margin))
        self.mean, self.loudest = frames.mean(0), frames.amax(0)
        self.greatest_power = float(powers.max())
        self.running_power, self.running_mean = self.power, self.mean.clone()
        self.largest_level = self.largest_band = 0.0

    def _powers(self, frames: Tensor) -> Tensor:
        """``[time]`` power of each frame, over all channels, in the unit of the frames."""
        return (frames.unflatten(1, (-1, self.n_mels)).mul(2).exp() * self.widths).sum((1, 2))

    def __call__(self, frames: Tensor) -> Tensor:
        """``[time, channels * n_mels]`` generated frames, in order -> the same, shifted."""
        for frame, power in zip(frames, self._powers(frames).tolist(), strict=True):
            self.running_power = self.keep * self.running_power + (1 - self.keep) * power
            self.running_mean.lerp_(frame, 1 - self.keep)
        bands = self._band_shift()
        level = 10 * math.log10(max(self.power, 1e-20) / max(self.running_power, 1e-20))
        level = max(-LARGEST_LEVEL, min(LARGEST_LEVEL, level))
        self.largest_level = max(self.largest_level, abs(level))
        self.largest_band = max(self.largest_band, float(bands.abs().max()))
        return self._within_range(frames + (level + bands) / DB)

    def _within_range(self, frames: Tensor) -> Tensor:
        """No band and no frame louder than the source ever is: a model that overshoots must not clip the output."""
        frames = torch.minimum(frames, self.loudest)
        excess = self._powers(frames) / max(self.greatest_power, 1e-20)
        return frames - 0.5 * excess.clamp(min=1.0).log()[:, None]

    def _band_shift(self) -> Tensor:
        """``[channels * n_mels]`` dB: smooth over bands, without the part that is level."""
        apart = (self.mean - self.running_mean).unflatten(0, (-1, self.n_mels)) * DB
        apart = apart - apart.mean(1, keepdim=True)
        smooth = torch.nn.functional.avg_pool1d(
            apart.unsqueeze(1), SMOOTHED_BANDS, 1, SMOOTHED_BANDS // 2, count_include_pad=False
        )
        return smooth.clamp(-LARGEST_BAND, LARGEST_BAND).flatten()

    def report(self) -> dict[str, float]:
        """The largest corrections that were made, dB."""
        return {"largest_level_db": round(self.largest_level, 2), "largest_band_db": round(self.largest_band, 2)}
