"""Streaming WAV writer: RIFF below 4 GB, RF64 above, and the same bytes for the same samples.

As in EBU Tech 3306, a ``JUNK`` chunk before ``fmt`` reserves space for the ``ds64`` chunk, which has 64-bit sizes if
the file outgrows 32 bits. libsndfile is not used: its ``PEAK`` chunk in float files contains the time of day, so that
the same samples would not give the same bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from audiogen.audio.channel_layout import AMBISONIC_GUID, DEFAULT_MASKS, EXTENSIBLE, PLAIN_GUID, ChannelLayout

BYTES = {"PCM_24": 3, "PCM_16": 2, "PCM_32": 4, "PCM_U8": 1, "FLOAT": 4, "DOUBLE": 8}
"""Bytes per sample of each subtype; the first is the default."""

PCM, IEEE_FLOAT = 0x0001, 0x0003
RIFF_LIMIT = 0xFFFFFFFF  # bytes after the first eight
IN_DS64 = 0xFFFFFFFF  # size field whose value is in the ds64 chunk


class WavWriter:
    """A WAV file under construction.

    Args:
        path: the file, which is overwritten.
        sample_rate: Hz.
        channels: samples per frame.
        subtype: a key of `BYTES`.
        layout: loudspeaker positions of the channels; None for the default.
        before, after: whole chunks to write before and after the samples.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        channels: int,
        subtype: str,
        layout: ChannelLayout | None = None,
        before: bytes = b"",
        after: bytes = b"",
    ) -> None:
        self._width, self._channels = BYTES[subtype], channels
        self._subtype = subtype
        self._before, self._after = before, after
        self._size = 0
        self._format = format_chunk(sample_rate, channels, subtype, layout)
        self._file = path.open("wb")
        self._file.write(self._header())

    def write(self, values: np.ndarray) -> None:
        """Append ``[time, channels]``: integer codes of the subtype's width, or floats for FLOAT and DOUBLE."""
        self._size += self._file.write(packed(values, self._subtype))

    def close(self, complete: bool = True) -> None:
        """Close the file and, if it is ``complete``, fill in its sizes."""
        try:
            if complete:
                self._file.write(b"\0" * (self._size % 2) + self._after)
                self._file.seek(0)
                self._file.write(self._header())
        finally:
            self._file.close()

    def _header(self) -> bytes:
        samples = self._size // (self._width * self._channels)
        fact = struct.pack("<4sII", b"fact", 4, min(samples, IN_DS64))  # required unless PCM
        fact = b"" if self._subtype.startswith("PCM") else fact
        # WAVE + (JUNK or ds64) + fmt + fact + other chunks + header of the data chunk + data + padding byte
        riff = 4 + 36 + len(self._format) + len(fact) + len(self._before) + 8 + self._size + self._size % 2
        riff += len(self._after)
        if riff <= RIFF_LIMIT:
            head = struct.pack("<4sI4s4sI28x", b"RIFF", riff, b"WAVE", b"JUNK", 28)
            data = struct.pack("<4sI", b"data", self._size)
        else:
            head = struct.pack("<4sI4s4sI", b"RF64", IN_DS64, b"WAVE", b"ds64", 28)
            head += struct.pack("<QQQI", riff, self._size, samples, 0)
            data = struct.pack("<4sI", b"data", IN_DS64)
        return head + self._format + fact + self._before + data


def format_chunk(sample_rate: int, channels: int, subtype: str, layout: ChannelLayout | None) -> bytes:
    """Plain ``fmt`` for ordinary mono and stereo, which every reader knows; else extensible, with a channel mask."""
    width = BYTES[subtype]
    tag = PCM if subtype.startswith("PCM") else IEEE_FLOAT
    frame = width * channels
    fields = struct.pack("<HIIHH", channels, sample_rate, sample_rate * frame, frame, 8 * width)
    layout = layout or ChannelLayout(DEFAULT_MASKS.get(channels, 0))
    if channels <= 2 and layout.is_default(channels):
        body = struct.pack("<H", tag) + fields
    else:
        guid = struct.pack("<H", tag) + (AMBISONIC_GUID if layout.ambisonic else PLAIN_GUID)
        body = struct.pack("<H", EXTENSIBLE) + fields + struct.pack("<HHI", 22, 8 * width, layout.mask) + guid
    return struct.pack("<4sI", b"fmt ", len(body)) + body


def packed(values: np.ndarray, subtype: str) -> bytes:
    if subtype == "PCM_24":
        return np.ascontiguousarray(values, "<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    if subtype == "PCM_U8":
        return (values + 128).astype(np.uint8).tobytes()
    little_endian = {"PCM_16": "<i2", "PCM_32": "<i4", "FLOAT": "<f4", "DOUBLE": "<f8"}
    return values.astype(little_endian[subtype]).tobytes()
