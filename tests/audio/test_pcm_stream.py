"""Endless signals as bytes."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import read
from audiogen.audio.pcm_stream import FORMATS, PcmEncoder


def test_floats_are_kept_and_integers_are_within_the_dither() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (2, 500)).astype(np.float32)
    floats = np.frombuffer(PcmEncoder("f32", 48000, 2).encode(samples), "<f4").reshape(-1, 2).T
    np.testing.assert_array_equal(floats, samples)
    codes = np.frombuffer(PcmEncoder("s16", 48000, 2).encode(samples), "<i2").reshape(-1, 2).T
    assert np.abs(codes / 2**15 - samples).max() <= 1.5 / 2**15 + 1e-6
    loud = np.frombuffer(PcmEncoder("s16", 48000, 1).encode(np.float32([[3, -3]])), "<i2")
    assert loud.tolist() == [2**15 - 1, -(2**15)]


def test_the_sizes_of_blocks_and_silence_change_nothing() -> None:
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, (1, 900)).astype(np.float32)
    whole, parts = PcmEncoder("s16", 8000, 1, None, 3), PcmEncoder("s16", 8000, 1, None, 3)
    assert whole.encode(samples) == b"".join(parts.encode(part) for part in np.split(samples, 9, axis=1))
    assert PcmEncoder("s16", 8000, 1).encode(np.zeros((1, 50), np.float32)) == bytes(100)


@pytest.mark.filterwarnings("ignore:.*truncated")
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind.startswith("wav")])
def test_a_wav_of_no_stated_length_can_be_read(kind: str, tmp_path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4000)).astype(np.float32)
    encoder = PcmEncoder(kind, 22050, 2)
    (tmp_path / "endless.wav").write_bytes(encoder.header() + encoder.encode(samples))
    found = read(tmp_path / "endless.wav")
    assert (found.sample_rate, found.channels, found.length) == (22050, 2, 4000)
    assert np.abs(found.samples - samples).max() <= 1.5 / 2**15 + 1e-6
