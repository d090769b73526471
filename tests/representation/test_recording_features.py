"""Recordings as the pipeline hears them."""

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
    heard = extract_features(recording, SPEC)
    samples = torch.from_numpy(recording.samples)
    assert torch.allclose(heard.samples, samples)
    assert torch.allclose(heard.frames[:, -1:], log_mel(samples[:, -2048:], SPEC, padded=True), atol=1e-5)
    assert heard.frames.shape == (1, (recording.length - 2048) // 512 + 1, 128)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_another_rate_is_resampled_to_its_length(texture, rate: int):
    heard = extract_features(texture(1.0, rate=rate), SPEC)
    assert heard.samples.shape == (1, 44100)
    assert heard.frames.isfinite().all()


def test_a_constant_survives_resampling_to_its_ends():
    heard = extract_features(Recording(np.full((1, 8000), 0.25, np.float32), 8000), SPEC)
    assert (heard.samples - 0.25).abs().max() < 1e-3


@pytest.mark.parametrize("length", [1, 2, 100, 2047])
def test_a_recording_shorter_than_a_window_has_one_frame(length: int):
    heard = extract_features(Recording(np.full((2, length), 0.1, np.float32), 44100), SPEC)
    assert heard.frames.shape == (2, 1, 128)
    assert heard.frames.isfinite().all()


def test_channels_stand_side_by_side_and_missing_ones_are_silent(texture):
    heard = extract_features(texture(0.5, channels=2), SPEC)
    frames = heard.side_by_side(3)
    assert frames.shape == (heard.frames.shape[1], 3 * 128)
    assert torch.equal(frames[:, 128:256], heard.frames[1])
    assert torch.equal(frames[:, 256:], torch.full_like(frames[:, 256:], SPEC.silence))
    assert torch.equal(heard.side_by_side(1), heard.frames[0])
