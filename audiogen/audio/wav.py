"""A WAV file written in a stream: RIFF below 4 GB, RF64 above, the same bytes for the same samples.

The layout is EBU Tech 3306's: a ``JUNK`` chunk ahead of ``fmt`` keeps the place of the ``ds64`` chunk, which
holds 64-bit sizes should the file outgrow 32 bits. libsndfile is not used here: the ``PEAK`` chunk that it
adds to float files holds the time of day, and the same samples would not give the same bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from audiogen.audio.layout import AMBISONIC_GUID, EXTENSIBLE, PLAIN_GUID, USUAL, ChannelLayout

BYTES = {"PCM_24": 3, "PCM_16": 2, "PCM_32": 4, "PCM_U8": 1, "FLOAT": 4, "DOUBLE": 8}
"""Bytes per sample of each subtype; the first is the default."""

PCM, IEEE_FLOAT = 0x0001, 0x0003
RIFF_LIMIT = 0xFFFFFFFF  # bytes after the first eight
IN_DS64 = 0xFFFFFFFF  # a size that is to be found in the ds64 chunk


class WavFile:
    """A WAV file under construction.

    Args:
        path: the file, which is overwritten.
        sample_rate: Hz.
        channels: samples per frame.
        subtype: a key of `BYTES`.
        layout: what the channels are for; None for the usual.
    """

    def __init__(
        self, path: Path, sample_rate: int, channels: int, subtype: str, layout: ChannelLayout | None = None
    ) -> None:
        self._width, self._channels = BYTES[subtype], channels
        self._subtype = subtype
        self._size = 0
        self._format = _format_chunk(sample_rate, channels, subtype, layout)
        self._file = path.open("wb")
        self._file.write(self._header())

    def write(self, values: np.ndarray) -> None:
        """Append ``[time, channels]``: integer codes of the subtype's width, or floats for FLOAT, DOUBLE."""
        self._size += self._file.write(_packed(values, self._subtype))

    def close(self, complete: bool = True) -> None:
        """Fill in the sizes, unless the file is not ``complete`` and will be thrown away, and close it."""
        try:
            if complete:
                if self._size % 2:
                    self._file.write(b"\0")
                self._file.seek(0)
                self._file.write(self._header())
        finally:
            self._file.close()

    def _header(self) -> bytes:
        samples = self._size // (self._width * self._channels)
        fact = struct.pack("<4sII", b"fact", 4, min(samples, IN_DS64))  # only PCM goes without
        fact = b"" if self._subtype.startswith("PCM") else fact
        # WAVE + (JUNK or ds64) + fmt + fact + the data chunk's own head, then the data and its padding byte.
        riff = 4 + 36 + len(self._format) + len(fact) + 8 + self._size + self._size % 2
        if riff <= RIFF_LIMIT:
            head = struct.pack("<4sI4s4sI28x", b"RIFF", riff, b"WAVE", b"JUNK", 28)
            data = struct.pack("<4sI", b"data", self._size)
        else:
            head = struct.pack("<4sI4s4sI", b"RF64", IN_DS64, b"WAVE", b"ds64", 28)
            head += struct.pack("<QQQI", riff, self._size, samples, 0)
            data = struct.pack("<4sI", b"data", IN_DS64)
        return head + self._format + fact + data


def _format_chunk(sample_rate: int, channels: int, subtype: str, layout: ChannelLayout | None) -> bytes:
    """Plain ``fmt`` for usual mono and stereo, which each reader knows; extensible, with a channel mask, beyond."""
    width = BYTES[subtype]
    tag = PCM if subtype.startswith("PCM") else IEEE_FLOAT
    frame = width * channels
    fields = struct.pack("<HIIHH", channels, sample_rate, sample_rate * frame, frame, 8 * width)
    layout = layout or ChannelLayout(USUAL.get(channels, 0))
    if channels <= 2 and layout.usual(channels):
        body = struct.pack("<H", tag) + fields
    else:
        guid = struct.pack("<H", tag) + (AMBISONIC_GUID if layout.ambisonic else PLAIN_GUID)
        body = struct.pack("<H", EXTENSIBLE) + fields + struct.pack("<HHI", 22, 8 * width, layout.mask) + guid
    return struct.pack("<4sI", b"fmt ", len(body)) + body


def _packed(values: np.ndarray, subtype: str) -> bytes:
    if subtype == "PCM_24":
        return np.ascontiguousarray(values, "<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    if subtype == "PCM_U8":
        return (values + 128).astype(np.uint8).tobytes()
    little_endian = {"PCM_16": "<i2", "PCM_32": "<i4", "FLOAT": "<f4", "DOUBLE": "<f8"}
    return values.astype(little_endian[subtype]).tobytes()
