"""The ``iXML`` chunk of field recorders (ixml.info): scene, take, track names, time stamp; changed where it must be."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

MAX_BYTES = 1 << 22
STAMPS = (
    ("SPEED/TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", "SPEED/TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO"),
    ("BEXT/BWF_TIME_REFERENCE_HIGH", "BEXT/BWF_TIME_REFERENCE_LOW"),
)
"""Two elements with the high and the low 32 bits of a time stamp."""

UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
"""First bytes of a document -> its encoding."""

NOT_HOLDING = ("FILE_UID", "BEXT/BWF_UMID", "BEXT/BWF_CODING_HISTORY", "SYNC_POINT_LIST", "LOUDNESS")
"""Elements about the file as it was: identifiers, a copy of the coding history, positions, loudness."""


@dataclass(frozen=True)
class IXml:
    """Content of an ``iXML`` chunk.

    Args:
        document: its bytes.
    """

    document: bytes

    @classmethod
    def parse(cls, content: bytes) -> IXml | None:
        """Read a chunk; None if it is not well-formed, very long, or declares entities."""
        document = _as_utf8(content)
        if len(document) > MAX_BYTES or b"<!DOCTYPE" in document or b"<!ENTITY" in document:
            return None
        try:
            root = ET.fromstring(document)
        except (ET.ParseError, ValueError, LookupError):
            return None
        return cls(document) if root.tag == "BWFXML" else None

    def edited(self, moved: int, bits: int | None) -> IXml:
        """The document of an output made from this file.

        Args:
            moved: by how many samples later its first sample is.
            bits: of its samples; None if they have no fixed number.
        """
        root = ET.fromstring(self.document)
        for path in NOT_HOLDING:
            folder, _, name = path.rpartition("/")
            parent = root.find(folder) if folder else root
            for element in [] if parent is None else parent.findall(name):
                assert parent is not None
                parent.remove(element)
        for high, low in STAMPS:
            upper, lower = root.find(high), root.find(low)
            if upper is not None and lower is not None and moved:
                stamp = _time_stamp(upper, lower)
                if stamp is not None:
                    within = min(max(stamp + moved, 0), 2**64 - 1)
                    upper.text, lower.text = map(str, divmod(within, 2**32))
        depth = root.find("SPEED/AUDIO_BIT_DEPTH")
        if depth is not None and bits is not None:
            depth.text = str(bits)
        return IXml(b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "utf-8"))


def _as_utf8(content: bytes) -> bytes:
    """A document without what lies around it; from UTF-16 in UTF-8, where a declaration of entities is seen."""
    encoding = next((name for start, name in UTF_16.items() if content.startswith(start)), None)
    if encoding is None:
        return content.strip(b"\0 \t\r\n")
    text = content[: len(content) // 2 * 2].decode(encoding, "replace").strip("\0 \t\r\n\ufeff")
    return re.sub(r"^<\?xml.*?\?>", "", text, flags=re.DOTALL).encode()


def _time_stamp(high: ET.Element, low: ET.Element) -> int | None:
    try:
        return (int(high.text or "") << 32) + int(low.text or "")
    except ValueError:
        return None
