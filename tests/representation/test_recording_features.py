"""Features of recordings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audiogen.audio import Recording
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.representation.recording_features import extract_features

SPEC = MelSpec()


def test_the_last_frame_ends_with_the_recording(texture):
    recording = texture(0.73)
    features = extract_features(recording, SPEC)
    samples = torch.from_numpy(recording.samples)
    assert torch.allclose(features.samples, samples)
    assert torch.allclose(features.frames[:, -1:], log_mel(samples[:, -2048:], SPEC, padded=True), atol=1e-5)
    assert features.frames.shape == (1, (recording.length - 2048) // 512 + 1, 128)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_another_rate_is_resampled_to_its_length(texture, rate: int):
    features = extract_features(texture(1.0, rate=rate), SPEC)
    assert features.samples.shape == (1, 44100)
    assert features.frames.isfinite().all()


def test_a_constant_survives_resampling_to_its_ends():
    features = extract_features(Recording(np.full((1, 8000), 0.25, np.float32), 8000), SPEC)
    assert (features.samples - 0.25).abs().max() < 1e-3


@pytest.mark.parametrize("length", [1, 2, 100, 2047])
def test_a_recording_shorter_than_a_window_has_one_frame(length: int):
    features = extract_features(Recording(np.full((2, length), 0.1, np.float32), 44100), SPEC)
    assert features.frames.shape == (2, 1, 128)
    assert features.frames.isfinite().all()


def test_channels_side_by_side_and_missing_ones_silent(texture):
    features = extract_features(texture(0.5, channels=2), SPEC)
    frames = features.side_by_side(3)
    assert frames.shape == (features.frames.shape[1], 3 * 128)
    assert torch.equal(frames[:, 128:256], features.frames[1])
    assert torch.equal(frames[:, 256:], torch.full_like(frames[:, 256:], SPEC.silence))
    assert torch.equal(features.side_by_side(1), features.frames[0])
