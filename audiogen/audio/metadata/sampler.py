"""The ``smpl`` chunk: root note and loop, read by samplers, Wwise and Unreal (RIFF, Multimedia Registration 1994)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

FIELDS = struct.Struct("<9I")
"""Manufacturer, product, ns per sample, root note, its fraction, SMPTE format and offset, loops, extra bytes."""

LOOP = struct.Struct("<6I")
"""Identifier, type (0 forward), first and last sample (both are played), fraction, repetitions (0 for ever)."""

MIDDLE_C, MAX_NOTE = 60, 127


@dataclass(frozen=True)
class Sampler:
    """Content of a ``smpl`` chunk.

    Args:
        root: MIDI note at which the sound is played as recorded.
        fraction: by which the root is higher, in units of 2^-32 semitones.
        loops: first and last sample of each loop.
    """

    root: int = MIDDLE_C
    fraction: int = 0
    loops: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, content: bytes) -> Sampler | None:
        """Read a chunk; None if it is too short to be one."""
        if len(content) < FIELDS.size:
            return None
        _, _, _, root, fraction, _, _, count, _ = FIELDS.unpack_from(content)
        ends = range(FIELDS.size, len(content) - LOOP.size + 1, LOOP.size)
        loops = [LOOP.unpack_from(content, start)[2:4] for start in ends]
        return cls(root if root <= MAX_NOTE else MIDDLE_C, fraction, tuple(loops[:count]))

    def pack(self, sample_rate: int) -> bytes:
        """The chunk's content."""
        period = round(1e9 / sample_rate)
        fixed = FIELDS.pack(0, 0, period, self.root, self.fraction, 0, 0, len(self.loops), 0)
        return fixed + b"".join(LOOP.pack(number, 0, *loop, 0, 0) for number, loop in enumerate(self.loops))
