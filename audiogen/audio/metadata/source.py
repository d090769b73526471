"""Reading the metadata of a file of any container."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from audiogen.audio.metadata.broadcast import Broadcast
from audiogen.audio.metadata.ixml import IXml
from audiogen.audio.metadata.markers import parse_aiff_markers, parse_markers
from audiogen.audio.metadata.metadata import ADM, Metadata
from audiogen.audio.metadata.other_tags import other_tags
from audiogen.audio.metadata.sampler import Sampler
from audiogen.audio.metadata.tags import Items, tags_of
from audiogen.audio.riff_chunks import AUDIO, W64, chunks
from audiogen.audio.scanner import Scanner

PASSED_ON = (*ADM, b"inst")
"""Chunks that hold for the output as they are: the ADM, and the root note and ranges of an instrument."""

ABOUT_SAMPLES = (b"fmt ", b"fact", b"ds64", b"PEAK", b"levl", b"COMM", b"FVER", *AUDIO)
"""Chunks that describe the samples; the output has its own."""

PADDING = (b"JUNK", b"junk", b"PAD ", b"FLLR", b"bloc", b"wavl", b"summ")
"""Chunks without content, and copies of content."""

STRINGS = (b"NAME", b"AUTH", b"(c) ", b"ANNO", b"ID3 ", b"id3 ")
"""Chunks whose texts libsndfile reads."""

MAX_BYTES = 1 << 24
"""Of a chunk; a longer one is not metadata that could be read at once."""

W64_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")
"""Last 12 bytes of the identifier of a Wave64 chunk; the first four are the name in RIFF."""


def read_metadata(path: Path) -> Metadata:
    """Read what a file holds besides samples; what is damaged is left out with a remark, never an error.

    Args:
        path: the file; its suffix is ignored.
    """
    try:
        with Scanner(path) as scanner:
            head = scanner.at(0, 4)
            if head in (b"RIFF", b"RF64", b"BW64"):
                return _parsed(_riff_chunks(scanner))
            if head == b"RIFX":  # whose chunks would have to be read the other way round
                return _parsed((name, None) for name, _ in _riff_chunks(scanner))
            if head == W64:
                return _parsed(_w64_chunks(scanner))
            found = _parsed(_riff_chunks(scanner), aiff=True) if head == b"FORM" else Metadata()
            others = other_tags(scanner)
            tagged = head in (b"fLaC", b"OggS") or head[:3] == b"ID3" or _is_tagged_mp4(scanner)
        remarks, tags = list(found.remarks), tags_of(path)
        if tags is None and tagged:
            remarks.append("its tags cannot be read: dropped")
        if others:
            remarks.append(f"tags that have no counterpart here: dropped ({', '.join(others)})")
        return Metadata(tags=tags or {}, markers=found.markers, unread=found.unread, remarks=remarks)
    except OSError:
        return Metadata()


Named = Iterator[tuple[bytes, bytes | None]]
"""Name and content of each chunk; None for one that is not read."""


def _riff_chunks(scanner: Scanner) -> Named:
    for each in chunks(scanner, 0):
        skipped = each.name in (*ABOUT_SAMPLES, *PADDING) or each.size > MAX_BYTES
        yield each.name, None if skipped else scanner.at(each.position, each.size)


def _w64_chunks(scanner: Scanner) -> Named:
    """Chunks of a Wave64 file: identifiers of 16 bytes, 64-bit sizes that include them, padding to 8 bytes."""
    position = 40
    while position + 24 <= scanner.size:
        identifier = scanner.at(position, 16)
        size = struct.unpack("<Q", scanner.at(position + 16, 8))[0]
        if size < 24:
            return
        name = identifier[:4] if identifier[4:] == W64_END else b"other"
        skipped = name in (*ABOUT_SAMPLES, *PADDING) or size > MAX_BYTES
        yield name, None if skipped else scanner.at(position + 24, size - 24)
        position += size + -size % 8


def _is_tagged_mp4(scanner: Scanner) -> bool:
    return scanner.at(4, 4) == b"ftyp" and scanner.find(b"ilst", 0) >= 0


def _parsed(named: Named, aiff: bool = False) -> Metadata:
    contents: dict[bytes, bytes] = {}
    lists: dict[bytes, list[Items]] = defaultdict(list)
    unread: dict[bytes, None] = {}
    remarks = []
    for name, content in named:
        if content is None:
            if name not in (*ABOUT_SAMPLES, *PADDING):
                unread[name] = None
        elif name == b"LIST" and content[:4] in (b"INFO", b"adtl"):
            lists[content[:4]].append(_items(content[4:]))
        elif name in (b"bext", b"iXML", b"cue ", b"smpl", b"MARK", *PASSED_ON):
            contents.setdefault(name, content)
        elif not (aiff and name in STRINGS):
            unread[name + (b" " + content[:4] if name == b"LIST" else b"")] = None
    broadcast, ixml = Broadcast.parse(contents.get(b"bext", b"")), IXml.parse(contents.get(b"iXML", b""))
    for name, value in ((b"bext", broadcast), (b"iXML", ixml)):
        if name in contents and value is None:
            remarks.append(f"its {name.decode()} chunk is damaged: dropped")
    markers = parse_markers(contents.get(b"cue ", b""), lists[b"adtl"])
    markers += parse_aiff_markers(contents.get(b"MARK", b""))
    return Metadata(
        broadcast=broadcast,
        ixml=ixml,
        markers=markers,
        sampler=Sampler.parse(contents.get(b"smpl", b"")),
        info=[item for items in lists[b"INFO"] for item in items],
        chunks={name: contents[name] for name in PASSED_ON if name in contents},
        unread=[name.decode("latin-1").strip() for name in unread],
        remarks=remarks,
    )


def _items(content: bytes) -> Items:
    """Items of a list; some writers leave out the padding byte."""
    items, position = [], 0
    while position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        items.append((name, content[position + 8 : position + 8 + size]))
        position += 8 + size
        position += size % 2 and content[position : position + 1] in (b"\0", b"")
    return items
