"""Decoding with FFmpeg (optional, through PyAV), for files that libsndfile cannot open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio.channel_layout import layout_of_names
from audiogen.audio.soundfile_decoder import CHUNK
from audiogen.errors import InputError

ESTIMATED = ("aac", "ac3", "amr", "dts", "eac3", "loas", "mp3", "truehd")
"""Containers of bare frames, whose length FFmpeg estimates from the bit rate."""

LOSSLESS = ("FLAC", "ALAC", "WAVPACK", "TTA", "TAK", "APE", "MP4ALS")
"""Subtypes of lossless FFmpeg codecs, which may have 32 bits; libsndfile names FLAC by its bits instead."""

SUBTYPES = {
    "pcm_u8": "PCM_U8",
    "pcm_s16le": "PCM_16",
    "pcm_s16be": "PCM_16",
    "pcm_s24le": "PCM_24",
    "pcm_s24be": "PCM_24",
    "pcm_s32le": "PCM_32",
    "pcm_s32be": "PCM_32",
    "pcm_f32le": "FLOAT",
    "pcm_f32be": "FLOAT",
    "pcm_f64le": "DOUBLE",
    "pcm_f64be": "DOUBLE",
}
"""FFmpeg codec -> subtype in libsndfile's terms."""


class FFmpegSource:
    """Decodes AAC, M4A, WMA and files with damaged headers with FFmpeg, through PyAV.

    Args:
        path: the file.
        reason: why libsndfile cannot decode it, for messages.
        dtype: of the chunks.

    Raises:
        InputError: FFmpeg cannot decode it either.
    """

    def __init__(self, path: Path, reason: str, dtype: Any = np.float32) -> None:
        import av

        self._container: Any = None
        self._format = "flt" if dtype == np.float32 else "dbl"
        try:
            # No network: FFmpeg may take a text file for a playlist of addresses.
            self._container = av.open(os.fspath(path), options={"protocol_whitelist": "file"})
        except av.error.FFmpegError as error:
            self.close()
            cause = f"it is not audio in a known format (libsndfile: {reason}; FFmpeg: {error.strerror or error})"
            raise InputError(path, cause, "export it as WAV or FLAC") from error
        if not self._container.streams.audio:
            self.close()
            raise InputError(path, "it has no audio stream", "name an audio file")
        self._stream = self._container.streams.audio[0]
        if self._stream.codec_context is None or not self._stream.codec_context.sample_rate:
            self.close()
            cause = f"its codec is unknown (libsndfile: {reason}; FFmpeg has no decoder for it)"
            raise InputError(path, cause, "export it as WAV or FLAC from the program that wrote it")
        self.sample_rate, self.channels = self._stream.rate, self._stream.channels
        self.format, self.subtype = self._container.format.name, _subtype_of(self._stream)
        self.layout = layout_of_names([channel.name for channel in self._stream.layout.channels])
        self.length = self._stated_length()
        self.error = ""
        count = len(self._container.streams.audio)
        self.remarks: tuple[str, ...] = ()
        if count > 1:
            self.remarks = (f"it has {count} audio streams, of which the first was read",)

    def _stated_length(self) -> int | None:
        if self._stream.duration is None or self._stream.time_base is None or self.format in ESTIMATED:
            return None
        return round(self._stream.duration * self._stream.time_base * self.sample_rate)

    def chunks(self) -> Iterator[np.ndarray]:
        # The duration of an MP4 is exact and excludes the padding of the last AAC frame; others are estimates.
        remaining = self.length if self.length is not None and "mp4" in self.format else None
        for block in self._decoded():
            block = block if remaining is None else block[:, :remaining]
            remaining = remaining if remaining is None else remaining - block.shape[1]
            for start in range(0, block.shape[1], CHUNK):
                yield block[:, start : start + CHUNK]

    def _decoded(self) -> Iterator[np.ndarray]:
        import av

        # Interleaved: PyAV 18 reads beyond the planes of eight channels.
        interleaved = av.AudioResampler(format=self._format)
        try:
            for frame in self._container.decode(self._stream):
                for part in interleaved.resample(frame):
                    yield part.to_ndarray().reshape(-1, self.channels).T
        except av.error.FFmpegError as error:
            self.error = str(error.strerror or error)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()


def _subtype_of(stream: Any) -> str:
    """The codec in libsndfile's terms; its own name in capitals if libsndfile has none."""
    name = stream.codec_context.name
    if name.upper() in LOSSLESS and stream.format is not None and stream.format.name.startswith("flt"):
        return "FLOAT"
    return SUBTYPES.get(name, name.upper())
