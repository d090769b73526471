"""Concatenated recordings, and MPEG frames among other bytes."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, info, open_blocks, read, read_metadata
from audiogen.audio.mpeg_frames import frame_of
from audiogen.audio.scanner import Scanner
from audiogen.errors import InputError

RATE = 48000
FORMATS = [
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
    ("FLAC", "PCM_16"),
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("RF64", "PCM_24"),
    ("AIFF", "PCM_16"),
    ("CAF", "PCM_16"),
    ("W64", "PCM_16"),
    ("AU", "PCM_16"),
]
ID3V1 = b"TAG" + bytes(125)
ID3V2 = b"ID3\x04\0\0\0\0\x01\0" + bytes(128)


def encoded(
    folder: Path, format: str, subtype: str, seed: int = 0, seconds: float = 1.0, rate: int = RATE, channels: int = 1
) -> bytes:
    """Noise whose level rises, so that the bit rate of an MP3 changes."""
    length = round(seconds * rate)
    samples = np.random.default_rng(seed).standard_normal((length, channels)) * np.linspace(0, 0.2, length)[:, None]
    path = folder / f"{format}{subtype}{seed}"
    with path.open("wb") as file:
        soundfile.write(file, samples, rate, subtype=subtype, format=format)
    return path.read_bytes()


def saved(folder: Path, *parts: bytes) -> Path:
    path = folder / "joined"
    path.write_bytes(b"".join(parts))
    return path


def samples_of(folder: Path, part: bytes) -> np.ndarray:
    path = folder / "part"
    path.write_bytes(part)
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def silently(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read(path).samples


def assert_alike(whole: np.ndarray, *parts: np.ndarray) -> None:
    """Equal up to rounding by libmpg123, which depends on how much is decoded at a time."""
    known = np.concatenate(parts, axis=1)
    assert whole.shape == known.shape
    np.testing.assert_allclose(whole, known, rtol=0, atol=2e-7)


@pytest.mark.parametrize(("format", "subtype"), FORMATS)
def test_concatenated_recordings_are_read_completely(tmp_path: Path, format: str, subtype: str) -> None:
    parts = [encoded(tmp_path, format, subtype, seed, seconds) for seed, seconds in ((0, 1.0), (1, 0.7), (2, 0.5))]
    path = saved(tmp_path, *parts)
    alone = [samples_of(tmp_path, part) for part in parts]
    assert_alike(silently(path), *alone)
    with open_blocks(path) as blocks:
        assert blocks.length == sum(each.shape[1] for each in alone)
    assert info(path).seconds == pytest.approx(2.2)


def test_flac_in_ogg_is_read_completely(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    parts, samples = [], []
    for seed in (0, 1):
        samples.append((np.random.default_rng(seed).standard_normal(RATE) * 3000).astype("i2")[None])
        with av.open(str(tmp_path / "a.ogg"), "w", format="ogg") as container:
            stream = container.add_stream("flac", rate=RATE, layout="mono")
            stream.format = "s16"
            frame = av.AudioFrame.from_ndarray(samples[-1], "s16", "mono")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append((tmp_path / "a.ogg").read_bytes())
    whole = silently(saved(tmp_path, *parts))
    np.testing.assert_array_equal(whole, np.concatenate(samples, axis=1).astype("f4") / 32768)


def test_concatenated_recordings_of_different_formats(tmp_path: Path) -> None:
    parts = [encoded(tmp_path, *kind) for kind in FORMATS]
    assert_alike(silently(saved(tmp_path, *parts)), *(samples_of(tmp_path, part) for part in parts))


@pytest.mark.parametrize(("format", "subtype"), [("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16")])
@pytest.mark.parametrize(("rate", "channels"), [(32000, 1), (RATE, 2)])
def test_other_rates_and_channels_are_skipped_with_a_warning(
    tmp_path: Path, format: str, subtype: str, rate: int, channels: int
) -> None:
    first = encoded(tmp_path, format, subtype)
    other = encoded(tmp_path, format, subtype, 1, 1.0, rate, channels)
    last = encoded(tmp_path, format, subtype, 2)
    message = f"of 3 concatenated recordings, some were skipped .1: {channels} channels at {rate} Hz"
    with pytest.warns(AudioWarning, match=message) as caught:
        whole = read(saved(tmp_path, first, other, last)).samples
    assert len(caught) == 1
    assert_alike(whole, *(samples_of(tmp_path, each) for each in (first, last)))


def test_a_part_that_does_not_decode_is_skipped_with_a_warning(tmp_path: Path) -> None:
    flac = encoded(tmp_path, "FLAC", "PCM_16")
    broken = flac[:8] + bytes(1000)
    with pytest.warns(AudioWarning, match="1: cannot be decoded"):
        whole = read(saved(tmp_path, flac, broken, flac))
    assert whole.length == 2 * RATE


def test_a_truncated_part_does_not_end_the_file(tmp_path: Path) -> None:
    whole, part = encoded(tmp_path, "OGG", "VORBIS"), encoded(tmp_path, "FLAC", "PCM_16", 1)
    with pytest.warns(AudioWarning, match="truncated"):
        assert 2.2 < read(saved(tmp_path, part, part[: len(part) // 2], whole)).seconds < 2.7


@pytest.mark.parametrize("format", ["WAV", "AIFF", "FLAC", "MP3"])
@pytest.mark.parametrize("after", [bytes(5000), ID3V1, ID3V2, b"short"])
def test_zeros_tags_and_a_few_bytes_after_the_end_give_no_warning(tmp_path: Path, format: str, after: bytes) -> None:
    sound = encoded(tmp_path, format, "MPEG_LAYER_III" if format == "MP3" else "PCM_16")
    assert_alike(silently(saved(tmp_path, sound, after)), samples_of(tmp_path, sound))


@pytest.mark.parametrize("format", ["WAV", "AIFF", "CAF", "AU"])
def test_bytes_after_the_end_that_may_be_audio_are_warned_of(tmp_path: Path, format: str) -> None:
    sound = encoded(tmp_path, format, "PCM_16")
    with pytest.warns(AudioWarning, match="5000 bytes of unknown format after the end of the audio were ignored"):
        assert read(saved(tmp_path, sound, np.random.default_rng(0).bytes(5000))).length == RATE


def test_a_wav_of_open_size_ends_where_the_next_starts(tmp_path: Path) -> None:
    sound = encoded(tmp_path, "WAV", "PCM_16")
    place = sound.index(b"data") + 4
    streamed = sound[:place] + b"\xff" * 4 + sound[place + 4 :]
    assert silently(saved(tmp_path, streamed, streamed)).shape[1] == 2 * RATE


@pytest.mark.parametrize("sizes", [(0, 0), (None, 0)], ids=["both", "data"])
def test_a_wav_of_size_zero_is_read_with_a_warning(tmp_path: Path, sizes: tuple[int | None, int]) -> None:
    """A recorder that loses power leaves sizes of zero, and all samples."""
    sound = bytearray(encoded(tmp_path, "WAV", "PCM_16"))
    known = samples_of(tmp_path, bytes(sound))
    for place, size in zip((4, sound.index(b"data") + 4), sizes, strict=True):
        if size is not None:
            sound[place : place + 4] = struct.pack("<I", size)
    with pytest.warns(AudioWarning, match="its header does not state the size of the audio"):
        found = read(saved(tmp_path, bytes(sound)))
    np.testing.assert_array_equal(found.samples, known)


# MPEG frames


def frames(sound: bytes) -> list[bytes]:
    """The frames of an MP3, the first of them its header."""
    found, place = [], 0
    while frame := frame_of(sound[place : place + 4]):
        found.append(sound[place : place + frame[1]])
        place += frame[1]
    assert b"Xing" in found[0] or b"Info" in found[0]
    return found


@pytest.fixture
def mp3(tmp_path: Path) -> bytes:
    return encoded(tmp_path, "MP3", "MPEG_LAYER_III", seconds=2.0)


@pytest.mark.parametrize("before", [bytes(5000), np.random.default_rng(1).bytes(5000), ID3V2 + bytes(700)])
def test_zeros_or_garbage_before_the_first_frame_are_skipped(tmp_path: Path, mp3: bytes, before: bytes) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = read(saved(tmp_path, before, mp3))
    assert not any("truncated" in str(each.message) for each in caught)
    assert found.subtype == "MPEG_LAYER_III"
    assert_alike(found.samples, samples_of(tmp_path, mp3))


def test_tags_between_concatenated_files_are_skipped(tmp_path: Path, mp3: bytes) -> None:
    alone = samples_of(tmp_path, mp3)
    whole = silently(saved(tmp_path, ID3V2, mp3, ID3V1, ID3V2, mp3, ID3V1))
    assert_alike(whole, alone, alone)


def test_a_variable_bit_rate_without_a_header_is_read_to_its_end(tmp_path: Path, mp3: bytes) -> None:
    bare = frames(mp3)[1:]
    assert len({len(frame) for frame in bare}) > 3
    found = silently(saved(tmp_path, *bare))
    assert 0 <= 1152 * len(bare) - found.shape[1] < 1152  # less the decoder's delay
    # From where the decoder's and the encoder's delay end, it is the sound with the header.
    known = samples_of(tmp_path, mp3)
    delay = found.shape[1] - known.shape[1]
    shifts = [np.abs(found[0, shift : shift + 48000] - known[0, :48000]).max() for shift in range(delay + 1)]
    assert min(shifts) < 1e-6


def test_a_constant_bit_rate_without_a_header_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    samples = np.random.default_rng(0).standard_normal(2 * RATE) * 0.1
    soundfile.write(path, samples, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.5)
    bare = frames(path.read_bytes())[1:]
    assert len({len(frame) for frame in bare}) == 1
    assert silently(saved(tmp_path, *bare)).shape[1] == 1152 * len(bare)
    joined = silently(saved(tmp_path, *bare, ID3V1, ID3V2, *bare))
    assert 0 <= 2 * 1152 * len(bare) - joined.shape[1] < 1152


@pytest.mark.parametrize("change", ["no count", "small count"])
def test_a_header_with_too_few_frames_is_ignored(tmp_path: Path, mp3: bytes, change: str) -> None:
    head, *bare = frames(mp3)
    place = head.index(b"Xing") + 4
    new = bytes(4) + head[place + 4 : place + 8] if change == "no count" else struct.pack(">II", 1, 20)
    found = silently(saved(tmp_path, head[:place] + new + head[place + 8 :], *bare))
    assert 0 <= 1152 * len(bare) - found.shape[1] < 1152


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")
@pytest.mark.parametrize("size", [10, 100, 500])
def test_a_truncated_single_frame_is_an_error_of_one_line(tmp_path: Path, mp3: bytes, size: int) -> None:
    with pytest.raises(InputError):
        read(saved(tmp_path, mp3[:size]))


def test_several_audio_streams_are_warned_of(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "a.mka"
    with av.open(str(path), "w", format="matroska") as container:
        streams = [container.add_stream("flac", rate=RATE, layout="mono") for _ in range(2)]
        for stream in streams:
            stream.format = "s16"
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), "i2"), "s16", "mono")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    with pytest.warns(AudioWarning, match="2 audio streams, of which the first was read"):
        read(path)


def test_frames_after_a_damaged_one_are_read(tmp_path: Path, mp3: bytes) -> None:
    garbage = np.random.default_rng(3).bytes(3000).replace(b"\xff", b"\0")
    middle = len(mp3) // 2
    damaged = mp3[:middle] + garbage + mp3[middle + 3000 :]
    with pytest.warns(AudioWarning) as caught:
        found = read(saved(tmp_path, damaged))
    assert any("bytes that are not MPEG frames were ignored" in str(each.message) for each in caught)
    assert 1.5 < found.seconds < 2.0


def test_tags_of_a_truncated_mp3_are_read_in_silence(
    tmp_path: Path, mp3: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.mp3").write_bytes(mp3[: len(mp3) // 2])
    read_metadata(tmp_path / "cut.mp3")
    assert capfd.readouterr().err == ""


def test_only_messages_of_libmpg123_are_suppressed(tmp_path: Path, mp3: bytes) -> None:
    path = saved(tmp_path, mp3[: len(mp3) // 2])
    code = "\n".join(
        [
            "import soundfile, sys, threading",
            "from audiogen.audio import read",
            "stop = threading.Event()",
            "def talk():",
            "    while not stop.wait(0.001): print('mine', file=sys.stderr, flush=True)",
            "thread = threading.Thread(target=talk)",
            "thread.start()",
            f"for _ in range(30): read({str(path)!r})",
            "stop.set(), thread.join()",
            f"if len(sys.argv) > 1: soundfile.read({str(path)!r})",
        ]
    )
    quiet = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert set(quiet.stderr.split("\n")) == {"mine", ""}
    code_then = [sys.executable, "-W", "ignore", "-c", code, "aloud"]
    aloud = subprocess.run(code_then, capture_output=True, text=True, check=True)
    if "Xing" not in aloud.stderr:
        pytest.skip("this libsndfile says nothing by itself")


def test_several_threads_read_concatenated_files(tmp_path: Path, mp3: bytes) -> None:
    path, lengths = saved(tmp_path, mp3, mp3), []
    threads = [threading.Thread(target=lambda: lengths.append(read(path).length)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [4 * RATE] * 4


# What is searched


def test_a_scanner_finds_bytes_across_its_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiogen.audio.scanner.WINDOW", 7)
    content = np.random.default_rng(0).bytes(500)
    path = saved(tmp_path, content)
    with Scanner(path) as scanner:
        for place in range(0, 500, 3):
            assert scanner.at(place, 5) == content[place : place + 5]
            assert scanner.find(content[place : place + 6], 0) == content.find(content[place : place + 6])
        assert scanner.find(b"nowhere", 0) == -1
        assert scanner.find(content[:4], 1) == content.find(content[:4], 1)
    with Scanner(saved(tmp_path, bytes(100))) as zeros:
        assert not zeros.has_content(0)


@pytest.mark.parametrize(
    ("head", "kind", "size"),
    [
        ("fffb90c4", (1, 3, 44100, 1), 417),
        ("fffb9200", (1, 3, 44100, 2), 418),
        ("fff348c4", (2, 3, 16000, 1), 144),
        ("ffe318c4", (25, 3, 8000, 1), 72),  # 8 kbit/s at 8 kHz
        ("fffdb400", (1, 2, 48000, 2), 672),
        ("ffff5400", (1, 1, 48000, 2), 160),
    ],
)
def test_frame_sizes_of_the_standard(head: str, kind: tuple[int, int, int, int], size: int) -> None:
    frame = frame_of(bytes.fromhex(head))
    assert frame is not None
    assert frame[:2] == (kind, size)


@pytest.mark.parametrize("head", ["", "fffb", "fffbf0c4", "fffb00c4", "fffb9cc4", "fff990c4", "ffeb90c4", "fefb90c4"])
def test_invalid_frame_headers(head: str) -> None:
    assert frame_of(bytes.fromhex(head)) is None


@pytest.mark.parametrize("start", [b".snd" + bytes(8), b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000") + bytes(8)])
def test_impossible_sizes_cause_no_endless_search(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(InputError):
        read(saved(tmp_path, start, bytes(100)))


def test_a_riff_chunk_with_its_size_left_out_of_the_head_is_still_read(tmp_path: Path) -> None:
    sound = encoded(tmp_path, "WAV", "PCM_16")
    stale = sound[:4] + struct.pack("<I", 36) + sound[8:]
    assert silently(saved(tmp_path, stale)).shape[1] == RATE
