"""Names of tags that are not carried over are found in every container, and damage is no error."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from audiogen.audio import read_metadata
from audiogen.audio.metadata.other_tags import other_tags
from audiogen.audio.scanner import Scanner


def comments(*texts: str) -> bytes:
    """A Vorbis comment block."""
    vendor = b"someone"
    body = b"".join(struct.pack("<I", len(text)) + text.encode() for text in texts)
    return struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(texts)) + body


def flac(*blocks: tuple[int, bytes]) -> bytes:
    heads = [bytes([kind | 128 * (number == len(blocks))]) for number, (kind, _) in enumerate(blocks, 1)]
    return b"fLaC" + b"".join(
        head + len(content).to_bytes(3, "big") + content for head, (_, content) in zip(heads, blocks, strict=True)
    )


def ogg(packet: bytes) -> bytes:
    """A first page with an identification packet, and the comment packet over as many pages as it needs."""

    def page(lacing: bytes, content: bytes) -> bytes:
        return b"OggS" + bytes(22) + bytes([len(lacing)]) + lacing + content

    pages, rest = page(b"\x07", b"\x01vorbis"), packet
    while True:
        part, rest = rest[: 255 * 255], rest[255 * 255 :]
        full, left = divmod(len(part), 255)
        ends = len(part) < 255 * 255
        pages += page(b"\xff" * full + bytes([left]) * ends, part)
        if ends:
            return pages


def id3(major: int, *frames: tuple[bytes, bytes]) -> bytes:
    body = b""
    for name, content in frames:
        size = (
            bytes(len(content) >> 7 * k & 127 for k in (3, 2, 1, 0)) if major == 4 else len(content).to_bytes(4, "big")
        )
        body += name + (size[1:] if major == 2 else size + bytes(2)) + content
    body += bytes(20)
    return b"ID3" + bytes([major, 0, 0]) + bytes(len(body) >> 7 * k & 127 for k in (3, 2, 1, 0)) + body


LONG = "x" * 70_000
CASES = {
    "FLAC": (flac((0, bytes(34)), (6, b"image"), (4, comments("TITLE=a", "BPM=90", "Bpm=91"))), ["picture", "bpm"]),
    "OGG": (ogg(b"\x03vorbis" + comments("artist=a", "mood=wet", "METADATA_BLOCK_PICTURE=xx")), ["mood", "picture"]),
    "Opus, over two pages": (ogg(b"OpusTags" + comments(f"comment={LONG}", "R128_TRACK_GAIN=0")), ["r128_track_gain"]),
    "MP3, ID3v2.2": (id3(2, (b"TT2", b"\0a"), (b"PIC", b"x")), ["picture"]),
    "MP3, ID3v2.3": (id3(3, (b"TIT2", b"\0a"), (b"TBPM", b"\x0090"), (b"PRIV", bytes(200))), ["bpm", "PRIV"]),
    "MP3, ID3v2.4": (id3(4, (b"COMM", bytes(300)), (b"TXXX", b"\0a")), ["TXXX"]),
    "several values, FLAC": (flac((4, comments("ARTIST=a", "Artist=b", "DATE=1"))), ["another artist"]),
    "several values, ID3v2.4": (id3(4, (b"TPE1", b"\3a\0b\0"), (b"TCON", b"\1\xff\xfex\0")), ["another artist"]),
    "several values, ID3v2.3": (id3(3, (b"COMM", b"\0enga"), (b"COMM", b"\0engb")), ["another comment"]),
    "FLAC after ID3": (id3(3, (b"TBPM", b"\x0090")) + flac((2, b"riff")), ["bpm", "application data"]),
    "APE": (b"\xff\xfb\x94" + bytes(99) + b"APETAGEX" + bytes(24), ["APE tag"]),
    "APE before ID3v1": (b"\xff\xfb\x94" + bytes(99) + b"APETAGEX" + bytes(24) + b"TAG" + bytes(125), ["APE tag"]),
    "none": (b"RIFF", []),
}  # fmt: skip


@pytest.mark.parametrize(("content", "names"), CASES.values(), ids=CASES)
def test_names_that_have_no_counterpart(tmp_path: Path, content: bytes, names: list[str]) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with Scanner(path) as scanner:
        assert other_tags(scanner) == names
    if names:
        assert f"dropped ({', '.join(names)})" in " ".join(read_metadata(path).remarks)


@pytest.mark.parametrize(("content", "names"), CASES.values(), ids=CASES)
def test_a_file_that_is_cut_off_anywhere_is_no_error(tmp_path: Path, content: bytes, names: list[str]) -> None:
    """What is found of it is among what the whole file has."""
    path, found = tmp_path / "a", list[str]()
    for length in [*range(4, min(len(content), 200)), *range(200, len(content), 5000), len(content)]:
        path.write_bytes(content[:length])
        with Scanner(path) as scanner:
            found += other_tags(scanner)
    assert set(found) == set(names)


def test_tags_that_cannot_be_read_are_said_to_be_dropped(tmp_path: Path) -> None:
    for name, content in {"a.flac": flac((4, comments("TITLE=a"))), "a.m4a": b"\0\0\0\x18ftypM4A ilst"}.items():
        (tmp_path / name).write_bytes(content)
        assert list(read_metadata(tmp_path / name).remarks) == ["its tags cannot be read: dropped"]
