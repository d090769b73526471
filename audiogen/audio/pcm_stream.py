"""Samples of an endless signal as bytes: raw PCM, or a WAV whose header states no length."""

from __future__ import annotations

import struct

import numpy as np

from audiogen.audio.channel_layout import ChannelLayout
from audiogen.audio.wav_writer import IN_DS64, format_chunk, packed

FORMATS = {"wav": "PCM_16", "wav-f32": "FLOAT", "s16": "PCM_16", "f32": "FLOAT"}
"""Name -> sample format; little-endian, channels interleaved. Those that begin with ``wav`` have a header."""


class PcmEncoder:
    """Encodes a signal block by block.

    Integers are rounded with triangular dither, as `Writer` does, and clipped at full scale; floats are kept.

    Args:
        kind: a key of `FORMATS`.
        sample_rate: Hz.
        channels: rows of each block.
        layout: loudspeaker positions of the channels; None for the default.
        dither_seed: random seed of the dither.
    """

    def __init__(
        self, kind: str, sample_rate: int, channels: int, layout: ChannelLayout | None = None, dither_seed: int = 0
    ) -> None:
        self.kind, self.subtype = kind, FORMATS[kind]
        self._format = format_chunk(sample_rate, channels, self.subtype, layout)
        self._noise = np.random.default_rng(dither_seed)

    def header(self) -> bytes:
        """What comes before the samples: nothing for raw PCM. Sizes are the largest there are, as for live WAVs."""
        if not self.kind.startswith("wav"):
            return b""
        data = struct.pack("<4sI", b"data", IN_DS64)
        return struct.pack("<4sI4s", b"RIFF", IN_DS64, b"WAVE") + self._format + data

    def encode(self, block: np.ndarray) -> bytes:
        """The bytes of ``[channels, time]`` samples."""
        samples = np.ascontiguousarray(block.T)
        if self.subtype == "FLOAT":
            return packed(samples, "FLOAT")
        steps = samples.astype(np.float64) * 2**15
        silent = ~samples.any()  # digital silence stays so
        if not silent:
            uniform = self._noise.random((*steps.shape, 2), dtype=np.float32)
            steps += uniform[..., 0] - uniform[..., 1]
        return packed(np.clip(np.rint(steps), -(2**15), 2**15 - 1).astype(np.int32), self.subtype)
