"""Recordings -> files: quantised and dithered here, streamed beside the target, renamed when complete."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from audiogen.audio.decoding import LOSSLESS
from audiogen.audio.layout import ChannelLayout, vorbis_order
from audiogen.audio.reading import exact_blocks
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.audio.wav import BYTES, WavFile
from audiogen.errors import InputError

CONTAINERS: dict[str, tuple[str, tuple[str, ...]]] = {
    ".wav": ("WAV", tuple(BYTES)),
    ".flac": ("FLAC", ("PCM_24", "PCM_16")),
    ".ogg": ("OGG", ("VORBIS", "OPUS")),
    ".opus": ("OGG", ("OPUS",)),
    ".mp3": ("MP3", ("MPEG_LAYER_III",)),
}
"""Suffix -> (libsndfile's name of the container, its subtypes, the default first)."""

BITS = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
DITHERED = ("PCM_U8", "PCM_16", "PCM_24")  # float32 samples have 24 bits: 32 lose nothing that is worth noise
UNLIMITED = ("FLOAT", "DOUBLE")  # hold samples beyond full scale
WIDE = ("FLOAT", *LOSSLESS)  # may hold what 24 bits cannot
KEPT_AS = {"PCM_32": "PCM_32", "ALAC_32": "PCM_32", "DOUBLE": "DOUBLE", "PCM_S64LE": "DOUBLE", "PCM_S64BE": "DOUBLE"}
"""Subtypes of files with more bits than a float32 has -> the subtype of a WAV that keeps them."""

MEANT = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "FLOAT", *KEPT_AS, *LOSSLESS)
"""Subtypes whose samples are as they were meant to the last bit; what lossy codecs decode to is not."""
CHUNK = 1 << 16  # samples per channel that are quantised at a time


def container_for(path: Path, subtype: str | None = None) -> tuple[str, str]:
    """``(container, subtype)`` for a file name; the container's default when no subtype is asked for.

    Raises:
        InputError: for an unknown suffix, or a subtype that the container does not have; lists the choices.
    """
    if path.suffix.lower() not in CONTAINERS:
        raise InputError(path, f"unknown suffix {path.suffix!r}", f"choose from {', '.join(CONTAINERS)}")
    container, subtypes = CONTAINERS[path.suffix.lower()]
    if subtype is not None and subtype not in subtypes:
        cause = f"a {path.suffix} file cannot hold subtype {subtype}"
        raise InputError(path, cause, f"choose from {', '.join(subtypes)}")
    return container, subtype or subtypes[0]


def subtype_for(recording: Recording, path: str | os.PathLike[str] = "out.wav") -> str:
    """The subtype that keeps a prompt's samples, for a file with the suffix of ``path``.

    It is the container's default (24 bits for WAV and FLAC), except, where the container has it, the file's own for
    32-bit integers and doubles, and "FLOAT" for samples beyond full scale and for those of a float file that do not
    lie on the 24-bit grid.
    """
    path = Path(path)
    subtype, held = container_for(path)[1], CONTAINERS[path.suffix.lower()][1]
    own = _kept_as(recording) or "FLOAT"
    if own not in held or (recording.subtype not in KEPT_AS and _fits_24_bits(recording)):
        return subtype
    return own if own in UNLIMITED or float(np.abs(recording.samples).max(initial=0.0)) <= 1.0 else "FLOAT"


def _kept_as(recording: Recording) -> str | None:
    """The subtype of a WAV that keeps what 24 bits may not, where the recording's file has that."""
    if recording.subtype in LOSSLESS:
        return "PCM_32"
    return "FLOAT" if recording.subtype == "FLOAT" else KEPT_AS.get(recording.subtype or "")


def _fits_24_bits(recording: Recording) -> bool:
    wide = recording.subtype in WIDE
    for start in range(0, recording.length, CHUNK):
        codes = recording.samples[:, start : start + CHUNK].astype(np.float64) * 2**23
        if np.abs(codes).max(initial=0.0) > 2**23:
            return False
        if wide and (codes.max(initial=0.0) > 2**23 - 1 or np.any(codes != np.rint(codes))):
            return False
    return True


class Sink(Protocol):
    """A file under construction that takes ``[time, channels]`` codes or floats."""

    def write(self, values: np.ndarray) -> None: ...

    def close(self, complete: bool = True) -> None: ...


class SoundfileSink:
    """FLAC, OGG, Opus and MP3 by libsndfile. Integer codes of the subtype's width, or floats."""

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        channels: int,
        container: str,
        subtype: str,
        layout: ChannelLayout | None = None,
    ) -> None:
        import soundfile

        self._path, self._length = path, 0
        self._file = soundfile.SoundFile(
            os.fspath(path), "w", samplerate=sample_rate, channels=channels, format=container, subtype=subtype
        )
        self._shift = 32 - BITS.get(subtype, 32)  # libsndfile takes the topmost bits of an int32
        # Vorbis and Opus order their channels otherwise than all else, which libsndfile leaves to its caller.
        order = vorbis_order(channels, layout) if container == "OGG" else None
        self._order = None if order is None else np.argsort(order)

    def write(self, values: np.ndarray) -> None:
        integral = np.issubdtype(values.dtype, np.integer)
        values = values if self._order is None else np.ascontiguousarray(values[:, self._order])
        try:
            self._file.write(np.left_shift(values, self._shift) if integral else values)
        except (RuntimeError, AssertionError) as error:  # soundfile asserts that all was written
            raise OSError(f"writing failed ({error or 'the disk may be full'})") from error
        self._length += len(values)

    def close(self, complete: bool = True) -> None:
        self._file.close()
        if complete and self._length:
            self._require_end()

    def _require_end(self) -> None:
        """Decode the end of what was written: at a full disk libsndfile's encoders fail without a word."""
        import soundfile

        start = max(0, self._length - 2048)
        try:
            with soundfile.SoundFile(os.fspath(self._path)) as file:
                file.seek(start)
                there = start + len(file.read(2048))
        except RuntimeError:
            there = 0
        if there < self._length:
            raise OSError("writing failed (the end of the file is missing: the disk may be full)")


class _Rehearsed(Exception):
    """Ends a rehearsal: what a `Writer` has begun is taken back on any exception."""


class Writer:
    """Writes an audio file in blocks, in bounded memory; under its name it appears complete or not at all.

    Use with ``with``: blocks go to a hidden file beside the target, which takes the target's name at a clean
    end and is removed on any exception, Ctrl-C included. An existing target is replaced.

    Samples are rounded to the nearest code; those beyond full scale are clipped at the rails, counted, and
    warned of at the end. Where bits are lost (8, 16 and 24), triangular dither, the difference of two uniform
    draws of one step each, makes mean and variance of the error independent of the sound (Lipshitz,
    Wannamaker & Vanderkooy 1992, J. Audio Eng. Soc. 40(5)); not in ``exact`` blocks. The draws are spent on
    dithered samples only, so neither the sizes of the blocks nor an exact part before them changes a byte.

    Args:
        path: the file; its suffix names the container (a key of `CONTAINERS`).
        sample_rate: Hz.
        channels: rows of each block.
        subtype: how samples are stored; None is the container's default, PCM_24 for WAV and FLAC.
        dither_seed: seed of the dither.
        layout: what the channels are for; None for the usual.
        silent: channels of digital silence, which dither does not fill.

    Raises:
        InputError: unknown suffix or subtype, no such folder, a rate or channels that the container refuses.
        OSError: the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        channels: int,
        subtype: str | None = None,
        dither_seed: int = 0,
        layout: ChannelLayout | None = None,
        silent: Sequence[int] = (),
    ) -> None:
        self.path = Path(path)
        self._container, self.subtype = container_for(self.path, subtype)
        if self.path.is_dir():
            raise InputError(self.path, "it is a folder", "name a file")
        if not self.path.parent.is_dir():
            raise InputError(self.path, "its folder does not exist", f"create {self.path.parent} first")
        self.sample_rate, self.channels = sample_rate, channels
        self.length = 0  # samples per channel written so far
        self.clipped = 0  # samples, over all channels, that were clipped
        self.rounded = 0  # samples of recordings, over all channels, that the subtype cannot hold
        self._layout, self._silent = layout, list(silent)
        self._kept_as, self._counts = "", False  # what would hold them; whether they are counted just now
        self._peak = 0.0
        self._noise = np.random.Generator(np.random.PCG64(dither_seed))
        self._part = self.path.with_name(f".audiogen-{secrets.token_hex(6)}.part")
        self._sink: Sink | None = None

    def __enter__(self) -> Writer:
        try:
            self._sink = self._open()
        except OSError as error:
            cause = f"it cannot be written ({error.strerror})"
            raise InputError(self.path, cause, "check its folder") from error
        except RuntimeError as error:  # libsndfile's
            self._part.unlink(missing_ok=True)
            asked = f"{self.channels} channels at {self.sample_rate} Hz as {self._container} {self.subtype}"
            reason = getattr(error, "error_string", error)
            raise InputError(self.path, f"cannot write {asked} ({reason})", "write a .wav") from error
        except BaseException:  # Ctrl-C just now
            self._part.unlink(missing_ok=True)
            raise
        return self

    def rehearse(self) -> None:
        """Raise what ``with`` would, before any work is done; nothing is written and nothing is left behind."""
        with suppress(_Rehearsed), self:
            raise _Rehearsed

    def _open(self) -> Sink:
        if self._container == "WAV":
            return WavFile(self._part, self.sample_rate, self.channels, self.subtype, self._layout)
        return SoundfileSink(self._part, self.sample_rate, self.channels, self._container, self.subtype, self._layout)

    def append(self, recording: Recording) -> None:
        """Append a Recording without dither, with all the bits of its file, where the subtype has them.

        What is rounded although its file meant it to the last bit is counted, and warned of at the end.
        """
        self._kept_as = _kept_as(recording) or "PCM_24"
        self._counts = recording.subtype in MEANT
        try:
            for block in exact_blocks(recording):
                self.write(block, exact=True)
        finally:
            self._counts = False

    def write(self, block: np.ndarray, exact: bool = False) -> None:
        """Append ``[channels, time]`` float samples.

        Args:
            block: full scale is -1..1.
            exact: round without dither, so that samples that the subtype can represent are kept bit for bit.

        Raises:
            ValueError: another shape, samples that are not finite, or a Writer that is not open.
        """
        if self._sink is None:
            raise ValueError("a Writer takes blocks inside its `with` only")
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise ValueError(f"a block must be [{self.channels}, time], not {block.shape}")
        for start in range(0, block.shape[1], CHUNK):
            chunk = block[:, start : start + CHUNK].T
            self._measure(chunk)
            self._sink.write(self._stored(chunk, exact))
            self.length += len(chunk)

    def _measure(self, chunk: np.ndarray) -> None:
        magnitude = np.abs(chunk)
        peak = float(magnitude.max(initial=0.0))
        if not np.isfinite(peak):
            raise ValueError(f"samples to be written to {self.path} are not finite")
        self._peak = max(self._peak, peak)
        if self.subtype not in UNLIMITED:
            self.clipped += int(np.count_nonzero(magnitude > 1.0))

    def _stored(self, chunk: np.ndarray, exact: bool) -> np.ndarray:
        """``[time, channels]`` floats -> what the sink stores."""
        if self.subtype in UNLIMITED:
            if self._counts and chunk.dtype == np.float64 and self.subtype == "FLOAT":
                self.rounded += int(np.count_nonzero(chunk.astype(np.float32) != chunk))
            return chunk
        if self.subtype not in BITS:  # a lossy codec takes floats
            return np.clip(chunk, -1.0, 1.0).astype(np.float32)
        full_scale = 2.0 ** (BITS[self.subtype] - 1)
        steps = chunk.astype(np.float64) * full_scale
        if self.subtype in DITHERED and not exact:
            draws = self._noise.random((*steps.shape, 2), dtype=np.float32)
            noise = draws[..., 0] - draws[..., 1]
            noise[:, self._silent] = 0
            steps += noise
        codes = np.clip(np.rint(steps), -full_scale, full_scale - 1)
        if self._counts:
            self.rounded += int(np.count_nonzero((codes != steps) & (np.abs(steps) <= full_scale)))
        return codes.astype(np.int32)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        try:
            sink.close(complete=kind is None)
            if kind is None:
                os.replace(self._part, self.path)
        finally:
            self._part.unlink(missing_ok=True)
        if kind is None:
            for text in self._remarks():
                warnings.warn(f"{self.path}: {text}", AudioWarning, stacklevel=2)

    def _remarks(self) -> Iterator[str]:
        total = self.length * self.channels
        if self.clipped:
            level = f"peak {20 * np.log10(self._peak):+.1f} dBFS"
            cure = "keep them with --subtype FLOAT into a .wav, or lower the level"
            yield f"{self.clipped} of {total} samples exceeded full scale ({level}) and were clipped; {cure}"
        if self.rounded:
            cure = f"keep them with --subtype {self._kept_as} into a .wav"
            yield f"{self.rounded} of {total} samples have more bits than {self.subtype} and were rounded; {cure}"
        if (
            self._layout is not None
            and self._container != "WAV"
            and not self._layout.implied(self._container, self.channels)
        ):
            yield f"a {self.path.suffix} file does not keep the {self._layout} of its channels; write a .wav"


def write(
    path: str | os.PathLike[str],
    recording: Recording,
    subtype: str | None = None,
    exact: bool = False,
    dither_seed: int = 0,
) -> None:
    """Write a whole Recording; see `Writer`, which does it. Without a subtype, that of `subtype_for`."""
    subtype = subtype or subtype_for(recording, path)
    rate, channels = recording.sample_rate, recording.channels
    with Writer(path, rate, channels, subtype, dither_seed, recording.layout) as writer:
        if exact:
            writer.append(recording)
        else:
            writer.write(recording.samples)
