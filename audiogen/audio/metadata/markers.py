"""Markers and regions: the ``cue `` chunk with its labels in ``LIST adtl`` (RIFF MCI 1991), and AIFF's ``MARK``."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

CUE = struct.Struct("<II4sIII")
"""Identifier, position in the playlist, ``data``, two offsets for compressed files, sample."""

REGION = struct.Struct("<II4sHHHH")
"""Of ``ltxt``: identifier, length in samples, purpose, country, language, dialect, code page."""

MAX_POSITION = 2**32 - 1


@dataclass(frozen=True)
class Marker:
    """A position in a file, or from there on a region. Texts are bytes as they stand in the file, without the final 0.

    Args:
        position: sample.
        label: name.
        note: comment.
        length: of the region, in samples; 0 for a position.
        purpose: of the region, four bytes.
        text: of the region.
        new: whether this package made it, for an output.
    """

    position: int
    label: bytes = b""
    note: bytes = b""
    length: int = 0
    purpose: bytes = b"rgn "
    text: bytes = b""
    new: bool = False

    def moved(self, by: int, length: int) -> Marker:
        """The marker ``by`` samples later, with a region of ``length`` samples."""
        return replace(self, position=self.position + by, length=length)


def parse_markers(cue: bytes, lists: Iterable[Sequence[tuple[bytes, bytes]]]) -> list[Marker]:
    """Read a ``cue `` chunk's content and the items (name, content) of each ``LIST adtl``, in order of position."""
    markers, further = dict[int, Marker](), list[Marker]()  # of one identifier, the first has the texts
    count = struct.unpack_from("<I", cue)[0] if len(cue) >= 4 else 0
    for start in range(4, min(len(cue), 4 + count * CUE.size) - CUE.size + 1, CUE.size):
        identifier, position, _, _, _, sample = CUE.unpack_from(cue, start)
        marker = Marker(sample or position)  # some writers fill in the position in the playlist only
        if markers.setdefault(identifier, marker) is not marker:
            further.append(marker)
    for items in lists:
        for name, content in items:
            if len(content) < 4 or (identifier := struct.unpack_from("<I", content)[0]) not in markers:
                continue
            marker = markers[identifier]
            if name == b"labl":
                marker = replace(marker, label=content[4:].rstrip(b"\0"))
            elif name == b"note":
                marker = replace(marker, note=content[4:].rstrip(b"\0"))
            elif name == b"ltxt" and len(content) >= REGION.size:
                _, length, purpose, *_ = REGION.unpack_from(content)
                text = content[REGION.size :].rstrip(b"\0")
                marker = replace(marker, length=length, purpose=purpose, text=text)
            markers[identifier] = marker
    return sorted([*markers.values(), *further], key=lambda marker: marker.position)


def parse_aiff_markers(content: bytes) -> list[Marker]:
    """Read the content of a ``MARK`` chunk (AIFF 1.3, section 6): names are Pascal strings of even size."""
    markers, start = [], 2
    while start + 7 <= len(content):
        position, size = struct.unpack_from(">IB", content, start + 2)
        markers.append(Marker(position, content[start + 7 : start + 7 + size].rstrip(b"\0")))
        start += 7 + size + (size + 1) % 2
    return sorted(markers, key=lambda marker: marker.position)


def pack_cue(markers: Sequence[Marker]) -> bytes:
    """Content of the ``cue `` chunk; the identifiers are 1, 2, 3, ..."""
    points = (
        CUE.pack(number, marker.position, b"data", 0, 0, marker.position) for number, marker in enumerate(markers, 1)
    )
    return struct.pack("<I", len(markers)) + b"".join(points)


def pack_labels(markers: Sequence[Marker]) -> list[tuple[bytes, bytes]]:
    """Items (name, content) of the ``LIST adtl``; empty if no marker has a text or a length."""
    items = []
    for number, marker in enumerate(markers, 1):
        identifier = struct.pack("<I", number)
        if marker.label:
            items.append((b"labl", identifier + marker.label + b"\0"))
        if marker.note:
            items.append((b"note", identifier + marker.note + b"\0"))
        if marker.length:
            fixed = REGION.pack(number, marker.length, marker.purpose, 0, 0, 0, 0)
            items.append((b"ltxt", fixed + (marker.text + b"\0" if marker.text else b"")))
    return items
