"""Features of a recording that Models and Vocoders work on: principal channels, as samples and as mel frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording, resample, resample_parts
from audiogen.dsp.channel_covariance import principal_rotation, second_moments
from audiogen.representation.mel import MelSpec, log_mel

MIN_SECONDS = 0.5  # shortest recording that can be continued or trained on
EDGE = 2048  # samples of point reflection at either end, so that the resampling filter meets no step there


@dataclass(frozen=True)
class RecordingFeatures:
    """Principal channels and mel frames of a recording.

    Args:
        rotation: ``[channels, channels]``; ``rotation @ samples`` are the principal channels, strongest first.
        samples: ``[channels, time]`` principal channels at the spec's sample rate.
        frames: ``[channels, frames, n_mels]`` log-mel frames of whole windows, aligned to the end of the recording.
        spec: of the frames.
    """

    rotation: np.ndarray
    samples: Tensor
    frames: Tensor
    spec: MelSpec
    _side_by_side: dict[int, Tensor] = field(init=False, default_factory=dict)  # all users share one copy

    @property
    def skipped(self) -> int:
        """Number of samples before the first frame's window."""
        return max(self.samples.shape[-1] - self.spec.win, 0) % self.spec.hop

    def side_by_side(self, channels: int) -> Tensor:
        """Frames ``[frames, channels * n_mels]`` of the first principal channels; missing channels are silent."""
        if channels not in self._side_by_side:
            self._side_by_side[channels] = self._laid_out(channels)
        return self._side_by_side[channels]

    def _laid_out(self, channels: int) -> Tensor:
        frames = self.frames[:channels]
        if len(frames) < channels:
            silent = frames.new_full((channels - len(frames), *frames.shape[1:]), self.spec.silence)
            frames = torch.cat([frames, silent])
        return frames.transpose(0, 1).flatten(1)


def extract_features(recording: Recording, spec: MelSpec, rotation: np.ndarray | None = None) -> RecordingFeatures:
    """Extract principal channels and mel frames, aligned to the end of the recording, where a tail is joined.

    Args:
        recording: of any rate and length; one shorter than a window is padded with silence before it.
        spec: of the frames.
        rotation: to principal channels; None for the recording's own.
    """
    if rotation is None:
        rotation = principal_rotation(second_moments(recording.samples))
    principal = rotation @ recording.samples
    if recording.sample_rate != spec.sample_rate:
        principal = _resampled(principal, recording.sample_rate, spec.sample_rate)
    samples = torch.from_numpy(np.ascontiguousarray(principal, dtype=np.float32))
    missing = spec.win - samples.shape[-1]
    padded = torch.nn.functional.pad(samples, (missing, 0)) if missing > 0 else samples
    skipped = (padded.shape[-1] - spec.win) % spec.hop
    return RecordingFeatures(rotation, samples, log_mel(padded[:, skipped:], spec, padded=True), spec)


def _resampled(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resample ``[channels, time]``, both ends extended by their point reflection."""
    edge = min(EDGE, samples.shape[-1] - 1)
    if edge < 1:
        return resample(samples, rate, new_rate)
    before = 2 * samples[:, :1] - samples[:, edge:0:-1]
    after = 2 * samples[:, -1:] - samples[:, -2 : -edge - 2 : -1]
    extended = resample_parts([before, samples, after], rate, new_rate)
    start = round(edge * new_rate / rate)
    return extended[:, start : start + round(samples.shape[-1] * new_rate / rate)]
