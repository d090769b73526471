"""Chunks of RIFF, RF64 and AIFF files: their positions, and where the outermost one (the form) ends."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from audiogen.audio.scanner import Scanner

FORMS = (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM")
OGG, FLAC, W64, AU, CAF = OTHERS = (b"OggS", b"fLaC", b"riff", b".snd", b"caff")
"""First bytes of other formats."""

STREAMED = 0x7FFF0000
"""A WAV data size of at least this is a placeholder by a streaming writer that does not know the length yet."""

WAVE = b"WAVEfmt "
"""Bytes 8 to 16 of nearly every WAV."""

AUDIO = (b"data", b"SSND")


@dataclass(frozen=True)
class Chunk:
    """A chunk of a file.

    Args:
        name: four bytes.
        position: of its content in the file.
        size: of its content in bytes, as stated.
        open_ended: whether a streaming writer left the size open.
    """

    name: bytes
    position: int
    size: int
    open_ended: bool = False


def chunks(scanner: Scanner, start: int) -> Iterator[Chunk]:
    """The contiguous chunks of the form that starts at ``start``.

    The size that the form states is ignored: writers that add a chunk often do not update it.
    """
    form = scanner.at(start, 4)
    integer = ">I" if form in (b"RIFX", b"FORM") else "<I"
    position, data_size = start + 12, None
    while position + 8 <= scanner.size:
        head = scanner.at(position, 8)
        name, size = head[:4], struct.unpack(integer, head[4:])[0]
        if name in (*FORMS, *OTHERS) or not is_name(name):
            return
        if name == b"ds64":
            data_size = struct.unpack("<Q", scanner.at(position + 16, 8).ljust(8, b"\0"))[0]
        if name == b"data" and size == 0xFFFFFFFF and data_size:
            size = data_size
        open_ended = name in AUDIO and (size == 0 or size >= STREAMED) and position + 8 + size > scanner.size
        open_ended = open_ended or (name == b"data" and size == 0 and _is_last(scanner, position + 8))
        yield Chunk(name, position + 8, size, open_ended)
        position += 8 + size
        # Chunks are padded to an even size; some writers omit the padding byte.
        position += size % 2 and scanner.at(position, 1) in (b"\0", b"")


def is_name(name: bytes) -> bool:
    """Whether four bytes may be the name of a chunk."""
    return all(32 <= byte < 127 for byte in name)


def _is_last(scanner: Scanner, position: int) -> bool:
    """Whether no chunk follows: then a data chunk of size 0 was left open."""
    name = scanner.at(position, 4)
    return len(name) == 4 and not is_name(name)


def end_of_form(scanner: Scanner, start: int) -> int:
    """End of the form that starts at ``start``: after its last chunk, or where the next form starts."""
    end = start + 12
    for chunk in chunks(scanner, start):
        if chunk.open_ended:
            return next_wave(scanner, chunk.position)
        end = chunk.position + chunk.size
        end += chunk.size % 2 and scanner.at(end, 1) == b"\0"
    return min(end, scanner.size)


def unfilled_size(scanner: Scanner, start: int) -> int | None:
    """Position of the size field of a data chunk that states 0 although samples follow; None if there is none."""
    if scanner.at(start, 4) != b"RIFF":
        return None
    positions = (chunk.position for chunk in chunks(scanner, start) if chunk.name == b"data" and chunk.open_ended)
    return next((position - 4 for position in positions if not any(scanner.at(position - 4, 4))), None)


def next_wave(scanner: Scanner, position: int) -> int:
    """Position of the next WAV from ``position`` on; the end of the file if there is none."""
    while (position := scanner.find(WAVE, position)) >= 0:
        if scanner.at(position - 8, 4) in FORMS:
            return position - 8
        position += 8
    return scanner.size


def format_chunk(scanner: Scanner, start: int) -> bytes | None:
    """Content of the ``fmt`` chunk of the WAV that starts at ``start``, little-endian; None if there is none."""
    if scanner.at(start, 4) not in FORMS or scanner.at(start + 8, 4) != b"WAVE":
        return None
    for chunk in chunks(scanner, start):
        if chunk.name == b"fmt ":
            return scanner.at(chunk.position, min(chunk.size, 64))
        if chunk.name in AUDIO:
            return None
    return None
