"""Recordings -> files: quantised and dithered here, streamed beside the target, renamed when complete."""

from __future__ import annotations

import os
import secrets
import warnings
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

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
WIDE = ("FLOAT", "DOUBLE", "PCM_32", "ALAC_32")  # may hold what 24 bits cannot
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

    It is the container's default (24 bits for WAV and FLAC), except "FLOAT", where the container has it, for
    samples beyond full scale, and for those of a float or 32-bit file that do not lie on the 24-bit grid.
    """
    path = Path(path)
    subtype = container_for(path)[1]
    if "FLOAT" in CONTAINERS[path.suffix.lower()][1] and not _fits_24_bits(recording):
        return "FLOAT"
    return subtype


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

    def __init__(self, path: Path, sample_rate: int, channels: int, container: str, subtype: str) -> None:
        import soundfile

        self._path, self._length = path, 0
        self._file = soundfile.SoundFile(
            os.fspath(path), "w", samplerate=sample_rate, channels=channels, format=container, subtype=subtype
        )
        self._shift = 32 - BITS.get(subtype, 32)  # libsndfile takes the topmost bits of an int32

    def write(self, values: np.ndarray) -> None:
        integral = np.issubdtype(values.dtype, np.integer)
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
            return WavFile(self._part, self.sample_rate, self.channels, self.subtype)
        return SoundfileSink(self._part, self.sample_rate, self.channels, self._container, self.subtype)

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
            return chunk
        if self.subtype not in BITS:  # a lossy codec takes floats
            return np.clip(chunk, -1.0, 1.0).astype(np.float32)
        full_scale = 2.0 ** (BITS[self.subtype] - 1)
        steps = chunk.astype(np.float64) * full_scale
        if self.subtype in DITHERED and not exact:
            draws = self._noise.random((*steps.shape, 2), dtype=np.float32)
            steps += draws[..., 0] - draws[..., 1]
        return np.clip(np.rint(steps), -full_scale, full_scale - 1).astype(np.int32)

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
        if kind is None and self.clipped:
            self._warn_of_clipping()

    def _warn_of_clipping(self) -> None:
        share = f"{self.clipped} of {self.length * self.channels} samples"
        level = f"peak {20 * np.log10(self._peak):+.1f} dBFS"
        cure = "keep them with --subtype FLOAT into a .wav, or lower the level"
        text = f"{self.path}: {share} exceeded full scale ({level}) and were clipped; {cure}"
        warnings.warn(text, AudioWarning, stacklevel=3)


def write(
    path: str | os.PathLike[str],
    recording: Recording,
    subtype: str | None = None,
    exact: bool = False,
    dither_seed: int = 0,
) -> None:
    """Write a whole Recording; see `Writer`, which does it. Without a subtype, that of `subtype_for`."""
    subtype = subtype or subtype_for(recording, path)
    with Writer(path, recording.sample_rate, recording.channels, subtype, dither_seed) as writer:
        writer.write(recording.samples, exact=exact)
