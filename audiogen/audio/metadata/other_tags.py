"""Names of the tags that are not carried over, so that they are not dropped without a word.

Texts that libsndfile knows are read by it (`tags`). Of FLAC, OGG, Opus and MP3 the names of all others are found here:
Vorbis comments (xiph.org/vorbis/doc/v-comment.html) and ID3v2 frames (id3.org), pictures among them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from audiogen.audio.metadata.tags import TAGS
from audiogen.audio.scanner import Scanner

MAX_BYTES = 1 << 24
"""Of the tags of a file; longer ones are not read."""

FLAC_BLOCKS = {2: "application data", 5: "cue sheet", 6: "picture"}
KNOWN_COMMENTS = {*TAGS, "encoder"}
PICTURES = {"metadata_block_picture", "coverart"}

KNOWN_FRAMES = {
    **{"TIT2": "title", "TPE1": "artist", "TALB": "album", "COMM": "comment", "TCOP": "copyright", "TCON": "genre"},
    **{"TDRC": "date", "TYER": "year", "TDAT": "day", "TRCK": "tracknumber", "TSSE": "software", "TENC": "encoder"},
    # of ID3v2.2
    **{"TT2": "title", "TP1": "artist", "TAL": "album", "COM": "comment", "TCR": "copyright", "TCO": "genre"},
    **{"TYE": "year", "TDA": "day", "TRK": "tracknumber", "TSS": "software", "TEN": "encoder"},
}
"""Frame of ID3v2 -> tag."""

APE_FOOTERS = (32, 160)
"""Bytes from the start of an APE tag's last part to the end of the file: without and with a tag of ID3v1 after it."""

FRAME_NAMES = {"APIC": "picture", "PIC": "picture", "TBPM": "bpm", "TBP": "bpm"}
ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
"""Of the text of a frame, by its first byte."""


def other_tags(scanner: Scanner) -> list[str]:
    """Names of the tags of a file that are not carried over, each once; empty where there are none, or no tags.

    Of several values of one name, libsndfile reads one: "another artist" stands for the rest.
    """
    names, position = list[str](), 0
    if scanner.at(0, 3) == b"ID3":
        names += _of_id3(scanner)
        position = 10 + _syncsafe(scanner.at(6, 4))
    head = scanner.at(position, 4)  # of FLAC, there may be a tag of another kind before it
    if head == b"fLaC":
        names += _of_flac(scanner, position + 4)
    elif head == b"OggS":
        names += _of_ogg(scanner)
    elif any(scanner.at(max(scanner.size - before, 0), 8) == b"APETAGEX" for before in APE_FOOTERS):
        names.append("APE tag")
    return list(dict.fromkeys(names))


def _of_flac(scanner: Scanner, position: int) -> Iterator[str]:
    last = False
    while not last and position + 4 <= scanner.size:
        kind, size = scanner.at(position, 1)[0], int.from_bytes(scanner.at(position + 1, 3), "big")
        last, kind = kind >= 128, kind % 128
        if kind in FLAC_BLOCKS:
            yield FLAC_BLOCKS[kind]
        elif kind == 4:
            yield from _of_comments(scanner.at(position + 4, size))
        position += 4 + size


def _of_ogg(scanner: Scanner) -> Iterator[str]:
    """Of the second packet of the first stream: the comments of Vorbis and Opus."""
    packet = _second_packet(scanner)
    for mark in (b"\x03vorbis", b"OpusTags"):
        if packet.startswith(mark):
            yield from _of_comments(packet[len(mark) :])


def _second_packet(scanner: Scanner) -> bytes:
    position, number, packet = 0, 0, b""
    while scanner.at(position, 4) == b"OggS" and len(packet) < MAX_BYTES:
        lacing = scanner.at(position + 27, int.from_bytes(scanner.at(position + 26, 1), "big"))
        content = position + 27 + len(lacing)
        for size in lacing:
            packet += scanner.at(content, size)
            content += size
            if size < 255:
                number += 1
                if number == 2:
                    return packet
                packet = b""
        position = content
    return b""


def _of_comments(content: bytes) -> Iterator[str]:
    try:
        position = 4 + struct.unpack_from("<I", content)[0]
        count = struct.unpack_from("<I", content, position)[0]
        position, read = position + 4, set[str]()
        for _ in range(count):
            size = struct.unpack_from("<I", content, position)[0]
            text, equals, _ = content[position + 4 : position + 4 + size].partition(b"=")
            name = text.decode("ascii", "replace").lower()
            position += 4 + size
            if equals and name not in KNOWN_COMMENTS:
                yield "picture" if name in PICTURES else name
            elif equals and name in read:
                yield f"another {name}"
            read.add(name)
    except struct.error:  # cut off
        return


def _of_id3(scanner: Scanner) -> Iterator[str]:
    major = int.from_bytes(scanner.at(3, 1), "big")
    content = scanner.at(10, min(_syncsafe(scanner.at(6, 4)), MAX_BYTES))
    letters, head = (3, 6) if major == 2 else (4, 10)
    position, read = 0, set[str]()
    while position + head <= len(content) and content[position : position + 1] != b"\0":
        name = content[position : position + letters].decode("latin-1")
        size = content[position + letters : position + 2 * letters]
        if not name.isalnum():  # damaged
            return
        length = _syncsafe(size) if major == 4 else int.from_bytes(size, "big")
        tag = KNOWN_FRAMES.get(name)
        if tag is None:
            yield FRAME_NAMES.get(name, name)
        elif tag in read or (name[0] == "T" and _has_several(content[position + head :][:length])):
            yield f"another {tag}"
        read.update({tag} if tag else ())
        position += head + length


def _has_several(text: bytes) -> bool:
    """Whether the content of a text frame has several values, separated by 0."""
    if not text or text[0] >= len(ENCODINGS):
        return False
    return "\0" in text[1:].decode(ENCODINGS[text[0]], "replace").rstrip("\0")


def _syncsafe(value: bytes) -> int:
    """An integer of seven bits per byte."""
    number = 0
    for byte in value:
        number = number << 7 | byte & 127
    return number
