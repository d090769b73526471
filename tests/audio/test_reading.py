"""Reading audio files, sound and damaged."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, BlockReader, Recording, info, open_blocks, read
from audiogen.errors import InputError

RATE = 48000
CORRUPT = Path(__file__).parents[2].parent / "shared" / "data" / "corrupt"
NO_AUDIO = {"all_nan_float32.wav", "header_only.wav", "text_renamed.wav", "zero_length.wav"}


def tone(seconds: float = 0.5, rate: int = RATE, channels: int = 2, level: float = 0.25) -> np.ndarray:
    """``[channels, time]`` sines at 440, 550... Hz."""
    time = np.arange(round(seconds * rate)) / rate
    return np.stack([level * np.sin(2 * np.pi * 110 * (4 + k) * time) for k in range(channels)]).astype("f4")


def saved(path: Path, samples: np.ndarray, subtype: str, format: str, rate: int = RATE) -> Path:
    with path.open("wb") as file:
        soundfile.write(file, samples.T, rate, subtype=subtype, format=format)
    return path


def wav_bytes(samples: np.ndarray, data_size: int | None = None, before: bytes = b"") -> bytes:
    """A 16-bit WAV made by hand, with any size in its header and any bytes ahead of its ``fmt`` chunk."""
    data = np.round(samples.T * 32767).astype("<i2").tobytes()
    channels = samples.shape[0]
    head = struct.pack("<HHIIHH", 1, channels, RATE, RATE * 2 * channels, 2 * channels, 16)
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", 16) + head
    body += b"data" + struct.pack("<I", len(data) if data_size is None else data_size) + data
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFFFFFF)) + body


def signal_to_noise(decoded: np.ndarray, real: np.ndarray) -> float:
    """dB."""
    length = min(decoded.shape[1], real.shape[1])
    error = decoded[:, :length] - real[:, :length]
    return float(10 * np.log10(np.square(real).mean() / max(np.square(error).mean(), 1e-30)))


@pytest.mark.parametrize(
    ("format", "subtype", "decibels"),
    [
        ("WAV", "PCM_U8", 30),
        ("WAV", "PCM_16", 80),
        ("WAV", "PCM_24", 125),
        ("WAV", "PCM_32", 140),
        ("WAV", "FLOAT", 140),
        ("WAV", "DOUBLE", 140),
        ("WAV", "ULAW", 30),
        ("WAV", "ALAW", 30),
        ("WAV", "IMA_ADPCM", 25),
        ("WAV", "MS_ADPCM", 25),
        ("RF64", "PCM_16", 80),
        ("FLAC", "PCM_16", 80),
        ("OGG", "VORBIS", 20),
        ("OGG", "OPUS", 20),
        ("MP3", "MPEG_LAYER_III", 20),
    ],
)
def test_each_format_by_content_under_a_misleading_name(
    tmp_path: Path, format: str, subtype: str, decibels: float
) -> None:
    samples = tone()
    recording = read(saved(tmp_path / "дождь 雨 é.raw", samples, subtype, format))
    assert (recording.sample_rate, recording.channels, recording.subtype) == (RATE, 2, subtype)
    assert 0 <= recording.length - samples.shape[1] <= 2100  # ADPCM and MP3 fill their last block
    assert signal_to_noise(recording.samples, samples) > decibels


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (37123, 1), (44100, 6), (192000, 2)])
def test_any_rate_and_any_channels_survive_bit_for_bit(tmp_path: Path, rate: int, channels: int) -> None:
    samples = tone(3.0, rate, channels)  # more than one piece
    recording = read(saved(tmp_path / "a.wav", samples, "FLOAT", "WAV", rate))
    assert recording.sample_rate == rate
    np.testing.assert_array_equal(recording.samples, samples)


def test_recording_knows_its_length_and_can_be_cut() -> None:
    recording = Recording(tone(1.0), RATE, "PCM_16")
    part = recording.cut(100, 400)
    assert (part.length, part.channels, part.seconds, part.subtype) == (300, 2, 300 / RATE, "PCM_16")
    np.testing.assert_array_equal(part.samples, recording.samples[:, 100:400])
    assert recording.resampled(RATE) is recording
    assert recording.resampled(24000).length == 24000
    with pytest.raises(ValueError, match="start"):
        recording.cut(0, RATE + 1)


def test_blocks_are_the_whole_recording(tmp_path: Path) -> None:
    samples = tone(3.3)
    samples[0, 65530:65540] = np.nan  # across two decoded chunks
    path = saved(tmp_path / "a.wav", samples, "FLOAT", "WAV")
    with pytest.warns(AudioWarning, match="10 of"):
        whole = read(path).samples
    for seconds in (0.1, 1.0, 10.0):
        with open_blocks(path, seconds) as blocks:
            assert (blocks.sample_rate, blocks.channels, blocks.length) == (RATE, 2, samples.shape[1])
            with pytest.warns(AudioWarning):
                parts = list(blocks)
        assert all(part.shape[1] == round(seconds * RATE) for part in parts[:-1])
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_reading_in_blocks_takes_bounded_memory(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.wav", np.zeros((1, 100 * RATE), "f4"), "PCM_16", "WAV")
    tracemalloc.start()
    with open_blocks(path, 1.0) as blocks:
        total = sum(block.shape[1] for block in blocks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 100 * RATE
    assert peak < 4e6  # the whole would be 19 MB


PEAK = """
import re, sys
from pathlib import Path
from audiogen.audio import read
def peak():  # not ru_maxrss, which begins with that of the process that forked this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
read(sys.argv[1])
before = peak()
size = read(sys.argv[2]).samples.nbytes
print((peak() - before) / size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the memory is read from /proc")
@pytest.mark.parametrize(("format", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")])
def test_reading_a_whole_file_takes_little_more_than_its_samples(tmp_path: Path, format: str, subtype: str) -> None:
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, (2, 120 * RATE)).astype("f4")
    path, short = (
        saved(tmp_path / "a", samples, subtype, format),
        saved(tmp_path / "b", samples[:, :9999], subtype, format),
    )
    code = [sys.executable, "-c", PEAK, str(short), str(path)]
    ratio = float(subprocess.run(code, capture_output=True, text=True, check=True, timeout=100).stdout)
    assert 0.9 < ratio < 1.5


def test_a_length_beyond_the_memory_is_refused_from_the_header(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.flac", np.zeros((2, 3 * RATE), "f4"), "PCM_16", "FLAC")
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | 0xF  # 36 bits of samples, of which these are the first four
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(
        InputError, match=r"its 372\.8 h are 515\.4 GB of samples, and at most .* GB are read"
    ) as caught:
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 3e6


def test_info_measures_files_too_long_to_be_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiogen.audio.reading.MAX_BYTES", 1e6)
    path = saved(tmp_path / "a.ogg", tone(4.0, channels=1), "VORBIS", "OGG")
    assert read(path).length == 4 * RATE
    path = saved(tmp_path / "a.flac", tone(3.0), "PCM_16", "FLAC")
    assert info(path).length == 3 * RATE
    with pytest.raises(InputError, match="cut out the segment that is needed"):
        read(path)


class Endless:
    """A source whose header states no length."""

    sample_rate, channels, format, subtype, layout, length, error = RATE, 2, "WAV", "PCM_16", None, None, ""
    remarks = ()

    def __init__(self, count: int) -> None:
        self.count, self.given = count, 0

    def chunks(self) -> Iterator[np.ndarray]:
        for number in range(self.count):
            self.given += 1
            yield np.full((2, 1000 + number % 2), number / 1000, np.float32)

    def close(self) -> None:
        pass


def test_without_a_stated_length_the_memory_limit_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = BlockReader(Path("a"), Endless(500), 1.0).read_all()
    assert whole.shape == (2, 500_250)
    assert whole[0, -1] == np.float32(0.499)
    monkeypatch.setattr("audiogen.audio.reading.MAX_BYTES", 1e6)
    source = Endless(10**9)
    with pytest.raises(InputError, match="GB are read at once"):
        BlockReader(Path("a"), source, 1.0).read_all()
    assert source.given < 140


def test_blocks_of_many_channels_are_shorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiogen.audio.reading.MAX_BLOCK", 10_000)
    path = saved(tmp_path / "a.wav", tone(1.0, 8000, 4), "PCM_16", "WAV", 8000)
    with open_blocks(path) as blocks:
        assert [block.shape for block in blocks] == [(4, 2500)] * 3 + [(4, 500)]
    many = np.arange(300, dtype="f4")[:, None] / 512 + np.zeros((1, 9000), "f4")
    np.testing.assert_array_equal(read(saved(tmp_path / "b.wav", many, "FLOAT", "WAV")).samples, many)


# Damaged files


@pytest.mark.parametrize("decoder", [True, False])
@pytest.mark.parametrize("kind", ["tag", "45 bits", "AIFF"])
def test_an_unknown_codec_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoder: bool, kind: str
) -> None:
    if decoder:
        pytest.importorskip("av")
    else:
        monkeypatch.setitem(sys.modules, "av", None)
    sound = bytearray(wav_bytes(tone()))
    if kind == "tag":
        sound[20:22] = struct.pack("<H", 0x1234)
    elif kind == "45 bits":
        sound[32:36] = struct.pack("<HH", 12, 45)
    else:
        sound = bytearray(b"FORM" + struct.pack(">I", 8000) + b"AIFC" + b"COMM" + struct.pack(">IhIh", 24, 2, 1000, 16))
        sound += (
            bytes.fromhex("400ebb80000000000000")
            + b"zzzz\0\0"
            + b"SSND"
            + struct.pack(">III", 4008, 0, 0)
            + bytes(4000)
        )
    path = tmp_path / "a.wav"
    path.write_bytes(sound)
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.cause
    assert caught.value.cure
    assert "\n" not in str(caught.value)
    assert ("codec is unknown" in caught.value.cause) == (decoder and kind != "AIFF")


def test_a_size_left_open_by_a_streaming_writer_gives_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone(), data_size=0xFFFFFFFF))
    assert read(path).length == RATE // 2


def test_a_wav_truncated_inside_a_sample_gives_its_start_and_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(tone())[: 44 + 4 * 8000 + 3])
    with pytest.warns(AudioWarning, match=r"truncated: 0\.17 of 0\.50 s"):
        assert read(path).length == 8000


def test_truncated_flac_gives_every_frame_that_decodes(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 4 * RATE)).astype("f4")
    path = saved(tmp_path / "a.flac", samples, "PCM_16", "FLAC")
    whole = read(path).samples
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(AudioWarning, match="truncated"):
        part = read(path)
    assert part.length > 0.49 * whole.shape[1]
    np.testing.assert_array_equal(part.samples, whole[:, : part.length])


def test_truncated_mp3_gives_its_start_and_a_warning(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.mp3", tone(4.0), "MPEG_LAYER_III", "MP3")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(AudioWarning, match="truncated"):
        part = read(path)
    assert 1.5 < part.seconds < 2.5
    assert signal_to_noise(part.samples[:, :48000], tone(4.0)[:, :48000]) > 20


def test_broken_list_chunk_goes_through_the_optional_decoder(tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = tmp_path / "a.wav"
    path.write_bytes(malformed_list())
    with pytest.raises(soundfile.LibsndfileError, match=r"a\.wav"):
        soundfile.read(path)
    recording = read(path)
    assert (recording.sample_rate, recording.subtype) == (RATE, "PCM_16")
    np.testing.assert_allclose(recording.samples, tone(), atol=1e-4)


def malformed_list() -> bytes:
    """The LIST chunk has the name of a sub-chunk but not its size: libsndfile reads beyond it."""
    return wav_bytes(tone(), before=b"LIST" + struct.pack("<I", 9) + b"INFOjunk!\0")


def test_without_the_optional_decoder_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(InputError, match=r"a\.m4a: libsndfile cannot read it.*pip install .*(av|decode)"):
        read(path)


def test_aac_in_mp4_has_the_length_and_the_sound_that_went_in(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    samples = tone(1.0)
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo")
        for start in range(0, RATE, 1000):
            frame = av.AudioFrame.from_ndarray(samples[:, start : start + 1000].copy(), "fltp", "stereo")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    recording = read(path)
    assert (recording.sample_rate, recording.channels, recording.subtype) == (RATE, 2, "AAC")
    assert abs(recording.length - RATE) <= 1024
    assert signal_to_noise(recording.samples[:, 4096:40000], samples[:, 4096:40000]) > 20


def test_few_nan_and_infinite_samples_are_interpolated_linearly(tmp_path: Path) -> None:
    ramp = np.linspace(-0.5, 0.5, 1000, dtype="f4")[None]
    broken = ramp.copy()
    broken[0, 100:110], broken[0, 500], broken[0, 700] = np.nan, np.inf, -np.inf
    path = saved(tmp_path / "a.wav", broken, "FLOAT", "WAV")
    with pytest.warns(AudioWarning, match="12 of 1000 samples were NaN or infinite"):
        recording = read(path)
    np.testing.assert_allclose(recording.samples, ramp, atol=1e-6)


def test_mostly_nan_is_an_error(tmp_path: Path) -> None:
    samples = tone()
    samples[:, : RATE // 3] = np.nan
    with pytest.raises(InputError, match="32000 of 48000 samples are NaN"):
        read(saved(tmp_path / "a.wav", samples, "FLOAT", "WAV"))


def test_clipping_warns_and_keeps_the_samples(tmp_path: Path) -> None:
    samples = np.clip(tone(level=2.0), -1.0, 32767 / 32768)
    path = saved(tmp_path / "a.wav", samples, "PCM_16", "WAV")
    with pytest.warns(AudioWarning, match="clipped"):
        recording = read(path)
    np.testing.assert_allclose(recording.samples, samples, atol=2 / 32768)


@pytest.mark.parametrize("samples", [np.zeros((1, 999)), np.full((1, 1), 0.5), np.full((2, 999), 0.5), tone(level=1.0)])
def test_silence_one_sample_offset_and_a_full_scale_tone_are_unchanged(tmp_path: Path, samples: np.ndarray) -> None:
    path = saved(tmp_path / "a.wav", samples.astype("f4"), "FLOAT", "WAV")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recording = read(path)
    np.testing.assert_array_equal(recording.samples, samples.astype("f4"))


def test_floats_beyond_full_scale_are_kept_with_a_warning(tmp_path: Path) -> None:
    samples = tone(level=40.0)
    path = saved(tmp_path / "a.wav", samples, "FLOAT", "WAV")
    with pytest.warns(AudioWarning, match=r"exceed full scale \(peak \+32\.0 dBFS\)"):
        recording = read(path)
    np.testing.assert_array_equal(recording.samples, samples)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "is empty"),
        (b"this is a letter, not a sound\n" * 40, "."),
        (wav_bytes(tone()[:, :0]), "no samples"),
        (wav_bytes(tone())[:20], "."),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:9,\nhttp://localhost:9/a.ts\n#EXT-X-ENDLIST\n", "."),
    ],
    ids=["empty", "text", "header only", "half a header", "playlist"],
)
def test_files_that_are_not_audio_are_errors_of_one_line(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "no sound.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=cause) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_folder_pipe_and_absurd_rate_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.wav")
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(InputError, match="not a regular file"):
        read(tmp_path / "pipe.wav")
    with pytest.raises(InputError, match="12 Hz"):
        read(saved(tmp_path / "slow.wav", tone(), "PCM_16", "WAV", 12))


def test_a_file_that_is_not_read_to_its_end_is_closed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.wav", tone(3.0), "PCM_16", "WAV")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(5):
        with open_blocks(path, 0.1) as blocks:
            next(iter(blocks))
        (tmp_path / "text.wav").write_text("no sound" * 100)
        with pytest.raises(InputError, match=r"text\.wav: "):
            read(tmp_path / "text.wav")
    assert before == 0 or len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("path", sorted(CORRUPT.glob("*")) if CORRUPT.exists() else [None], ids=str)
def test_each_difficult_file_gives_a_recording_or_one_line(path: Path | None) -> None:
    if path is None:
        pytest.skip("the difficult files are not beside this checkout")
    if path.name in ("aac.m4a", "malformed_list.wav"):
        pytest.importorskip("av")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if path.name in NO_AUDIO:
            with pytest.raises(InputError) as error:
                read(path)
            assert "\n" not in str(error.value)
            assert path.name in str(error.value)
            return
        recording = read(path)
    assert recording.length > 0
    assert np.isfinite(recording.samples).all()
    assert {warning.category for warning in caught} <= {AudioWarning}
    assert path.name.startswith("truncated") == any("truncated" in str(each.message) for each in caught)
