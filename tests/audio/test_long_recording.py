"""Recordings that stay in their files: the same samples as in memory, block by block."""

from __future__ import annotations

import warnings
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, LongRecording, Recording, Writer, open_recording, opening, read, subtype_for
from audiogen.audio.reading import BlockReader, open_blocks
from audiogen.errors import InputError

RATE = 8000


def recorded(path: Path, subtype: str = "PCM_16", seconds: float = 12.0, peak: float = 0.5) -> Path:
    samples = np.random.default_rng(0).uniform(-peak, peak, (round(seconds * RATE), 2))
    soundfile.write(path, samples, RATE, subtype)
    return path


def test_a_short_recording_is_read(tmp_path: Path) -> None:
    path = recorded(tmp_path / "short.wav")
    opened = open_recording(path, None, None, 12.0)
    assert type(opened) is type(read(path))
    assert np.array_equal(opened.samples, read(path).samples)


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_16"), ("a.flac", "PCM_24"), ("a.ogg", "VORBIS")])
def test_a_long_recording_has_the_same_samples(tmp_path: Path, name: str, subtype: str) -> None:
    path = recorded(tmp_path / name, subtype)
    whole, long = read(path), open_recording(path, None, None, 2.0)
    assert isinstance(long, LongRecording)
    assert (long.length, long.channels, long.sample_rate, long.subtype) == (whole.length, 2, RATE, whole.subtype)
    assert (long.peak, long.silent, long.sounds, long.start) == (whole.peak, (), True, 0)
    assert long.end.shape == (2, 2 * RATE)
    assert np.array_equal(long.samples, whole.samples)
    assert np.array_equal(np.concatenate(list(long.blocks()), axis=1), whole.samples)


def test_cuts_are_held_where_they_lie_in_the_end(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav")
    whole, long = read(path), open_recording(path, None, None, 2.0)
    for first, last in (
        (10 * RATE, 12 * RATE),
        (11 * RATE, 11 * RATE + 5),
        (0, 100),
        (RATE, 11 * RATE),
        (7, 12 * RATE),
    ):
        cut = long.cut(first, last)
        assert isinstance(cut, LongRecording) == (first < 10 * RATE)
        assert cut.start == first
        assert np.array_equal(cut.samples, whole.samples[:, first:last])
        assert np.array_equal(cut.loaded().samples, whole.samples[:, first:last])
        assert np.array_equal(cut.cut(1, 5).samples, whole.samples[:, first + 1 : first + 5])
    assert np.shares_memory(long.cut(10 * RATE, 12 * RATE).samples, long.end)
    with pytest.raises(ValueError, match="must hold"):
        long.cut(0, 12 * RATE + 1)


def test_a_part_of_a_file_may_be_long(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav")
    part = open_recording(path, 1.5, 9.0, 2.0)
    assert isinstance(part, LongRecording)
    assert (part.start, part.length) == (1.5 * RATE, 7.5 * RATE)
    assert np.array_equal(part.samples, read(path).samples[:, 12000:72000])
    assert not isinstance(open_recording(path, 10.5, None, 2.0), LongRecording)


def test_what_follows_a_long_part_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = list[BlockReader]()

    def noted(path: Path, **more: bool) -> BlockReader:
        opened.append(open_blocks(path, **more))
        return opened[-1]

    monkeypatch.setattr(opening, "open_blocks", noted)
    path = recorded(tmp_path / "a.wav", seconds=400.0)
    open_recording(path, 2.0, 9.0, 2.0)
    assert 9 * RATE <= opened[0].findings.samples < 399 * RATE


def test_a_long_part_is_warned_of_by_its_own_samples(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (40 * RATE, 1))
    samples[25 * RATE : 26 * RATE] = 1.0
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, RATE, "PCM_16")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 10 * RATE])  # five seconds are missing
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioWarning)
        part = open_recording(path, 2.0, 9.0, 2.0)
    assert (part.start, part.length, part.peak < 0.6) == (2 * RATE, 7 * RATE, True)
    with pytest.warns(AudioWarning, match=r"a\.wav: clipped: \d+ of 96000 samples are flat"):
        open_recording(path, 16.0, 28.0, 2.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        open_recording(path, 27.0, None, 2.0)
    assert [" is truncated" in str(each.message) for each in caught] == [True]


def test_replacing_and_resampling_make_a_recording_in_memory(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav")
    whole, long = read(path), open_recording(path, None, None, 2.0)
    replaced, resampled = replace(long, path=None), long.resampled(RATE // 2)
    assert type(replaced) is type(resampled) is Recording
    assert (replaced.path, replaced.start, replaced.subtype) == (None, 0, whole.subtype)
    assert np.array_equal(replaced.samples, whole.samples)
    assert np.array_equal(resampled.samples, whole.resampled(RATE // 2).samples)
    assert isinstance(copy(long), LongRecording)


@pytest.mark.filterwarnings("ignore:.*exceed full scale")
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_long_recording_is_written_bit_for_bit(tmp_path: Path, subtype: str) -> None:
    path = recorded(tmp_path / "a.wav", subtype, peak=1.5 if subtype in ("FLOAT", "DOUBLE") else 0.5)
    whole, long = read(path), open_recording(path, None, None, 2.0)
    written = subtype_for(long, tmp_path / "b.wav")
    assert written == subtype_for(whole, tmp_path / "b.wav")
    with Writer(tmp_path / "b.wav", RATE, 2, written) as writer:
        writer.append(long)
    before, after = (soundfile.read(each, dtype="float64")[0] for each in (path, tmp_path / "b.wav"))
    assert np.array_equal(before, after)
    assert writer.rounded == writer.clipped == 0


def test_a_silent_channel_is_found(tmp_path: Path) -> None:
    samples = np.zeros((6 * RATE, 3))
    samples[:, 1] = 0.1
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    assert open_recording(tmp_path / "a.wav", None, None, 2.0).silent == (0, 2)


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav")
    long = open_recording(path, None, None, 2.0)
    recorded(path, seconds=5.0)
    with pytest.raises(InputError, match="changed"), Writer(tmp_path / "b.wav", RATE, 2, "PCM_16") as writer:
        writer.append(long)
    assert not (tmp_path / "b.wav").exists()
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        next(long.blocks())
