"""Channel layouts are preserved from file to file."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, ChannelLayout, Writer, read, write
from audiogen.audio.channel_layout import AMBISONIC_GUID, PLAIN_GUID, layout_of_names

RATE = 48000
USUAL = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x13F, 8: 0x63F}


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def wav(path: Path, channels: int, mask: int | None, guid: bytes = PLAIN_GUID, before: bytes = b"") -> Path:
    """A WAV of 16 bits; extensible, with a channel mask, or plain."""
    fields = struct.pack("<HIIHH", channels, RATE, RATE * 2 * channels, 2 * channels, 16)
    if mask is None:
        form = struct.pack("<H", 1) + fields
    else:
        form = struct.pack("<H", 0xFFFE) + fields + struct.pack("<HHIH", 22, 16, mask, 1) + guid
    data = np.random.default_rng(0).integers(-9999, 9999, (2000, channels)).astype("<i2").tobytes()
    body = b"WAVE" + before + chunk(b"fmt ", form) + chunk(b"data", data)
    path.write_bytes(chunk(b"RIFF", body))
    return path


def form_of(path: Path) -> bytes:
    """The content of a WAV's ``fmt`` chunk."""
    content = path.read_bytes()
    place = content.index(b"fmt ")
    return content[place + 8 : place + 8 + struct.unpack("<I", content[place + 4 : place + 8])[0]]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize(
    ("channels", "mask", "guid"),
    [
        (6, 0x60F, PLAIN_GUID),
        (6, 0, PLAIN_GUID),
        (4, 0, PLAIN_GUID),
        (4, 0x107, PLAIN_GUID),
        (4, 0, AMBISONIC_GUID),
        (9, 0, AMBISONIC_GUID),
        (16, 0, PLAIN_GUID),
        (12, 0x2D63F, PLAIN_GUID),
        (7, 0x70F, PLAIN_GUID),
        (8, 0xFF, PLAIN_GUID),
        (1, 0x1, PLAIN_GUID),
        (1, 0, PLAIN_GUID),
        (2, 0x30, PLAIN_GUID),
        (2, 0, PLAIN_GUID),
        (2, 0x60000000, PLAIN_GUID),
        (4, 0x3, PLAIN_GUID),  # fewer loudspeakers than channels
        (1, 0, AMBISONIC_GUID),
    ],
)
def test_a_channel_mask_and_the_kind_of_format_are_kept(
    tmp_path: Path, channels: int, mask: int, guid: bytes, subtype: str
) -> None:
    recording = read(wav(tmp_path / "a.wav", channels, mask, guid, before=chunk(b"JUNK", bytes(3)) + b"\0"))
    assert recording.layout == ChannelLayout(mask, guid == AMBISONIC_GUID)
    write(tmp_path / "out.wav", recording, subtype)
    form = form_of(tmp_path / "out.wav")
    tag = 3 if subtype == "FLOAT" else 1
    assert struct.unpack("<HH", form[:4]) == (0xFFFE, channels)
    assert struct.unpack("<IH", form[20:26]) == (mask, tag)
    assert form[26:] == guid
    again = read(tmp_path / "out.wav")
    assert again.layout == recording.layout
    assert again.cut(0, 9).resampled(44100).layout == recording.layout


def test_four_channels_without_a_mask_may_be_ambisonics(tmp_path: Path) -> None:
    """AmbiX files state nothing: a mask of quad in the output would send W, Y, Z, X to four corners."""
    write(tmp_path / "out.wav", read(wav(tmp_path / "a.wav", 4, None)), "PCM_16")
    assert form_of(tmp_path / "out.wav")[20:24] == bytes(4)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 6, 7, 8])
def test_default_layouts_are_written_plainly(tmp_path: Path, channels: int) -> None:
    written = []
    for mask in (None, USUAL[channels]):
        write(tmp_path / "out.wav", read(wav(tmp_path / "a.wav", channels, mask)), "PCM_16")
        written.append((tmp_path / "out.wav").read_bytes())
    assert written[0] == written[1]
    form = form_of(tmp_path / "out.wav")
    assert len(form) == (16 if channels < 3 else 40)
    assert channels < 3 or form[20:24] == struct.pack("<I", USUAL[channels])


def test_an_unknown_kind_of_format_states_no_layout(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", 4, 0x33, PLAIN_GUID)
    content = path.read_bytes()
    path.write_bytes(content.replace(PLAIN_GUID, bytes(14)))
    from audiogen.audio.channel_layout import layout_in
    from audiogen.audio.scanner import Scanner

    with Scanner(path) as scanner:
        assert layout_in(scanner, 4) is None


@pytest.mark.parametrize(
    ("name", "channels", "mask", "guid", "warned"),
    [
        ("out.flac", 6, 0x60F, PLAIN_GUID, True),
        ("out.flac", 4, 0, AMBISONIC_GUID, True),
        ("out.ogg", 4, 0, PLAIN_GUID, True),
        ("out.mp3", 2, 0x30, PLAIN_GUID, True),
        ("out.flac", 1, 0, PLAIN_GUID, True),
        ("out.flac", 6, 0x3F, PLAIN_GUID, False),
        ("out.ogg", 2, 0x3, PLAIN_GUID, False),
        ("out.flac", 7, 0x70F, PLAIN_GUID, False),
        ("out.wav", 6, 0x60F, PLAIN_GUID, False),
    ],
)
def test_a_file_that_cannot_state_the_layout_is_warned_of(
    tmp_path: Path, name: str, channels: int, mask: int, guid: bytes, warned: bool
) -> None:
    recording = read(wav(tmp_path / "a.wav", channels, mask, guid))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write(tmp_path / name, recording)
    texts = [str(each.message) for each in caught]
    assert len(texts) == warned
    assert all("cannot store the " + str(ChannelLayout(mask, guid == AMBISONIC_GUID)) in text for text in texts)


def test_the_channel_mask_of_a_flac(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros((100, 6)), RATE, "PCM_16")
    assert read(tmp_path / "a.flac").layout is None
    content = (tmp_path / "a.flac").read_bytes()
    tag = b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x60f"
    comment = struct.pack("<II", 0, 1) + struct.pack("<I", len(tag)) + tag
    block = bytes([4]) + len(comment).to_bytes(3, "big") + comment
    (tmp_path / "a.flac").write_bytes(content[:42] + block + content[42:])  # after the first block, of 34 bytes
    assert read(tmp_path / "a.flac").layout == ChannelLayout(0x60F)


def test_seven_channels_of_flac_and_vorbis_are_6_1(tmp_path: Path) -> None:
    for name, subtype in (("a.flac", "PCM_16"), ("a.ogg", "VORBIS")):
        soundfile.write(tmp_path / name, np.zeros((4000, 7)), RATE, subtype)
        assert read(tmp_path / name).layout == ChannelLayout(0x70F)


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        ("FL FR", None),
        ("FC", None),
        ("FL FR FC LFE BL BR", None),
        ("FL FR FC LFE SL SR", ChannelLayout(0x60F)),
        ("FL FR FC BC", ChannelLayout(0x107)),
        ("UNSD0 UNSD1", None),
    ],
)
def test_layouts_from_ffmpeg_names(names: str, layout: ChannelLayout | None) -> None:
    assert layout_of_names(names.split()) == layout


@pytest.mark.parametrize(("name", "channels"), [("mono", 1), ("quad", 4), ("5.1", 6), ("7.1", 8)])
def test_channels_decoded_by_ffmpeg(tmp_path: Path, name: str, channels: int) -> None:
    av = pytest.importorskip("av")
    codes = np.random.default_rng(0).integers(-9999, 9999, (9000, channels)).astype("i2")
    with av.open(str(tmp_path / "a.mka"), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout=name)
        for start in range(0, 9000, 1000):
            packed = codes[start : start + 1000].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, "s16", name)
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    recording = read(tmp_path / "a.mka")
    np.testing.assert_array_equal(recording.samples, codes.T.astype("f4") / 32768)
    assert recording.layout is None


def test_layouts_decoded_by_ffmpeg(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.ac3"), "w") as container:
        stream = container.add_stream("ac3", rate=RATE, layout="5.1(side)")
        frame = av.AudioFrame.from_ndarray(np.zeros((6, 1536), "f4"), "fltp", "5.1(side)")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert read(tmp_path / "a.ac3").layout == ChannelLayout(0x60F)


# Channels of Vorbis and Opus stand in another order


def tones(channels: int) -> np.ndarray:
    """``[channels, time]`` sines at 60 Hz, 120 Hz...: what a low-frequency channel still lets pass."""
    time = np.arange(RATE) / RATE
    return np.stack([0.2 * np.sin(2 * np.pi * 20 * (k + 1) * time) for k in range(channels)]).astype("f4")


def numbers(samples: np.ndarray) -> list[int]:
    """Index of the tone in each channel."""
    return [int(np.abs(np.fft.rfft(row[-RATE // 2 :])).argmax() // 10) for row in samples]


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
@pytest.mark.parametrize("channels", [3, 4, 5, 6, 8])
def test_vorbis_and_opus_keep_the_order_of_channels(tmp_path: Path, name: str, channels: int) -> None:
    with Writer(tmp_path / name, RATE, channels) as writer:
        writer.write(tones(channels))
    assert numbers(read(tmp_path / name).samples) == list(range(1, channels + 1))


@pytest.mark.parametrize("name", ["a.ogg", "a.opus"])
@pytest.mark.parametrize("channels", [3, 4, 5, 6, 8])
def test_other_decoders_agree_on_the_channels_of_vorbis_and_opus(tmp_path: Path, name: str, channels: int) -> None:
    av = pytest.importorskip("av")
    with Writer(tmp_path / name, RATE, channels) as writer:
        writer.write(tones(channels))
    with av.open(str(tmp_path / name)) as container:
        packed = av.AudioResampler(format="flt")
        blocks = [part.to_ndarray() for frame in container.decode(audio=0) for part in packed.resample(frame)]
        names = [channel.name for channel in container.streams.audio[0].layout.channels]
    samples = np.concatenate(blocks, axis=1).reshape(-1, channels).T
    assert names[:3] == ["FL", "FR", "FC"] or channels == 4
    assert numbers(samples) == list(range(1, channels + 1))


def test_seven_channels_are_reordered_by_their_layout(tmp_path: Path) -> None:
    """Back left, right and centre of 6.1 are written where Vorbis has side left, right and back centre."""
    with Writer(tmp_path / "a.ogg", RATE, 7) as writer:
        writer.write(tones(7))
    assert numbers(read(tmp_path / "a.ogg").samples) == [1, 2, 3, 4, 7, 5, 6]
    with (
        pytest.warns(AudioWarning, match="0x3"),
        Writer(tmp_path / "a.ogg", RATE, 7, layout=ChannelLayout(0x3)) as writer,
    ):
        writer.write(tones(7))
    assert numbers(read(tmp_path / "a.ogg").samples) == [1, 2, 3, 4, 5, 6, 7]
