"""Concatenated recordings: where each starts and ends in a file such as the output of ``cat a.ogg b.ogg``.

A decoder reads the first one and ignores the others.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from audiogen.audio.mpeg_frames import Range, find_stream, is_stream, streams_at, tag_end
from audiogen.audio.riff_chunks import (
    AU,
    CAF,
    FLAC,
    FORMS,
    OGG,
    OTHERS,
    W64,
    WAVE,
    end_of_form,
    is_name,
    unfilled_size,
)
from audiogen.audio.scanner import Scanner

FLAC_HEADS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")  # with the header of the first metadata block
OGG_HEAD = b"OggS\x00\x02" + bytes(8)  # of the first page of a stream
W64_GUID = bytes.fromhex("2e91cf11a5d628db04c10000")  # follows ``riff``
OPEN_SIZE = b"\xff\xff\xff\xff"  # in the position of a size that is not known
MIN_REMAINDER = 1024  # bytes; a smaller remainder of a file holds no audio
MIN_MPEG_FRACTION = 0.9  # of the bytes after garbage that must be frames for a file to count as MPEG audio


@dataclass(frozen=True)
class Part:
    """One of the recordings as a file of its own: ranges of bytes of the whole file, and literal bytes."""

    pieces: tuple[Range | bytes, ...]


@dataclass(frozen=True)
class Contents:
    """Contents of a file.

    Args:
        parts: its recordings, in order; empty if its format is not one that is searched.
        skipped: bytes between MPEG frames that belong to none.
        remainder: bytes after the end that are not recognised and are not all zeros.
        sizeless: number of recordings that state a size of 0, as recorders leave it when they lose power.
    """

    parts: tuple[Part, ...] = ()
    skipped: int = 0
    remainder: int = 0
    sizeless: int = 0

    def is_single(self) -> bool:
        """Whether the file is one recording, which can be decoded as it is."""
        return len(self.parts) < 2 and all(
            len(part.pieces) == 1 and isinstance(part.pieces[0], tuple) and part.pieces[0][0] == 0
            for part in self.parts
        )


def contents_of(scanner: Scanner) -> Contents:
    """The recordings in a file that starts with one."""
    return _contents(scanner, 0)


def hidden_mpeg(scanner: Scanner) -> Contents:
    """MPEG audio after zeros or garbage, if it is nearly all of the remaining file; else empty."""
    position = find_stream(scanner, 0)
    if position < 0:
        return Contents()
    streams = streams_at(scanner, position, lambda position: _begins(scanner, position))
    framed = sum(end - begin for stream in streams for begin, end in stream.runs)
    if sum(stream.frames for stream in streams) < 3 or framed < MIN_MPEG_FRACTION * (scanner.size - position):
        return Contents()
    return _contents(scanner, position)


def _contents(scanner: Scanner, position: int) -> Contents:
    parts: list[Part] = []
    pieces: tuple[Range | bytes, ...]
    skipped = sizeless = 0
    while position < scanner.size:
        begin, position = position, tag_end(scanner, position)
        begin = position if parts else begin
        head = scanner.at(position, 4)
        if head in FORMS:
            ends = [end_of_form(scanner, position)]
        elif head == OGG:
            ends = _ends_of_ogg(scanner, position)
        elif head == FLAC:
            ends = [_end_of_flac(scanner, position)]
        elif head == W64 and scanner.at(position + 4, 12) == W64_GUID:
            ends = [_end_of_w64(scanner, position)]
        elif head == AU:
            ends = [_end_of_au(scanner, position)]
        elif head == CAF:
            ends = [_end_of_caf(scanner, position)]
        elif is_stream(scanner, position):
            streams = streams_at(scanner, begin, lambda position: _begins(scanner, position))
            if not streams:  # cut inside its first frame
                break
            parts += [Part(tuple(stream.pieces(scanner))) for stream in streams]
            skipped += sum(stream.skipped for stream in streams)
            position = streams[-1].end
            continue
        else:
            break
        if ends[-1] <= position:  # a size that cannot be
            break
        for end in ends:
            unfilled = unfilled_size(scanner, position)
            pieces = ((begin, end),) if unfilled is None else ((begin, unfilled), OPEN_SIZE, (unfilled + 4, end))
            parts.append(Part(pieces))
            sizeless += unfilled is not None
            begin = position = end
    if not parts:
        return Contents()
    position = tag_end(scanner, position)
    remainder = scanner.size - position
    ignorable = remainder < MIN_REMAINDER or not scanner.has_content(position)
    return Contents(tuple(parts), skipped, 0 if ignorable else remainder, sizeless)


def _begins(scanner: Scanner, position: int) -> bool:
    """Whether a recording in a format other than MPEG starts here."""
    return scanner.at(position, 4) in (*FORMS, *OTHERS)


def _ends_of_ogg(scanner: Scanner, position: int) -> list[int]:
    """Ends of the links of a chained stream: a beginning-of-stream page after data starts a new link (RFC 3533, 4)."""
    ends, data = [], False
    while position < scanner.size:
        head = scanner.at(position, 27)
        if head[:4] != OGG or len(head) < 27:
            following = -1 if _begins(scanner, position) else scanner.find(OGG, position + 1)
            if following < 0:
                break
            position = following
            continue
        begins = bool(head[5] & 2)
        if begins and data:
            ends.append(position)
        data = not begins
        position += 27 + head[26] + sum(scanner.at(position + 27, head[26]))
    return [*ends, min(position, scanner.size)]


def _end_of_flac(scanner: Scanner, position: int) -> int:
    """Start of the next recording, as FLAC does not state its end."""
    position += 4
    while (position := scanner.find_first((*FLAC_HEADS, OGG_HEAD, WAVE), position)) >= 0:
        if scanner.at(position, 8) != WAVE:
            return position
        if scanner.at(position - 8, 4) in FORMS:
            return position - 8
        position += len(WAVE)
    return scanner.size


def _end_of_w64(scanner: Scanner, position: int) -> int:
    end = position + struct.unpack("<Q", scanner.at(position + 16, 8).ljust(8, b"\xff"))[0]
    return end if end < scanner.size and _begins(scanner, end) else scanner.size  # libsndfile continues to the end, too


def _end_of_au(scanner: Scanner, position: int) -> int:
    offset, size = struct.unpack(">II", scanner.at(position + 4, 8).ljust(8, b"\xff"))
    return scanner.size if size == 0xFFFFFFFF else _end(scanner, position + offset + size)


def _end_of_caf(scanner: Scanner, position: int) -> int:
    end = position + 8
    while end + 12 <= scanner.size and is_name(scanner.at(end, 4)) and not _begins(scanner, end):
        size = struct.unpack(">q", scanner.at(end + 4, 8))[0]
        if size < 0:
            return scanner.size
        end += 12 + size
    return _end(scanner, end)


def _end(scanner: Scanner, end: int) -> int:
    return min(end, scanner.size)
