"""Decoding with libsndfile: `SoundfileSource` and, for several recordings in one file, `ConcatenatedSource`."""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from audiogen.audio.channel_layout import VORBIS_ORDER, layout_in, layout_of_vorbis
from audiogen.audio.concatenated import MIN_REMAINDER, Part
from audiogen.audio.riff_chunks import STREAMED
from audiogen.audio.scanner import Scanner
from audiogen.audio.suppress_stderr import suppress_c_stderr

CHUNK = 1 << 16
"""Samples per channel that are converted or written at a time."""

MAX_CHUNK_VALUES = 16 * CHUNK
"""Samples over all channels that are decoded, checked and repaired at a time."""


def error_text(error: Exception) -> str:
    """libsndfile's message, without the descriptor that soundfile puts before it."""
    return str(getattr(error, "error_string", error)).removeprefix("Error : ").strip().rstrip(".")


class SoundfileSource:
    """Decodes WAV (PCM, float, mu-law, ADPCM, RF64), FLAC, OGG, Opus, MP3, AIFF, CAF and others with libsndfile.

    Args:
        descriptor: of the open file; closed by `close`, but not if the constructor raises.
        dtype: of the chunks.

    Raises:
        RuntimeError: libsndfile cannot decode the file.
    """

    def __init__(self, descriptor: int, dtype: Any = np.float32) -> None:
        self.descriptor, self._dtype = descriptor, dtype
        with suppress_c_stderr():
            self._file = _sequential_file(descriptor)
        self.sample_rate, self.channels = self._file.samplerate, self._file.channels
        self.format, self.subtype = self._file.format, self._file.subtype
        self.length: int | None = _stated_length(self._file)
        self.error = ""
        self.remarks: tuple[str, ...] = ()
        self._order = self._order_of_channels()
        self.layout = None if self._order is None else layout_of_vorbis(self.channels)

    def _order_of_channels(self) -> tuple[int, ...] | None:
        """For each channel in WAV order, its index in the file; None if it is the same."""
        if self.format != "OGG" or self.subtype not in ("VORBIS", "OPUS"):
            return None
        if self.subtype == "OPUS":
            head = os.pread(self.descriptor, 4096, 0) if hasattr(os, "pread") else b""
            position = head.find(b"OpusHead")
            mapping_family = head[position + 18 : position + 19]  # RFC 7845, 5.1
            if position >= 0 and mapping_family not in (b"\0", b"\1"):
                return None
        return VORBIS_ORDER.get(self.channels)

    def chunks(self) -> Iterator[np.ndarray]:
        # Longer than other chunks: after each call the caches are cold, which takes 4 of 80 ms a minute of Ogg.
        size = max(MAX_CHUNK_VALUES // self.channels, 1)
        buffer = np.empty((size, self.channels), self._dtype)
        done = 0
        while not self.error:
            try:
                # Reading beyond the end of a FLAC would be an error.
                remaining = self.length - done if self.format == "FLAC" and self.length else len(buffer)
                with suppress_c_stderr():
                    count = self._file.buffer_read_into(buffer[:remaining], self._dtype.__name__)
            except RuntimeError as error:
                self.error = error_text(error)
                count = self._decoded_before_error(done, len(buffer))
            if count == 0:
                return
            done += count
            yield buffer[:count].T if self._order is None else buffer[:count].T[list(self._order)]
            if self.format == "FLAC" and done == self.length:
                self._check_remainder_of_flac()
                return

    def _check_remainder_of_flac(self) -> None:
        """Remark on bytes after the last frame, a few kilobytes of which libFLAC has read already."""
        remainder = os.fstat(self.descriptor).st_size - os.lseek(self.descriptor, 0, os.SEEK_CUR)
        if remainder >= MIN_REMAINDER and os.read(self.descriptor, 1 << 20).strip(b"\0"):
            self.remarks += (f"more than {remainder} bytes after the end of the audio were ignored",)

    def _decoded_before_error(self, done: int, size: int) -> int:
        """Samples in the buffer of ``size`` that were decoded before the error (in a truncated FLAC)."""
        try:
            return min(max(self._file.tell() - done, 0), size)
        except RuntimeError:
            return 0

    def close(self) -> None:
        if not self._file.closed:
            self._file.close()
            os.close(self.descriptor)


def _sequential_file(descriptor: int) -> Any:
    """A `soundfile.SoundFile` that does not seek after each read to where it is already: long, in an MP3."""
    import soundfile

    class SequentialFile(soundfile.SoundFile):
        def seekable(self) -> bool:
            return False

    return SequentialFile(descriptor, closefd=False)


def _stated_length(file: Any) -> int | None:
    """Samples per channel that the header states; libsndfile's own count is limited by the size of the file.

    Its log has the stated size, in the line "data : 1152000 (should be 383970)".
    """
    match = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if not match:
        return file.frames
    stated, actual = int(match[1]), int(match[2])
    if stated <= actual or stated >= STREAMED:
        return file.frames
    return round(file.frames * stated / actual) if actual else None


class ConcatenatedSource:
    """Decodes concatenated recordings, each from a temporary file of its own.

    Recordings with another sample rate or number of channels than the first are skipped, with a remark.

    Args:
        path: the file.
        scanner: of the file.
        parts: the recordings.
        remarks: on the file.
        dtype: of the chunks.

    Raises:
        RuntimeError: libsndfile can decode none of them.
    """

    def __init__(
        self, path: Path, scanner: Scanner, parts: tuple[Part, ...], remarks: tuple[str, ...], dtype: Any
    ) -> None:
        self._path, self._dtype = path, dtype
        self.error = ""
        self._parts: list[Part] = []
        first: SoundfileSource | None = None
        self.length: int | None = 0
        skipped: Counter[str] = Counter()
        last_error: RuntimeError | None = None
        for part in parts:
            try:
                source = _extract(scanner, part, dtype)
            except RuntimeError as error:
                last_error = error
                skipped["cannot be decoded"] += 1
                continue
            source.close()
            first = first or source
            if (source.sample_rate, source.channels) != (first.sample_rate, first.channels):
                skipped[f"{source.channels} channels at {source.sample_rate} Hz"] += 1
                continue
            self._parts.append(part)
            self.length = None if self.length is None or source.length is None else self.length + source.length
        if first is None:
            raise last_error or RuntimeError("no audio")
        self.sample_rate, self.channels = first.sample_rate, first.channels
        self.format, self.subtype = first.format, first.subtype
        self.layout = layout_in(scanner, self.channels) or first.layout
        if skipped:
            which = ", ".join(f"{count}: {kind}" for kind, count in skipped.items())
            first_is = f"the first: {self.channels} channels at {self.sample_rate} Hz"
            cure = "split the file to use them"
            remarks = (
                *remarks,
                f"of {len(parts)} concatenated recordings, some were skipped ({which}; {first_is}); {cure}",
            )
        self.remarks = remarks

    def chunks(self) -> Iterator[np.ndarray]:
        with Scanner(self._path) as scanner:
            for part in self._parts:
                source = _extract(scanner, part, self._dtype)
                try:
                    yield from source.chunks()
                finally:
                    source.close()
                self.error = self.error or source.error
                self.remarks += source.remarks

    def close(self) -> None:
        """Do nothing: no file is kept open."""


def _extract(scanner: Scanner, part: Part, dtype: Any) -> SoundfileSource:
    with tempfile.TemporaryFile() as file:
        _copy(scanner, part, file)
        descriptor = os.dup(file.fileno())
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return SoundfileSource(descriptor, dtype)
    except BaseException:
        os.close(descriptor)
        raise


def _copy(scanner: Scanner, part: Part, file: BinaryIO) -> None:
    for piece in part.pieces:
        if isinstance(piece, bytes):
            file.write(piece)
            continue
        for position in range(*piece, CHUNK):
            file.write(scanner.at(position, min(CHUNK, piece[1] - position)))
    file.flush()
