"""Plain WAV files: decoded without libsndfile, to the same samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import read
from audiogen.audio.decoding import open_source
from audiogen.audio.pcm_decoder import PcmSource
from audiogen.audio.soundfile_decoder import CHUNK


def noise(time: int, channels: int) -> np.ndarray:
    """Full-scale noise ``[time, channels]`` that begins and ends at both extremes."""
    samples = np.random.default_rng(time + channels).uniform(-1, 1, (time, channels))
    samples[0], samples[-1] = -1.0, 1.0
    return samples


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("time", [1, 1001, CHUNK + 7])
@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")
def test_the_samples_are_those_of_libsndfile(tmp_path: Path, time: int, subtype: str, channels: int) -> None:
    path = tmp_path / "plain.wav"
    soundfile.write(path, noise(time, channels), 44100, subtype)
    source = open_source(path)
    source.close()
    assert isinstance(source, PcmSource)
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0].T
    found = read(path).samples
    assert np.array_equal(found, expected)
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("container", "subtype"), [("WAV", "PCM_32"), ("WAV", "ULAW"), ("AIFF", "PCM_16"), ("RF64", "PCM_16")]
)
def test_all_other_files_are_left_to_libsndfile(tmp_path: Path, container: str, subtype: str) -> None:
    path = tmp_path / "other"
    with path.open("wb") as file:
        soundfile.write(file, 0.5 * noise(500, 2), 44100, subtype, format=container)
    source = open_source(path)
    source.close()
    assert not isinstance(source, PcmSource)
    assert np.array_equal(read(path).samples, soundfile.read(path, dtype="float32")[0].T)


def test_samples_that_the_header_promises_and_the_file_lacks_are_left_to_libsndfile(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, 0.5 * noise(500, 2), 44100, "PCM_16")
    path.write_bytes(path.read_bytes()[:-1000])
    source = open_source(path)
    source.close()
    assert not isinstance(source, PcmSource)


def test_doubles_are_asked_of_libsndfile(tmp_path: Path) -> None:
    path = tmp_path / "plain.wav"
    soundfile.write(path, 0.5 * noise(500, 2), 44100, "PCM_16")
    source = open_source(path, np.float64)
    assert next(source.chunks()).dtype == np.float64
    source.close()
