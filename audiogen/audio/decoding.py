"""Files -> raw pieces of samples: libsndfile first, FFmpeg (optional, by PyAV) for what it cannot open.

libsndfile gets an open descriptor, never a name: a suffix must not mislead. Nothing here judges the samples;
`audiogen.audio.reading` does.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audiogen.errors import InputError
from audiogen.extras import install_command

PIECE = 1 << 16
"""Samples per channel of one piece: what is decoded, examined and repaired at a time."""

STREAMED = 0x7FFF0000
"""A WAV data size from here on was left by a writer that streams and does not know its length."""


class Source(Protocol):
    """A file that is being decoded."""

    sample_rate: int
    channels: int
    format: str
    subtype: str
    length: int | None  # samples per channel that the header promises, where it does
    trouble: str  # why decoding stopped before the end; empty while all is well

    def pieces(self) -> Iterator[np.ndarray]:
        """``[channels, time]`` float32, in order, each of `PIECE` samples or fewer."""

    def close(self) -> None:
        """Let go of the file."""


def open_source(path: Path) -> Source:
    """Open a file by its content.

    Raises:
        InputError: no such file, not readable, empty, notes (MIDI), or no audio is recognised in it.
    """
    _require_file(path)
    with path.open("rb") as file:
        if file.read(4) == b"MThd":
            raise InputError(path, "it is a MIDI file: it holds notes, not sound", "name a recording")
    try:
        return SoundfileSource(path)
    except RuntimeError as error:
        reason = _last_sentence(error)
    try:
        import av  # noqa: F401
    except ImportError as error:
        cure = f"if it is audio (AAC, M4A, a bad WAV), `{install_command('decode')}` adds FFmpeg to read it"
        raise InputError(path, f"libsndfile cannot read it ({reason})", cure) from error
    return FFmpegSource(path, reason)


def _require_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise InputError(path, "there is no such file", "check the name") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(path, f"it cannot be opened ({error})", "check its name and permissions") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(path, "it is a folder", "name one audio file")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(path, "it is not a regular file", "save the audio to a file first")
    if status.st_size == 0:
        raise InputError(path, "the file is empty (0 bytes)", "export or download it again")
    if not os.access(path, os.R_OK):
        raise InputError(path, "you may not read it", "change its permissions")


def _last_sentence(error: Exception) -> str:
    """libsndfile's own words, without the descriptor that soundfile puts before them."""
    return str(getattr(error, "error_string", error)).removeprefix("Error : ").strip().rstrip(".")


class SoundfileSource:
    """WAV (PCM, float, mu-law, ADPCM, RF64), FLAC, OGG, Opus, MP3, AIFF, CAF... by libsndfile."""

    def __init__(self, path: Path) -> None:
        import soundfile

        # A descriptor rather than a Python file: no callback, in which a Ctrl-C would be lost.
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            self._file = soundfile.SoundFile(self._descriptor, closefd=False)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.sample_rate, self.channels = self._file.samplerate, self._file.channels
        self.format, self.subtype = self._file.format, self._file.subtype
        self.length: int | None = _promised_length(self._file)
        self.trouble = ""

    def pieces(self) -> Iterator[np.ndarray]:
        buffer = np.empty((PIECE, self.channels), np.float32)
        done = 0
        while not self.trouble:
            try:
                count = len(self._file.read(out=buffer))
            except RuntimeError as error:
                self.trouble = _last_sentence(error)
                count = self._decoded_before_error(done)
            if count == 0:
                return
            done += count
            yield buffer[:count].T.copy()  # a mono view of the buffer would be overwritten

    def _decoded_before_error(self, done: int) -> int:
        """How much of the buffer was filled before the decoder gave up (a FLAC that was cut short)."""
        try:
            return min(max(self._file.tell() - done, 0), PIECE)
        except RuntimeError:
            return 0

    def close(self) -> None:
        if not self._file.closed:
            self._file.close()
            os.close(self._descriptor)


def _promised_length(file: Any) -> int | None:
    """Samples per channel by the header; libsndfile's own count is already cut to the size of the file.

    Its log says so, in the line "data : 1152000 (should be 383970)".
    """
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if not found:
        return file.frames
    promised, there = int(found[1]), int(found[2])
    if promised <= there or promised >= STREAMED:
        return file.frames
    return round(file.frames * promised / there) if there else None


class FFmpegSource:
    """AAC, M4A, WMA, damaged headers... by FFmpeg, through PyAV."""

    def __init__(self, path: Path, refusal: str) -> None:
        import av

        self._container: Any = None
        try:
            # No network: to FFmpeg a text file may be a playlist of addresses.
            self._container = av.open(os.fspath(path), options={"protocol_whitelist": "file"})
        except av.error.FFmpegError as error:
            self.close()
            cause = f"no audio is recognised in it (libsndfile: {refusal}; FFmpeg: {error.strerror or error})"
            raise InputError(path, cause, "export it as WAV or FLAC") from error
        if not self._container.streams.audio:
            self.close()
            raise InputError(path, "there is no audio in it", "name an audio file")
        self._stream = self._container.streams.audio[0]
        self.sample_rate, self.channels = self._stream.rate, self._stream.channels
        self.format, self.subtype = self._container.format.name, _subtype_of(self._stream)
        self.length = self._promised_length()
        self.trouble = ""

    def _promised_length(self) -> int | None:
        if self._stream.duration is None or self._stream.time_base is None:
            return None
        return round(self._stream.duration * self._stream.time_base * self.sample_rate)

    def pieces(self) -> Iterator[np.ndarray]:
        # An MP4's duration is exact and excludes the padding of the last AAC frame; others only estimate.
        left = self.length if self.length is not None and "mp4" in self.format else None
        for block in self._decoded():
            block = block if left is None else block[:, :left]
            left = left if left is None else left - block.shape[1]
            for start in range(0, block.shape[1], PIECE):
                yield block[:, start : start + PIECE]

    def _decoded(self) -> Iterator[np.ndarray]:
        import av

        planar_float = av.AudioResampler(format="fltp")
        try:
            for frame in self._container.decode(self._stream):
                for part in planar_float.resample(frame):
                    yield part.to_ndarray()
        except av.error.FFmpegError as error:
            self.trouble = str(error.strerror or error)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()


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


def _subtype_of(stream: Any) -> str:
    """FFmpeg's codec in libsndfile's words; the codec's own name for what libsndfile has none for."""
    name = stream.codec_context.name
    return SUBTYPES.get(name, name.upper())
