"""Recording -> what a Model and a Vocoder need of it: principal channels, as samples and as mel frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording, resample
from audiogen.dsp.principal_channels import covariance, rotation_of
from audiogen.representation.mel import MelSpec, log_mel

EDGE = 2048  # samples mirrored around the ends before resampling, so that its filter does not hear a step there


@dataclass(frozen=True)
class RecordingFeatures:
    """A recording as the pipeline sees it.

    Args:
        rotation: ``[channels, channels]``; ``rotation @ samples`` are the principal channels, strongest
            first.
        samples: ``[channels, time]`` principal channels at the spec's sample rate.
        frames: ``[channels, frames, n_mels]`` log-mel frames of whole windows; the last one ends with the
            recording.
        spec: of the frames.
    """

    rotation: np.ndarray
    samples: Tensor
    frames: Tensor
    spec: MelSpec

    @property
    def skipped(self) -> int:
        """How many samples lie before the first frame's window."""
        return max(self.samples.shape[-1] - self.spec.win, 0) % self.spec.hop

    def side_by_side(self, channels: int) -> Tensor:
        """``[frames, channels * n_mels]`` of the first principal channels; missing ones are silent."""
        frames = self.frames[:channels]
        if len(frames) < channels:
            silent = frames.new_full((channels - len(frames), *frames.shape[1:]), self.spec.silence)
            frames = torch.cat([frames, silent])
        return frames.transpose(0, 1).flatten(1)


def extract_features(recording: Recording, spec: MelSpec) -> RecordingFeatures:
    """Analyse a recording; frames are aligned to its end, where a continuation takes over."""
    rotation = rotation_of(covariance(recording.samples))
    principal = rotation @ recording.samples
    if recording.sample_rate != spec.sample_rate:
        principal = _resampled(principal, recording.sample_rate, spec.sample_rate)
    samples = torch.from_numpy(np.ascontiguousarray(principal, dtype=np.float32))
    missing = spec.win - samples.shape[-1]
    padded = torch.nn.functional.pad(samples, (missing, 0)) if missing > 0 else samples
    skipped = (padded.shape[-1] - spec.win) % spec.hop
    return RecordingFeatures(rotation, samples, log_mel(padded[:, skipped:], spec, padded=True), spec)


def _resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Resample with both ends continued by their point reflection."""
    edge = min(EDGE, samples.shape[-1] - 1)
    if edge < 1:
        return resample(samples, rate, wanted)
    before = 2 * samples[:, :1] - samples[:, edge:0:-1]
    after = 2 * samples[:, -1:] - samples[:, -2 : -edge - 2 : -1]
    whole = resample(np.concatenate([before, samples, after], axis=1).astype(np.float32), rate, wanted)
    start = round(edge * wanted / rate)
    return whole[:, start : start + round(samples.shape[-1] * wanted / rate)]
