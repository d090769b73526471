"""Writing: bit-exact where promised, dithered where bits are lost, and atomic."""

from __future__ import annotations

import os
import struct
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, Recording, Writer, read, subtype_for, wav_writer, write
from audiogen.cli.messages import failure_of
from audiogen.errors import InputError

RATE = 48000


def noise(length: int = 100_003, channels: int = 2, bits: int = 16) -> np.ndarray:
    """``[channels, time]`` uniform noise on the grid of so many bits, both rails included."""
    half = 2 ** (bits - 1)
    codes = np.random.default_rng(0).integers(-half, half, (channels, length))
    codes[0, :2] = -half, half - 1
    return (codes / half).astype("f4")


def parts_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    ("suffix", "subtype", "bits"),
    [
        (".wav", "PCM_U8", 8),
        (".wav", "PCM_16", 16),
        (".wav", "PCM_24", 24),
        (".wav", "PCM_32", 24),
        (".wav", "FLOAT", 24),
        (".wav", "DOUBLE", 24),
        (".flac", "PCM_16", 16),
        (".flac", "PCM_24", 24),
    ],
)
def test_exact_blocks_survive_bit_for_bit(tmp_path: Path, suffix: str, subtype: str, bits: int, channels: int) -> None:
    samples = noise(channels=channels, bits=bits)
    path = tmp_path / f"out{suffix}"
    with Writer(path, RATE, channels, subtype) as writer:
        writer.write(samples, exact=True)
    recording = read(path)
    assert (recording.sample_rate, recording.subtype, writer.length) == (RATE, subtype, samples.shape[1])
    np.testing.assert_array_equal(recording.samples, samples)


def test_wav_is_read_by_the_standard_library(tmp_path: Path) -> None:
    samples = noise(1001)
    write(tmp_path / "out.wav", Recording(samples, RATE, "PCM_16"), "PCM_16", exact=True)
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 2, 2)
        codes = np.frombuffer(file.readframes(2000), "<i2").reshape(-1, 2).T
    np.testing.assert_array_equal(codes, (samples * 32768).astype(int))


@pytest.mark.parametrize(("suffix", "subtype"), [(".ogg", "VORBIS"), (".opus", "OPUS"), (".mp3", "MPEG_LAYER_III")])
def test_lossy_containers_take_their_own_default(tmp_path: Path, suffix: str, subtype: str) -> None:
    samples = (0.3 * np.sin(2 * np.pi * 440 / RATE * np.arange(RATE)))[None].astype("f4")
    write(tmp_path / f"out{suffix}", Recording(samples, RATE))
    recording = read(tmp_path / f"out{suffix}")
    assert (recording.subtype, recording.length) == (subtype, RATE)
    assert np.square(recording.samples - samples).mean() < 0.01 * np.square(samples).mean()


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
def test_dither_makes_mean_and_variance_of_the_error_independent_of_the_sound(
    tmp_path: Path, subtype: str, offset: float
) -> None:
    """Rounding after TPDF dither: no bias, and an error of a quarter of a squared step (Lipshitz 1992)."""
    step = {"PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23}[subtype]
    samples = np.full((1, 200_000), offset * step, "f4")
    write(tmp_path / "out.wav", Recording(samples, RATE), subtype)
    error = (read(tmp_path / "out.wav").samples[0].astype(float) - samples[0]) / step
    assert abs(error.mean()) < 0.006  # five standard errors
    assert error.var() == pytest.approx(0.25, rel=0.02)
    assert abs(np.corrcoef(error[1:], error[:-1])[0, 1]) < 0.012


def test_dither_keeps_a_tone_below_half_a_step_that_rounding_would_delete(tmp_path: Path) -> None:
    time = np.arange(10 * RATE) / RATE
    samples = (0.4 * 2**-15 * np.sin(2 * np.pi * 1000 * time)).astype("f4")[None]
    level = {}
    for exact in (False, True):
        write(tmp_path / "out.wav", Recording(samples, RATE), "PCM_16", exact=exact)
        out = read(tmp_path / "out.wav").samples[0].astype(float) * 2**15
        level[exact] = 2 * abs(np.mean(out * np.exp(-2j * np.pi * 1000 * time)))
    assert level[False] == pytest.approx(0.4, abs=0.01)
    assert level[True] == 0.0


@pytest.mark.parametrize(("suffix", "subtype"), [(".wav", "PCM_24"), (".wav", "PCM_16"), (".flac", "PCM_16")])
def test_bytes_depend_on_the_seed_but_not_on_the_sizes_of_the_blocks(tmp_path: Path, suffix: str, subtype: str) -> None:
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 150_000)).astype("f4")

    def bytes_of(sizes: list[int], seed: int = 0) -> bytes:
        with Writer(tmp_path / f"out{suffix}", RATE, 2, subtype, seed) as writer:
            start, turn = 0, 0
            while start < samples.shape[1]:
                size = sizes[turn % len(sizes)]
                writer.write(samples[:, start : start + size])
                start, turn = start + size, turn + 1
        return (tmp_path / f"out{suffix}").read_bytes()

    whole = bytes_of([150_000])
    assert bytes_of([997]) == whole
    assert bytes_of([1, 70_000, 33]) == whole
    assert bytes_of([150_000], seed=1) != whole


def test_the_tail_after_an_exact_prompt_is_the_tail_written_alone(tmp_path: Path) -> None:
    prompt, tail = noise(5000), np.random.default_rng(1).uniform(-0.5, 0.5, (2, 9000)).astype("f4")
    with Writer(tmp_path / "joined.wav", RATE, 2) as writer:
        writer.write(prompt, exact=True)
        writer.write(tail)
    write(tmp_path / "tail.wav", Recording(tail, RATE))
    joined = read(tmp_path / "joined.wav").samples
    np.testing.assert_array_equal(joined[:, :5000], prompt)
    np.testing.assert_array_equal(joined[:, 5000:], read(tmp_path / "tail.wav").samples)


def test_float_files_contain_no_time_of_day(tmp_path: Path) -> None:
    write(tmp_path / "out.wav", Recording(noise(100), RATE), "FLOAT")
    content = (tmp_path / "out.wav").read_bytes()
    assert b"PEAK" not in content
    assert soundfile.info(tmp_path / "out.wav").frames == 100


def test_pcm_beyond_full_scale_is_clipped_counted_and_warned_of_once(tmp_path: Path) -> None:
    samples = np.array([[0.0, 1.5, -2.0, np.nextafter(np.float32(1), np.float32(2)), -1.0]], "f4")
    writer = Writer(tmp_path / "out.wav", RATE, 1)
    writer.__enter__()
    writer.write(samples, exact=True)
    writer.write(samples * 0, exact=True)
    with pytest.warns(AudioWarning, match=r"2 of 10 samples.*\+6\.0 dBFS.*--subtype FLOAT") as caught:
        writer.__exit__(None, None, None)
    assert len(caught) == 1
    assert writer.clipped == 2
    top = 1 - 2.0**-23
    np.testing.assert_array_equal(read(tmp_path / "out.wav").samples[0, :5], np.array([0, top, -1, top, -1], "f4"))


def test_float_beyond_full_scale_is_kept_without_a_warning(tmp_path: Path) -> None:
    samples = np.array([[0.0, 1.5, -2.0]], "f4")
    write(tmp_path / "out.wav", Recording(samples, RATE))  # subtype_for chooses FLOAT
    with pytest.warns(AudioWarning, match="exceed full scale"):
        recording = read(tmp_path / "out.wav")
    assert recording.subtype == "FLOAT"
    np.testing.assert_array_equal(recording.samples, samples)


def test_not_finite_samples_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"), Writer(tmp_path / "out.wav", RATE, 1, "FLOAT") as writer:
        writer.write(np.array([[0.0, np.nan]], "f4"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_an_interruption_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException], suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"the old file")

    def interrupted() -> None:
        with Writer(path, RATE, 2) as writer:
            writer.write(noise())
            assert len(parts_in(tmp_path)) == 1
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.posix
def test_a_process_that_is_killed_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with Writer(tmp_path / "out.wav", RATE, 2) as writer:
            writer.write(noise())
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not (tmp_path / "out.wav").exists()


@contextmanager
def disk_full_at(size: int) -> Iterator[None]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.posix
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
@pytest.mark.parametrize(("length", "limit"), [(300_000, 100_000), (3000, 300)])  # in the midst; at the end
def test_a_full_disk_is_an_os_error_and_leaves_nothing(tmp_path: Path, suffix: str, length: int, limit: int) -> None:
    recording = Recording(noise(length), RATE)
    with disk_full_at(limit), pytest.raises(OSError, match=r".") as raised:
        write(tmp_path / f"out{suffix}", recording)
    assert raised.value.filename == str(tmp_path / f"out{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.posix
@pytest.mark.parametrize(
    ("error", "room"), [("short write", False), ("system", False), ("system", True), ("own", True)]
)
def test_only_a_write_without_room_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str, room: bool
) -> None:
    errors = {
        "short write": AssertionError(),
        "system": soundfile.LibsndfileError(2),
        "own": soundfile.LibsndfileError(29),
    }

    def fail(*arguments: object) -> None:
        raise errors[error]

    monkeypatch.setattr(soundfile.SoundFile, "write", fail)
    path = tmp_path / "out.flac"
    with disk_full_at(10**9 if room else 100), pytest.raises((OSError, InputError)) as raised:
        write(path, Recording(noise(), RATE))
    failure = failure_of(raised.value)
    assert failure.subject == str(path)
    assert ("make room" in failure.cure) is not room
    if room:
        reason = errors[error].error_string
        assert failure.text == f"{path}: it cannot be written ({reason}); write a .wav"
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_of_one_new_file_the_first_wins(tmp_path: Path) -> None:
    path, first = tmp_path / "out.wav", noise()

    def write_two() -> None:
        with Writer(path, RATE, 2) as late:
            write(path, Recording(first, RATE), "FLOAT")
            late.write(2 * first)

    with pytest.raises(InputError, match=r"out\.wav: another process has written it meanwhile"):
        write_two()
    np.testing.assert_array_equal(read(path).samples, first)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "out.wav", Recording(noise(), RATE))
    assert list(tmp_path.iterdir()) == [tmp_path / "out.wav"]


def test_wav_beyond_four_gigabytes_becomes_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav_writer, "RIFF_LIMIT", 10_000)
    for length, magic in [(1000, b"RIFF"), (5000, b"RF64")]:
        samples = noise(length, 2)
        write(tmp_path / "out.wav", Recording(samples, RATE), "PCM_16", exact=True)
        content = (tmp_path / "out.wav").read_bytes()
        assert content[:4] == magic
        np.testing.assert_array_equal(read(tmp_path / "out.wav").samples, samples)
    assert content[4:8] == b"\xff" * 4
    assert struct.unpack("<QQQ", content[20:44]) == (len(content) - 8, 5000 * 4, 5000)


@pytest.mark.parametrize(
    ("name", "channels", "rate", "subtype", "message"),
    [
        ("out.xyz", 1, RATE, None, r"unknown suffix '\.xyz'; choose from \.wav, \.flac"),
        ("out", 1, RATE, None, "unknown suffix"),
        ("out.flac", 1, RATE, "FLOAT", r"cannot have subtype FLOAT; choose from PCM_24, PCM_16"),
        ("none/out.wav", 1, RATE, None, "folder does not exist"),
        ("folder.wav", 1, RATE, None, "is a folder"),
        ("out.mp3", 6, RATE, None, "it cannot have 6 channels at 48000 Hz as MP3"),
        ("out.opus", 1, 44100, None, "it cannot have 1 channels at 44100 Hz"),
        ("out.flac", 9, RATE, None, "it cannot have 9 channels"),
    ],
)
def test_impossible_files_are_refused_before_any_sample(
    tmp_path: Path, name: str, channels: int, rate: int, subtype: str | None, message: str
) -> None:
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(InputError, match=message), Writer(tmp_path / name, rate, channels, subtype):
        pytest.fail("the Writer opened")
    with pytest.raises(InputError, match=message):
        Writer(tmp_path / name, rate, channels, subtype).rehearse()
    assert [path.name for path in tmp_path.iterdir()] == ["folder.wav"]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_a_rehearsal_changes_no_file(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    Writer(out, RATE, 2).rehearse()
    assert list(tmp_path.iterdir()) == []
    out.write_text("dear")
    Writer(out, RATE, 2).rehearse()
    assert out.read_text() == "dear"
    assert list(tmp_path.iterdir()) == [out]


def test_blocks_of_another_shape_or_outside_with_are_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "out.wav", RATE, 2)
    with pytest.raises(ValueError, match="inside its `with`"):
        writer.write(noise())
    with pytest.raises(ValueError, match=r"\[2, time\]"), writer:
        writer.write(noise(channels=1))


@pytest.mark.parametrize(
    ("samples", "source", "name", "expected"),
    [
        (noise(bits=24), "PCM_24", "a.wav", "PCM_24"),
        (noise(bits=24), "FLOAT", "a.wav", "PCM_24"),
        (noise() / 3, "FLOAT", "a.wav", "FLOAT"),
        (noise() / 3, "PCM_32", "a.wav", "PCM_32"),
        (noise() / 3, "VORBIS", "a.wav", "PCM_24"),
        (noise() * 1.5, "MPEG_LAYER_III", "a.wav", "FLOAT"),
        (np.ones((1, 5), "f4"), "DOUBLE", "a.wav", "DOUBLE"),
        (noise() / 3, None, "a.wav", "PCM_24"),
        (noise() * 1.5, "FLOAT", "a.flac", "PCM_24"),
        (noise() / 3, "FLOAT", "a.ogg", "VORBIS"),
    ],
)
def test_the_subtype_keeps_the_samples_of_the_prompt(
    samples: np.ndarray, source: str | None, name: str, expected: str
) -> None:
    assert subtype_for(Recording(samples.astype("f4"), RATE, source), name) == expected
