"""The ``bext`` chunk of broadcast WAV files (EBU Tech 3285, version 2): origin, time stamp, coding history."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

FIELDS = struct.Struct("<256s32s32s10s8sQH64s5h180s")
"""Description, originator, its reference, date, time, time reference, version, UMID, loudness, reserved."""

MAX_TIME_REFERENCE = 2**64 - 1
UNMEASURED = (0x7FFF,) * 5  # loudness fields without a value
NO_UMID = bytes(64)


@dataclass(frozen=True)
class Broadcast:
    """Content of a ``bext`` chunk. Texts are bytes as they stand in the file, with their padding.

    Args:
        description, originator, reference, date, time: fixed-width fields.
        time_reference: samples since midnight at the first sample of the file.
        version: of the chunk, 0 to 2.
        umid: identifier of the material (SMPTE ST 330); zeros for none.
        loudness: integrated value, range, true peak, momentary and short-term maximum, in hundredths.
        history: coding history, lines that end in CR LF.
    """

    description: bytes
    originator: bytes
    reference: bytes
    date: bytes
    time: bytes
    time_reference: int
    version: int
    umid: bytes
    loudness: tuple[int, ...]
    history: bytes

    @classmethod
    def parse(cls, content: bytes) -> Broadcast | None:
        """Read a chunk; None if it is too short to be one."""
        if len(content) < FIELDS.size:
            return None
        description, originator, reference, date, time, stamp, version, umid, *rest = FIELDS.unpack_from(content)
        history = content[FIELDS.size :].rstrip(b"\0")
        return cls(description, originator, reference, date, time, stamp, version, umid, tuple(rest[:5]), history)

    def pack(self) -> bytes:
        """The chunk's content."""
        texts = (self.description, self.originator, self.reference, self.date, self.time)
        fixed = FIELDS.pack(*texts, self.time_reference, self.version, self.umid, *self.loudness, b"")
        return fixed + self.history + b"\0"

    def edited(self, time_reference: int, line: str | None) -> Broadcast:
        """The chunk of an output made from this file.

        The time stamp moves with the samples, and one line is added to the history. The identifier of the material and
        its loudness belong to the samples as they were, and are cleared.

        Args:
            time_reference: of the output's first sample.
            line: for the coding history; None for no line.
        """
        history = self.history
        if line is not None:
            ended = history == b"" or history.endswith(b"\n")
            history += (b"" if ended else b"\r\n") + line.encode("ascii", "replace") + b"\r\n"
        loudness = UNMEASURED if self.version >= 2 else self.loudness
        return replace(self, time_reference=time_reference, umid=NO_UMID, loudness=loudness, history=history)


def coding_line(container: str, subtype: str, sample_rate: int, channels: int, text: str) -> str:
    """A line of a coding history (EBU R 98): ``A=PCM,F=48000,W=24,M=stereo,T=audiogen``.

    Args:
        container, subtype: of the file that is written, in libsndfile's terms.
        sample_rate: Hz.
        channels: their number.
        text: what made the file; commas are replaced, as they separate the fields.
    """
    widths = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64}
    mode = {1: "mono", 2: "stereo"}.get(channels, f"{channels}-channel")
    width = f"W={widths[subtype]}," if subtype in widths else ""
    algorithm = "PCM" if container in ("WAV", "FLAC") else container
    return f"A={algorithm},F={sample_rate},{width}M={mode},T={text.replace(',', ';')}"
