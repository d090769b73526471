"""Files -> raw pieces of samples: libsndfile first, FFmpeg (optional, by PyAV) for what it cannot open.

libsndfile gets an open descriptor, never a name: a suffix must not mislead. Nothing here judges the samples;
`audiogen.audio.reading` does.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from audiogen.audio.chunks import STREAMED
from audiogen.audio.joined import AUDIBLE, Contents, Part, contents_of, hidden_mpeg
from audiogen.audio.layout import VORBIS_ORDER, ChannelLayout, layout_in, layout_of_names, layout_of_vorbis
from audiogen.audio.quiet import quiet
from audiogen.audio.scanning import Scanner
from audiogen.errors import InputError
from audiogen.extras import install_command

PIECE = 1 << 16
"""Samples per channel of one piece: what is decoded, examined and repaired at a time."""

MOST_IN_A_PIECE = 16 * PIECE
"""Samples over all channels of one piece: those of many channels are shorter."""


class Source(Protocol):
    """A file that is being decoded."""

    sample_rate: int
    channels: int
    format: str
    subtype: str
    layout: ChannelLayout | None  # what the channels are for, where the file states it and it is not the usual
    length: int | None  # samples per channel that the header promises, where it does
    trouble: str  # why decoding stopped before the end; empty while all is well
    remarks: tuple[str, ...]  # what else there is to be said about the file

    def pieces(self) -> Iterator[np.ndarray]:
        """``[channels, time]`` float32 (or float64, as opened), in order, each of `PIECE` samples or fewer."""

    def close(self) -> None:
        """Let go of the file."""


def open_source(path: Path, dtype: type[np.float32] | type[np.float64] = np.float32) -> Source:
    """Open a file by its content. Recordings that lie end to end in it follow one another.

    Raises:
        InputError: no such file, not readable, empty, notes (MIDI), or no audio is recognised in it.
    """
    _require_file(path)
    with Scanner(path) as scanner:
        if scanner.at(0, 4) == b"MThd":
            raise InputError(path, "it is a MIDI file: it holds notes, not sound", "name a recording")
        contents = contents_of(scanner)
        try:
            return _soundfile_source(path, scanner, contents, dtype)
        except RuntimeError as error:
            reason = _last_sentence(error)
        if not contents.parts and (contents := hidden_mpeg(scanner)).parts:
            with suppress(RuntimeError):
                return _soundfile_source(path, scanner, contents, dtype)
        try:
            import av  # noqa: F401
        except ImportError as error:
            cure = f"if it is audio (AAC, M4A, a bad WAV), `{install_command('decode')}` adds FFmpeg to read it"
            raise InputError(path, f"libsndfile cannot read it ({reason})", cure) from error
        source = FFmpegSource(path, reason, dtype)
        source.layout = layout_in(scanner, source.channels) or source.layout
        return source


def _soundfile_source(path: Path, scanner: Scanner, contents: Contents, dtype: Any) -> Source:
    remarks = _remarks_on(contents)
    if not contents.whole():
        return JoinedSource(path, scanner, contents.parts, remarks, dtype)
    # A descriptor rather than a Python file: no callback, in which a Ctrl-C would be lost.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        source = SoundfileSource(descriptor, dtype)
    except BaseException:
        os.close(descriptor)
        raise
    source.layout, source.remarks = layout_in(scanner, source.channels) or source.layout, remarks
    return source


def _remarks_on(contents: Contents) -> tuple[str, ...]:
    said = []
    if contents.sizeless:
        said.append("its header states no size of its samples; all that follows it was read")
    if contents.skipped:
        said.append(f"{contents.skipped} bytes that are not MPEG frames were left out")
    if contents.rest:
        said.append(f"{contents.rest} bytes after the end of the audio are of no known format and were left out")
    return tuple(said)


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
    """WAV (PCM, float, mu-law, ADPCM, RF64), FLAC, OGG, Opus, MP3, AIFF, CAF... by libsndfile.

    Args:
        descriptor: of the open file; closed by `close`, but not when it cannot be decoded.
        dtype: of the pieces.
    """

    def __init__(self, descriptor: int, dtype: Any = np.float32) -> None:
        import soundfile

        self._descriptor, self._dtype = descriptor, dtype
        with quiet():
            self._file = soundfile.SoundFile(descriptor, closefd=False)
        self.sample_rate, self.channels = self._file.samplerate, self._file.channels
        self.format, self.subtype = self._file.format, self._file.subtype
        self.length: int | None = _promised_length(self._file)
        self.trouble = ""
        self.remarks: tuple[str, ...] = ()
        self._order = self._order_of_channels()
        self.layout = None if self._order is None else layout_of_vorbis(self.channels)

    def _order_of_channels(self) -> tuple[int, ...] | None:
        """Where the channels of a WAV are found in Vorbis and Opus, which order them otherwise."""
        if self.format != "OGG" or self.subtype not in ("VORBIS", "OPUS"):
            return None
        if self.subtype == "OPUS":
            head = os.pread(self._descriptor, 4096, 0) if hasattr(os, "pread") else b""
            place = head.find(b"OpusHead")
            if place >= 0 and head[place + 18 : place + 19] not in (b"\0", b"\1"):  # mapping family (RFC 7845, 5.1)
                return None
        return VORBIS_ORDER.get(self.channels)

    def pieces(self) -> Iterator[np.ndarray]:
        buffer = np.empty((max(min(PIECE, MOST_IN_A_PIECE // self.channels), 1), self.channels), self._dtype)
        done = 0
        while not self.trouble:
            try:
                # What follows the end of a FLAC would be an error of the same call.
                left = self.length - done if self.format == "FLAC" and self.length else len(buffer)
                with quiet():
                    count = len(self._file.read(out=buffer[:left]))
            except RuntimeError as error:
                self.trouble = _last_sentence(error)
                count = self._decoded_before_error(done, len(buffer))
            if count == 0:
                return
            done += count
            piece = buffer[:count].T if self._order is None else buffer[:count].T[list(self._order)]
            yield piece.copy()  # a mono view of the buffer would be overwritten
            if self.format == "FLAC" and done == self.length:
                self._look_behind_flac()
                return

    def _look_behind_flac(self) -> None:
        """Remark on what follows the last frame; libFLAC has read a few kilobytes of it by now."""
        rest = os.fstat(self._descriptor).st_size - os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if rest >= AUDIBLE and os.read(self._descriptor, 1 << 20).strip(b"\0"):
            self.remarks += (f"more than {rest} bytes after the end of the audio were left out",)

    def _decoded_before_error(self, done: int, most: int) -> int:
        """How much of the buffer was filled before the decoder gave up (a FLAC that was cut short)."""
        try:
            return min(max(self._file.tell() - done, 0), most)
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


class JoinedSource:
    """Recordings that lie end to end in one file, each decoded from a temporary file of its own.

    Those that have another sample rate or number of channels than the first are left out, with a remark.

    Raises:
        RuntimeError: libsndfile reads none of them.
    """

    def __init__(
        self, path: Path, scanner: Scanner, parts: tuple[Part, ...], remarks: tuple[str, ...], dtype: Any
    ) -> None:
        self._path, self._dtype = path, dtype
        self.trouble = ""
        self._parts: list[Part] = []
        first: SoundfileSource | None = None
        self.length: int | None = 0
        others: Counter[str] = Counter()
        trouble: RuntimeError | None = None
        for part in parts:
            try:
                source = _extracted(scanner, part, dtype)
            except RuntimeError as error:
                trouble = error
                others["cannot be decoded"] += 1
                continue
            source.close()
            first = first or source
            if (source.sample_rate, source.channels) != (first.sample_rate, first.channels):
                others[f"{source.channels} channels at {source.sample_rate} Hz"] += 1
                continue
            self._parts.append(part)
            self.length = None if self.length is None or source.length is None else self.length + source.length
        if first is None:
            raise trouble or RuntimeError("no audio")
        self.sample_rate, self.channels = first.sample_rate, first.channels
        self.format, self.subtype = first.format, first.subtype
        self.layout = layout_in(scanner, self.channels) or first.layout
        if others:
            what = ", ".join(f"{count} of them: {kind}" for kind, count in others.items())
            kept = f"the first: {self.channels} channels at {self.sample_rate} Hz"
            cure = "split the file to use them"
            remarks = (
                *remarks,
                f"of {len(parts)} recordings joined in it, some were left out ({what}; {kept}); {cure}",
            )
        self.remarks = remarks

    def pieces(self) -> Iterator[np.ndarray]:
        with Scanner(self._path) as scanner:
            for part in self._parts:
                source = _extracted(scanner, part, self._dtype)
                try:
                    yield from source.pieces()
                finally:
                    source.close()
                self.trouble = self.trouble or source.trouble
                self.remarks += source.remarks

    def close(self) -> None:
        """Nothing is kept open."""


def _extracted(scanner: Scanner, part: Part, dtype: Any) -> SoundfileSource:
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
        for place in range(*piece, PIECE):
            file.write(scanner.at(place, min(PIECE, piece[1] - place)))
    file.flush()


class FFmpegSource:
    """AAC, M4A, WMA, damaged headers... by FFmpeg, through PyAV."""

    def __init__(self, path: Path, refusal: str, dtype: Any = np.float32) -> None:
        import av

        self._container: Any = None
        self._format = "flt" if dtype == np.float32 else "dbl"
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
        if self._stream.codec_context is None or not self._stream.codec_context.sample_rate:
            self.close()
            cause = f"its codec is not known (libsndfile: {refusal}; FFmpeg has no decoder for it either)"
            raise InputError(path, cause, "export it as WAV or FLAC with the program that made it")
        self.sample_rate, self.channels = self._stream.rate, self._stream.channels
        self.format, self.subtype = self._container.format.name, _subtype_of(self._stream)
        self.layout = layout_of_names([channel.name for channel in self._stream.layout.channels])
        self.length = self._promised_length()
        self.trouble = ""
        count = len(self._container.streams.audio)
        self.remarks: tuple[str, ...] = ()
        if count > 1:
            self.remarks = (f"it holds {count} audio streams, of which the first was read",)

    def _promised_length(self) -> int | None:
        if self._stream.duration is None or self._stream.time_base is None or self.format in ESTIMATED:
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

        # Interleaved: PyAV 18 reads beyond the planes of eight channels.
        interleaved = av.AudioResampler(format=self._format)
        try:
            for frame in self._container.decode(self._stream):
                for part in interleaved.resample(frame):
                    yield part.to_ndarray().reshape(-1, self.channels).T
        except av.error.FFmpegError as error:
            self.trouble = str(error.strerror or error)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()


ESTIMATED = ("aac", "ac3", "amr", "dts", "eac3", "loas", "mp3", "truehd")
"""Containers that are no more than frames: FFmpeg guesses their length by the bit rate."""

LOSSLESS = ("FLAC", "ALAC", "WAVPACK", "TTA", "TAK", "APE", "MP4ALS")
"""Subtypes of FFmpeg's codecs that may have 32 bits; the FLAC of libsndfile is called by its bits."""

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
    if name.upper() in LOSSLESS and stream.format is not None and stream.format.name.startswith("flt"):
        return "FLOAT"
    return SUBTYPES.get(name, name.upper())
