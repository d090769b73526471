"""Decodes plain WAV files without libsndfile, which converts one sample at a time: numpy does it several times faster.

Only files about which there is nothing to decide: one intact ``data`` chunk of 16 or 24-bit integers or 32-bit floats
that agrees with what libsndfile reports. All others are libsndfile's.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator

import numpy as np

from audiogen.audio.riff_chunks import chunks
from audiogen.audio.scanner import Scanner
from audiogen.audio.soundfile_decoder import CHUNK, MAX_CHUNK_VALUES, SoundfileSource

BYTES = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}
"""Sample formats in libsndfile's terms -> bytes of a sample."""

UNIT = np.float32(2.0**-31)
"""Value of a step of the 32-bit integers whose upper bits a sample fills, at full scale 1."""

ALIGNMENT = 16
"""Bytes before the samples in memory: one for `_from_24_bits`, and the others so that integers stay aligned."""


def data_position(scanner: Scanner, source: SoundfileSource) -> int | None:
    """Where the samples of a plain WAV file start; None if libsndfile has to decode it."""
    size = BYTES.get(source.subtype)
    if size is None or sys.byteorder != "little" or not hasattr(os, "preadv"):
        return None
    if scanner.at(0, 4) != b"RIFF" or scanner.at(8, 4) != b"WAVE":
        return None
    block = None
    for chunk in chunks(scanner, 0):
        if chunk.name == b"fmt ":
            block = struct.unpack("<H", scanner.at(chunk.position + 12, 2).ljust(2, b"\0"))[0]
        if chunk.name == b"data":
            stated = (source.length or 0) * source.channels * size
            whole = not chunk.open_ended and chunk.position + chunk.size <= scanner.size
            fits = block == source.channels * size and 0 <= chunk.size - stated < block
            return chunk.position if whole and fits else None
    return None


class PcmSource:
    """Decodes the samples of a plain WAV file.

    Args:
        source: the file as libsndfile has opened it; closed by `close`.
        position: of the samples in the file, from `data_position`.
    """

    def __init__(self, source: SoundfileSource, position: int) -> None:
        self._source, self._position = source, position
        self.sample_rate, self.channels, self.length = source.sample_rate, source.channels, source.length
        self.format, self.subtype, self.layout = source.format, source.subtype, source.layout
        self.error, self.remarks = source.error, source.remarks

    def close(self) -> None:
        self._source.close()

    def chunks(self) -> Iterator[np.ndarray]:
        assert self.length is not None
        width = BYTES[self.subtype] * self.channels
        size = max(min(CHUNK, MAX_CHUNK_VALUES // self.channels), 1)
        buffer, position = np.zeros(ALIGNMENT + size * width, np.uint8), self._position
        raw = buffer[ALIGNMENT:]
        chunk, integers = np.empty((self.channels, size), np.float32), np.empty((self.channels, size), np.int32)
        remaining = self.length
        while remaining:
            read = os.preadv(self._source.descriptor, [raw[: min(size, remaining) * width].data], position)
            count = read // width
            if count == 0:  # shortened since it was opened
                return
            found, integer = chunk[:, :count], integers[:, :count]
            if self.subtype == "PCM_16":
                _from_16_bits(raw[: count * width].view(np.int16).reshape(count, -1), integer, found)
            elif self.subtype == "PCM_24":
                _from_24_bits(buffer[ALIGNMENT - 1 : ALIGNMENT + count * width], integer, found)
            else:
                found = raw[: count * width].view(np.float32).reshape(count, -1).T
            yield found
            position, remaining = position + count * width, remaining - count


def _from_16_bits(samples: np.ndarray, integers: np.ndarray, out: np.ndarray) -> None:
    """Convert ``[time, channels]``; two channels as halves of 32-bit integers, which keeps the reads contiguous."""
    if out.shape[0] != 2:
        np.multiply(samples.T, np.float32(2.0**-15), out=out)
        return
    pairs = samples.view(np.int32)[:, 0]
    np.left_shift(pairs, 16, out=integers[0])
    np.bitwise_and(pairs, -(1 << 16), out=integers[1])
    np.copyto(out, integers, casting="unsafe")
    np.multiply(out, UNIT, out=out)


def _from_24_bits(data: np.ndarray, integers: np.ndarray, out: np.ndarray) -> None:
    """Convert the bytes of ``[time, channels]`` after the first byte, which makes 32 bits of the first sample."""
    channels, time = out.shape
    np.copyto(integers, np.ndarray((channels, time), np.int32, data, strides=(3, 3 * channels)))
    np.bitwise_and(integers, -(1 << 8), out=integers)  # the lowest byte is the end of the sample before
    np.copyto(out, integers, casting="unsafe")
    np.multiply(out, UNIT, out=out)
