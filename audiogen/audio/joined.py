"""Files that hold several recordings end to end (``cat a.ogg b.ogg``): where each begins and ends.

A decoder reads the first and says nothing of the others.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from audiogen.audio.chunks import (
    AU,
    CAF,
    FLAC,
    FORMS,
    OGG,
    OTHERS,
    W64,
    end_of_form,
    is_name,
    next_wave,
    unfilled_size,
)
from audiogen.audio.mpeg import Range, find_stream, is_stream, streams_at, tag_end
from audiogen.audio.scanning import Scanner

FLAC_HEADS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")  # with the head of the first metadata block
OGG_HEAD = b"OggS\x00\x02" + bytes(8)  # of the first page of a stream
W64_GUID = bytes.fromhex("2e91cf11a5d628db04c10000")  # what follows ``riff``
OPEN_SIZE = b"\xff\xff\xff\xff"  # in the place of a size that is not known
AUDIBLE = 1024  # bytes; what is left over and smaller than this holds no audio
MPEG_SHARE = 0.9  # of what follows garbage, that is frames where the file is to be MPEG audio


@dataclass(frozen=True)
class Part:
    """What makes a file of one of the recordings: ranges of bytes of the whole, and bytes of our own."""

    pieces: tuple[Range | bytes, ...]


@dataclass(frozen=True)
class Contents:
    """What was found in a file.

    Args:
        parts: its recordings, in order; empty when its format is not among those that are searched.
        skipped: bytes between MPEG frames that are not.
        rest: bytes after the end that are not recognised and are not zeros.
        sizeless: how many of them state a size of 0, as recorders leave it that lose their power.
    """

    parts: tuple[Part, ...] = ()
    skipped: int = 0
    rest: int = 0
    sizeless: int = 0

    def whole(self) -> bool:
        """Whether the decoder may have the file as it is."""
        return len(self.parts) < 2 and all(
            len(part.pieces) == 1 and isinstance(part.pieces[0], tuple) and part.pieces[0][0] == 0
            for part in self.parts
        )


def contents_of(scanner: Scanner) -> Contents:
    """The recordings in a file, from its beginning on."""
    return _contents(scanner, 0)


def hidden_mpeg(scanner: Scanner) -> Contents:
    """The MPEG audio behind zeros or garbage, where little else is in the file; empty without."""
    place = find_stream(scanner, 0)
    if place < 0:
        return Contents()
    streams = streams_at(scanner, place, lambda place: _begins(scanner, place))
    framed = sum(end - begin for stream in streams for begin, end in stream.runs)
    if sum(stream.frames for stream in streams) < 3 or framed < MPEG_SHARE * (scanner.size - place):
        return Contents()
    return _contents(scanner, place)


def _contents(scanner: Scanner, place: int) -> Contents:
    parts: list[Part] = []
    pieces: tuple[Range | bytes, ...]
    skipped = sizeless = 0
    while place < scanner.size:
        begin, place = place, tag_end(scanner, place)
        begin = place if parts else begin
        head = scanner.at(place, 4)
        if head in FORMS:
            ends = [end_of_form(scanner, place)]
        elif head == OGG:
            ends = _ends_of_ogg(scanner, place)
        elif head == FLAC:
            ends = [_end_of_flac(scanner, place)]
        elif head == W64 and scanner.at(place + 4, 12) == W64_GUID:
            ends = [_end_of_w64(scanner, place)]
        elif head == AU:
            ends = [_end_of_au(scanner, place)]
        elif head == CAF:
            ends = [_end_of_caf(scanner, place)]
        elif is_stream(scanner, place):
            streams = streams_at(scanner, begin, lambda place: _begins(scanner, place))
            if not streams:  # cut inside its first frame
                break
            parts += [Part(tuple(stream.pieces(scanner))) for stream in streams]
            skipped += sum(stream.skipped for stream in streams)
            place = streams[-1].end
            continue
        else:
            break
        if ends[-1] <= place:  # a size that cannot be
            break
        for end in ends:
            unfilled = unfilled_size(scanner, place)
            pieces = ((begin, end),) if unfilled is None else ((begin, unfilled), OPEN_SIZE, (unfilled + 4, end))
            parts.append(Part(pieces))
            sizeless += unfilled is not None
            begin = place = end
    if not parts:
        return Contents()
    place = tag_end(scanner, place)
    rest = scanner.size - place
    return Contents(tuple(parts), skipped, rest if rest >= AUDIBLE and scanner.sounds(place) else 0, sizeless)


def _begins(scanner: Scanner, place: int) -> bool:
    """Whether a recording in another format than MPEG begins here."""
    return scanner.at(place, 4) in (*FORMS, *OTHERS)


def _ends_of_ogg(scanner: Scanner, place: int) -> list[int]:
    """The ends of the links of a chain: a beginning of stream after pages of data begins the next (RFC 3533, 4)."""
    ends, data = [], False
    while place < scanner.size:
        head = scanner.at(place, 27)
        if head[:4] != OGG or len(head) < 27:
            following = -1 if _begins(scanner, place) else scanner.find(OGG, place + 1)
            if following < 0:
                break
            place = following
            continue
        begins = bool(head[5] & 2)
        if begins and data:
            ends.append(place)
        data = not begins
        place += 27 + head[26] + sum(scanner.at(place + 27, head[26]))
    return [*ends, min(place, scanner.size)]


def _end_of_flac(scanner: Scanner, place: int) -> int:
    """Where the next recording begins: no FLAC says where it ends."""
    ends = [scanner.find(head, place + 4) for head in (*FLAC_HEADS, OGG_HEAD)]
    return min((end for end in [*ends, next_wave(scanner, place)] if end >= 0), default=scanner.size)


def _end_of_w64(scanner: Scanner, place: int) -> int:
    end = place + struct.unpack("<Q", scanner.at(place + 16, 8).ljust(8, b"\xff"))[0]
    return end if end < scanner.size and _begins(scanner, end) else scanner.size  # libsndfile reads on, too


def _end_of_au(scanner: Scanner, place: int) -> int:
    offset, size = struct.unpack(">II", scanner.at(place + 4, 8).ljust(8, b"\xff"))
    return scanner.size if size == 0xFFFFFFFF else _end(scanner, place + offset + size)


def _end_of_caf(scanner: Scanner, place: int) -> int:
    end = place + 8
    while end + 12 <= scanner.size and is_name(scanner.at(end, 4)) and not _begins(scanner, end):
        size = struct.unpack(">q", scanner.at(end + 4, 8))[0]
        if size < 0:
            return scanner.size
        end += 12 + size
    return _end(scanner, end)


def _end(scanner: Scanner, end: int) -> int:
    return min(end, scanner.size)
