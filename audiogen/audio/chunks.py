"""RIFF, RF64 and AIFF files are nests of chunks: where each lies, and where the outermost one ends."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from audiogen.audio.scanning import Scanner

FORMS = (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM")
OGG, FLAC, W64, AU, CAF = OTHERS = (b"OggS", b"fLaC", b"riff", b".snd", b"caff")
"""What files of other formats begin with."""

STREAMED = 0x7FFF0000
"""A WAV data size from here on was left by a writer that streams and does not know its length."""

AUDIO = (b"data", b"SSND")


@dataclass(frozen=True)
class Chunk:
    """A chunk of a file: its name, the place of its content, and the size that it states.

    ``open_ended`` when the size was left open by a writer that streams.
    """

    name: bytes
    place: int
    size: int
    open_ended: bool = False


def chunks(scanner: Scanner, start: int) -> Iterator[Chunk]:
    """The chunks of the form that begins at ``start``, as long as they follow one another.

    The size that the form states is not trusted: writers that add a chunk often leave it as it was.
    """
    form = scanner.at(start, 4)
    integer = ">I" if form in (b"RIFX", b"FORM") else "<I"
    place, data_size = start + 12, None
    while place + 8 <= scanner.size:
        head = scanner.at(place, 8)
        name, size = head[:4], struct.unpack(integer, head[4:])[0]
        if name in (*FORMS, *OTHERS) or not is_name(name):
            return
        if name == b"ds64":
            data_size = struct.unpack("<Q", scanner.at(place + 16, 8).ljust(8, b"\0"))[0]
        if name == b"data" and size == 0xFFFFFFFF and data_size:
            size = data_size
        open_ended = name in AUDIO and (size == 0 or size >= STREAMED) and place + 8 + size > scanner.size
        open_ended = open_ended or (name == b"data" and size == 0 and _is_last(scanner, place + 8))
        yield Chunk(name, place + 8, size, open_ended)
        place += 8 + size
        # Each chunk has an even size; some writers forget the byte that makes it so.
        place += size % 2 and scanner.at(place, 1) in (b"\0", b"")


def is_name(name: bytes) -> bool:
    """Whether four bytes may name a chunk."""
    return all(32 <= byte < 127 for byte in name)


def _is_last(scanner: Scanner, place: int) -> bool:
    """Whether no chunk follows: a data chunk of size 0 was left open, unless one does."""
    name = scanner.at(place, 4)
    return len(name) == 4 and not is_name(name)


def end_of_form(scanner: Scanner, start: int) -> int:
    """Where the form that begins at ``start`` ends: after its last chunk, or where the next form begins."""
    end = start + 12
    for chunk in chunks(scanner, start):
        if chunk.open_ended:
            return next_wave(scanner, chunk.place)
        end = chunk.place + chunk.size
        end += chunk.size % 2 and scanner.at(end, 1) == b"\0"
    return min(end, scanner.size)


def unfilled_size(scanner: Scanner, start: int) -> int | None:
    """Where the size of the samples is stated as 0 although samples follow; None where all is well."""
    if scanner.at(start, 4) != b"RIFF":
        return None
    places = (chunk.place for chunk in chunks(scanner, start) if chunk.name == b"data" and chunk.open_ended)
    return next((place - 4 for place in places if not any(scanner.at(place - 4, 4))), None)


def next_wave(scanner: Scanner, place: int) -> int:
    """Where the next WAV begins, from ``place`` on; the end of the file when nowhere."""
    while (place := scanner.find(b"WAVEfmt ", place)) >= 0:
        if scanner.at(place - 8, 4) in FORMS:
            return place - 8
        place += 8
    return scanner.size


def format_chunk(scanner: Scanner, start: int) -> bytes | None:
    """The content of the ``fmt`` chunk of the WAV that begins at ``start``, little-endian; None without one."""
    if scanner.at(start, 4) not in FORMS or scanner.at(start + 8, 4) != b"WAVE":
        return None
    for chunk in chunks(scanner, start):
        if chunk.name == b"fmt ":
            return scanner.at(chunk.place, min(chunk.size, 64))
        if chunk.name in AUDIO:
            return None
    return None
