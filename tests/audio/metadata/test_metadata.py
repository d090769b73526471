"""Metadata: read from every container, moved with the samples, dropped with a remark where they no longer hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiogen.audio import AudioWarning, Edit, Marker, Metadata, Recording, Span, Writer, read, read_metadata, write
from audiogen.audio.metadata.broadcast import UNMEASURED, Broadcast, coding_line
from audiogen.audio.metadata.ixml import IXml
from audiogen.audio.metadata.markers import parse_aiff_markers
from tests.audio.metadata.wave_files import (
    IXML,
    RATE,
    bext,
    chunk,
    cue,
    everything,
    info,
    labels,
    smpl,
    wave64,
    write_wav,
)

LENGTH = 24_001
NOISE = np.clip(0.2 * np.random.default_rng(0).standard_normal(LENGTH), -1, 1)


def continued(metadata: Metadata, **changes: object) -> Metadata:
    settings = {"spans": [Span(0, LENGTH)], "markers": [Marker(LENGTH, b"join", new=True)], "coding": "A=PCM,T=us"}
    return metadata.edited(Edit(**(settings | changes)), "audiogen 0", 24)


@pytest.fixture(params=["before the samples", "after the samples", "RF64"])
def wav(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    chunks = everything(LENGTH)
    before, after = (chunks, []) if request.param == "before the samples" else (chunks[:1], chunks[1:])
    return write_wav(tmp_path / "all.wav", NOISE, *before, after=tuple(after), rf64=request.param == "RF64")


def test_all_chunks_are_read(wav: Path) -> None:
    metadata = read_metadata(wav)
    assert metadata.broadcast is not None
    assert metadata.broadcast.time_reference == 172_800_000
    assert metadata.broadcast.history == b"A=PCM,F=48000,W=16,M=mono,T=recorder\r\n"
    assert [(marker.position, marker.label) for marker in metadata.markers] == [
        (1000, b"door"),
        (LENGTH // 2, b"gust"),
        (LENGTH + 5, b"past the end"),
    ]
    assert metadata.markers[1].length == LENGTH
    assert metadata.sampler is not None
    assert (metadata.sampler.root, metadata.sampler.loops) == (48, ((100, 2000),))
    assert metadata.named_tags["artist"] == "A. Recordist"
    assert metadata.ixml == IXml(IXML)
    assert set(metadata.chunks) == {b"inst", b"axml", b"chna"}
    assert metadata.unread == ["minf"]


def test_what_no_longer_holds_is_dropped_with_a_remark(wav: Path) -> None:
    metadata = continued(read_metadata(wav))
    assert metadata.broadcast is not None
    assert metadata.broadcast.time_reference == 172_800_000
    assert metadata.broadcast.history.endswith(b"T=recorder\r\nA=PCM,T=us\r\n")
    assert metadata.broadcast.umid == bytes(64)
    assert metadata.broadcast.loudness == UNMEASURED
    assert [(marker.position, marker.label, marker.length) for marker in metadata.markers] == [
        (1000, b"door", 0),
        (LENGTH // 2, b"gust", LENGTH - LENGTH // 2),
        (LENGTH, b"join", 0),
    ]
    assert metadata.sampler is not None
    assert (metadata.sampler.root, metadata.sampler.loops) == (48, ())
    assert dict(metadata.info)[b"ISFT"] == b"audiogen 0\0"
    assert metadata.ixml is not None
    assert b"<AUDIO_BIT_DEPTH>24<" in metadata.ixml.document
    assert b"FILE_UID" not in metadata.ixml.document
    assert b"<NAME>Boom</NAME>" in metadata.ixml.document
    remarks = "\n".join(metadata.remarks)
    for words in ("1 marker", "1 region", "sampler loop", "minf"):
        assert words in remarks


def test_time_stamps_move_with_the_samples(wav: Path) -> None:
    """The output starts with the tail: its first sample was recorded, so to speak, after the prompt's last."""
    metadata = continued(read_metadata(wav), spans=[], origin=-LENGTH, markers=[])
    assert metadata.broadcast is not None
    assert metadata.broadcast.time_reference == 172_800_000 + LENGTH
    assert metadata.ixml is not None
    assert f"_LO>{172_800_000 + LENGTH}<".encode() in metadata.ixml.document
    assert metadata.markers == []
    assert not metadata.chunks.keys() & {b"axml", b"chna"}
    assert any("ADM" in remark for remark in metadata.remarks)


def test_a_time_stamp_before_midnight_becomes_0_and_ixml_carries_into_its_high_half() -> None:
    early = Metadata(broadcast=Broadcast.parse(bext(5)[8:])).edited(Edit([Span(0, 10, 100)], origin=100), "us")
    assert early.broadcast is not None
    assert early.broadcast.time_reference == 0
    assert any("midnight" in remark for remark in early.remarks)
    stamp = IXML.replace(b"172800000", b"4294967290")
    moved = IXml(stamp).edited(10, None).document
    assert b"_HI>1<" in moved
    assert b"_LO>4<" in moved


def test_markers_move_with_their_span() -> None:
    markers = [Marker(5, b"a"), Marker(15, b"in the gap"), Marker(25, b"b", length=100)]
    kept, dropped, shortened = Edit([Span(0, 10), Span(20, 30, 7)]).moved(markers)
    assert [(marker.position, marker.label, marker.length) for marker in kept] == [(5, b"a", 0), (32, b"b", 5)]
    assert (dropped, shortened) == (1, 1)


def test_a_loop_replaces_the_prompts_own_and_keeps_the_root_note(wav: Path) -> None:
    metadata = continued(read_metadata(wav), loop=50_000)
    assert metadata.sampler is not None
    assert (metadata.sampler.root, metadata.sampler.loops) == (48, ((0, 49_999),))
    assert not any("sampler loop" in remark for remark in metadata.remarks)


def test_wave64_keeps_its_time_stamp(tmp_path: Path) -> None:
    metadata = read_metadata(wave64(tmp_path / "a.w64", NOISE, bext(), chunk(b"abcd", b"private")))
    assert metadata.broadcast is not None
    assert metadata.broadcast.time_reference == 172_800_000
    assert metadata.unread == ["abcd"]


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ([chunk(b"bext", b"short")], "bext"),
        ([chunk(b"iXML", b"<BWFXML><open>")], "iXML"),
        ([chunk(b"iXML", b'<!DOCTYPE a [<!ENTITY b "c">]><BWFXML/>')], "iXML"),
        ([chunk(b"cue ", b"\xff\xff\xff\xff"), chunk(b"smpl", b"1"), chunk(b"LIST", b"adtllabl\xff\xff\xff\x7f")], ""),
    ],
)
def test_damaged_chunks_are_no_error(tmp_path: Path, chunks: list[bytes], words: str) -> None:
    metadata = read_metadata(write_wav(tmp_path / "a.wav", NOISE, *chunks))
    assert (metadata.broadcast, metadata.ixml, metadata.sampler, list(metadata.markers)) == (None, None, None, [])
    assert words in " ".join(metadata.remarks)


def test_ixml_in_any_encoding_and_with_space_around_it() -> None:
    text = IXML.decode()
    for document in (
        b"\xef\xbb\xbf" + IXML,
        b"\n" + IXML + b"\n\0",
        text.replace("UTF-8", "UTF-16").encode("utf-16") + b"\0\0",
        text.replace("UTF-8", "UTF-16").encode("utf-16-be"),
        text.replace("UTF-8", "windows-1252").encode("cp1252"),
    ):
        parsed = IXml.parse(document)
        assert parsed is not None
        assert b"<PROJECT>Harbour</PROJECT>" in parsed.edited(0, None).document
    entities = '<!DOCTYPE a [<!ENTITY b "c">]><BWFXML>&b;</BWFXML>'
    assert IXml.parse(entities.encode("utf-16")) is None


def test_only_as_many_cue_points_as_are_counted_and_each_of_equal_identifiers(tmp_path: Path) -> None:
    points = [cue(300, 200, 100)[start : start + 24] for start in (12, 36, 60)]
    same = points[0] + points[0][:20] + points[1][20:]
    for number, content, positions in ((1, b"".join(points), [300]), (2, same, [200, 300])):
        data = chunk(b"cue ", number.to_bytes(4, "little") + content)
        write_wav(tmp_path / "a.wav", NOISE, data, labels(b"one"))
        markers = read_metadata(tmp_path / "a.wav").markers
        assert [marker.position for marker in markers] == positions
        assert [marker.label for marker in markers if marker.label] == [b"one"]


def test_time_stamps_at_their_limit_and_notes_beyond_theirs(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", NOISE, bext(2**64 - 1), smpl(300, (0, 5)))
    metadata = continued(read_metadata(tmp_path / "a.wav"), spans=[], origin=-LENGTH)
    assert metadata.broadcast is not None
    assert metadata.broadcast.time_reference == 0
    assert "beyond 2^64 samples" in " ".join(metadata.remarks)
    assert metadata.chunks_before_data().startswith(b"bext")
    assert metadata.sampler is not None
    assert metadata.sampler.root == 60


def test_chunks_of_big_endian_files_are_said_to_be_dropped(tmp_path: Path) -> None:
    content = b"RIFX\0\0\0\x2cWAVE" + b"cue \0\0\0\x04" + bytes(4) + b"data\0\0\0\x02" + bytes(2)
    (tmp_path / "a.wav").write_bytes(content)
    assert list(read_metadata(tmp_path / "a.wav").unread) == ["cue"]


def test_aiff_markers_have_pascal_strings() -> None:
    content = b"\0\2" + b"\0\1\0\0\0\x64\4door" + b"\0" + b"\0\2\0\0\0\xc8\3end"
    assert parse_aiff_markers(content) == [Marker(100, b"door"), Marker(200, b"end")]


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".opus", ".mp3"])
def test_tags_go_from_wav_to_other_containers_and_back(tmp_path: Path, suffix: str) -> None:
    write_wav(
        tmp_path / "a.wav", NOISE, info(INAM="Rüben".encode("cp1252"), IART=b"A. Recordist", IKEY=b"rain"), bext()
    )
    metadata = continued(read_metadata(tmp_path / "a.wav"))
    with (
        pytest.warns(AudioWarning, match="the broadcast extension, 1 INFO item of the prompt"),
        Writer(tmp_path / f"b{suffix}", RATE, 1, metadata=metadata) as writer,
    ):
        writer.write(NOISE[None].astype("f4"))
    with soundfile.SoundFile(tmp_path / f"b{suffix}") as file:
        assert (file.title, file.artist) == ("Rüben", "A. Recordist")
        assert suffix == ".mp3" or file.software.startswith("audiogen 0")  # libsndfile does not store it in MP3
    back = read_metadata(tmp_path / f"b{suffix}").edited(Edit([Span(0, LENGTH)]), "audiogen 0")
    with Writer(tmp_path / "c.wav", RATE, 1, metadata=back) as writer:
        writer.write(NOISE[None].astype("f4"))
    assert read_metadata(tmp_path / "c.wav").named_tags == {
        "title": "Rüben",
        "artist": "A. Recordist",
        "software": "audiogen 0",
    }


def test_samples_and_bytes_do_not_depend_on_metadata(tmp_path: Path, wav: Path) -> None:
    """Chunks stand beside the samples; without metadata the bytes are those that always were."""
    plain, full = tmp_path / "plain.wav", tmp_path / "full.wav"
    write(plain, Recording(NOISE[None].astype("f4"), RATE), "PCM_24")
    metadata = continued(read_metadata(wav))
    with pytest.warns(AudioWarning), Writer(full, RATE, 1, "PCM_24", metadata=metadata) as writer:
        writer.write(NOISE[None].astype("f4"))
    np.testing.assert_array_equal(read(plain).samples, read(full).samples)
    assert plain.stat().st_size == 44 + 36 + 3 * LENGTH + 1
    assert int.from_bytes(full.read_bytes()[4:8], "little") == full.stat().st_size - 8


def test_wavinfo_reads_every_chunk_back(tmp_path: Path, wav: Path) -> None:
    """An independent library (github.com/iluvcapra/wavinfo) is the judge."""
    wavinfo = pytest.importorskip("wavinfo")
    out = tmp_path / "out.wav"
    metadata = continued(read_metadata(wav), loop=30_000)
    with pytest.warns(AudioWarning), Writer(out, RATE, 1, "PCM_24", metadata=metadata) as writer:
        writer.write(np.zeros((1, 30_000), "f4"))
    found = wavinfo.WavInfoReader(str(out))
    assert found.bext.time_reference == 172_800_000
    assert found.bext.description == "Rain on a tin roof"
    assert found.bext.coding_history.rstrip("\0").endswith("A=PCM,T=us\r\n")
    cues = found.cues.to_dict()
    assert [cues[number]["frame"] for number in (1, 2, 3)] == [1000, LENGTH // 2, LENGTH]
    assert [cues[number]["label"] for number in (1, 2, 3)] == ["door", "gust", "join"]
    assert cues[2]["length"] == LENGTH - LENGTH // 2
    assert (found.info.title, found.info.artist, found.info.keywords) == ("Rain", "A. Recordist", "rain; roof")
    assert found.info.software == "audiogen 0"
    assert [(loop.start, loop.end) for loop in found.smpl.sample_loops] == [(0, 29_999)]
    assert found.smpl.midi_note == 48
    assert (found.ixml.project, found.ixml.scene, found.ixml.take) == ("Harbour", "12A", "3")
    assert found.adm is not None


def test_coding_lines_name_algorithm_rate_width_and_mode() -> None:
    assert coding_line("WAV", "PCM_24", 48000, 2, "a, b") == "A=PCM,F=48000,W=24,M=stereo,T=a; b"
    assert coding_line("OGG", "VORBIS", 44100, 6, "a") == "A=OGG,F=44100,M=6-channel,T=a"


def test_positions_past_32_bits_are_dropped() -> None:
    late = Edit([Span(0, 10, 2**32)], origin=2**32)
    metadata = Metadata(markers=[Marker(5), Marker(6)]).edited(late, "us")
    assert list(metadata.markers) == []
    assert any("2^32" in remark for remark in metadata.remarks)


def test_cue_labels_are_found_by_identifier(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", NOISE, labels(b"one", b"two"), cue(300, 200))
    assert [marker.label for marker in read_metadata(tmp_path / "a.wav").markers] == [b"two", b"one"]
