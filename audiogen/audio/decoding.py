"""Opens audio files for decoding: with libsndfile, else with FFmpeg (optional, through PyAV).

Files are opened by content: libsndfile gets a descriptor, never a name, as it would trust the suffix. The samples are
checked in `audiogen.audio.reading`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audiogen.audio.channel_layout import ChannelLayout, layout_in
from audiogen.audio.concatenated import Contents, contents_of, hidden_mpeg
from audiogen.audio.ffmpeg_decoder import FFmpegSource
from audiogen.audio.pcm_decoder import PcmSource, data_position
from audiogen.audio.scanner import Scanner
from audiogen.audio.soundfile_decoder import ConcatenatedSource, SoundfileSource, error_text
from audiogen.errors import InputError
from audiogen.extras import install_command


class Source(Protocol):
    """A file that is being decoded."""

    sample_rate: int
    channels: int
    format: str  # the container, in libsndfile's or FFmpeg's terms
    subtype: str  # the sample format, in libsndfile's terms
    layout: ChannelLayout | None  # if the file states one other than the default
    length: int | None  # samples per channel that the header states, if it does
    error: str  # why decoding stopped before the end; empty if it has not
    remarks: tuple[str, ...]  # warnings about the file as a whole

    def chunks(self) -> Iterator[np.ndarray]:
        """``[channels, time]`` float32 (or float64, as opened), in order, of at most `MAX_CHUNK_VALUES` values.

        Each is valid until the next is asked for: its memory may be reused.
        """

    def close(self) -> None:
        """Close the file."""


def open_source(path: Path, dtype: type[np.float32] | type[np.float64] = np.float32) -> Source:
    """Open a file by its content. Concatenated recordings are decoded one after the other.

    Args:
        path: the file.
        dtype: of the chunks.

    Raises:
        InputError: no such file, not readable, empty, MIDI, or not audio in a known format.
    """
    _require_file(path)
    with Scanner(path) as scanner:
        if scanner.at(0, 4) == b"MThd":
            raise InputError(path, "it is a MIDI file: it contains notes, not audio", "name a recording")
        contents = contents_of(scanner)
        try:
            return _soundfile_source(path, scanner, contents, dtype)
        except RuntimeError as error:
            reason = error_text(error)
        if not contents.parts and (contents := hidden_mpeg(scanner)).parts:
            with suppress(RuntimeError):
                return _soundfile_source(path, scanner, contents, dtype)
        try:
            import av  # noqa: F401
        except ImportError as error:
            cure = f"if it is audio (AAC, M4A, a damaged WAV), `{install_command('decode')}` adds FFmpeg to read it"
            raise InputError(path, f"libsndfile cannot read it ({reason})", cure) from error
        source = FFmpegSource(path, reason, dtype)
        source.layout = layout_in(scanner, source.channels) or source.layout
        return source


def _soundfile_source(path: Path, scanner: Scanner, contents: Contents, dtype: Any) -> Source:
    remarks = _remarks_on(contents)
    if not contents.is_single():
        return ConcatenatedSource(path, scanner, contents.parts, remarks, dtype)
    # A descriptor rather than a Python file: an interruption would be lost in the callbacks of the latter.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        source = SoundfileSource(descriptor, dtype)
    except BaseException:
        os.close(descriptor)
        raise
    source.layout, source.remarks = layout_in(scanner, source.channels) or source.layout, remarks
    position = data_position(scanner, source) if dtype == np.float32 else None
    return source if position is None else PcmSource(source, position)


def _remarks_on(contents: Contents) -> tuple[str, ...]:
    remarks = []
    if contents.sizeless:
        remarks.append("its header does not state the size of the audio; everything after it was read")
    if contents.skipped:
        remarks.append(f"{contents.skipped} bytes that are not MPEG frames were ignored")
    if contents.remainder:
        remarks.append(f"{contents.remainder} bytes of unknown format after the end of the audio were ignored")
    return tuple(remarks)


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
        raise InputError(path, "there is no permission to read it", "change its permissions")
