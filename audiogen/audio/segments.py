"""Random access to the samples of a recording: any segment of an hour's file, without reading what lies before it.

Files whose samples libsndfile finds by their position (PCM and float in WAV, RF64, AIFF and FLAC) are read in place.
All others, whose seeking is inexact or slow, are decoded once into a working copy of float32 samples.
"""

from __future__ import annotations

import os
import threading
import warnings
from pathlib import Path
from types import TracebackType

import numpy as np

from audiogen.audio.decoding import Source, open_source
from audiogen.audio.pcm_decoder import PcmSource
from audiogen.audio.reading import open_blocks
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.audio.sample_checks import SampleChecker, sample_remarks
from audiogen.audio.soundfile_decoder import SoundfileSource
from audiogen.errors import InputError

SEEKABLE = frozenset(("WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC"))
EXACT = ("PCM_", "FLOAT", "DOUBLE")


class SegmentReader:
    """A recording whose segments can be read in any order, by several threads.

    Args:
        path: the file.
        copy: where to put the working copy if one is needed; an existing one is used again.

    Attributes:
        sample_rate: Hz.
        channels: number of channels.
        length: samples per channel.

    Raises:
        InputError: as of `audiogen.audio.read`.
    """

    def __init__(self, path: Path, copy: Path) -> None:
        import soundfile

        self.path = path
        self._lock = threading.Lock()
        self._file: soundfile.SoundFile | None = None
        self._copy: np.ndarray | None = None
        source = open_source(path)
        self.sample_rate, self.channels = source.sample_rate, source.channels
        in_place = is_seekable(source)
        source.close()
        if in_place:
            self._file = soundfile.SoundFile(os.fspath(path))
            self.length = int(self._file.frames)
        else:
            self._copy = _working_copy(path, copy, self.channels)
            self.length = len(self._copy)
        if self.length == 0:
            raise InputError(path, "it has no samples", "export or download it again")

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples ``[channels, time]`` float32 from ``start`` to ``stop``; what lies outside the file is left out."""
        start, stop = min(max(start, 0), self.length), min(max(stop, 0), self.length)
        if stop <= start:
            return np.zeros((self.channels, 0), np.float32)
        if self._copy is not None:
            return np.array(self._copy[start:stop].T)
        with self._lock:
            assert self._file is not None
            self._file.seek(start)
            samples = self._file.read(stop - start, dtype="float32", always_2d=True)
        if not np.isfinite(samples.sum()):  # a sum is ten times as fast as looking at each sample
            samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
        return samples.T

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with self._lock:
                self._file.close()

    def __enter__(self) -> SegmentReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_seekable(source: Source) -> bool:
    """Whether positions in a file are exact, and found at once."""
    if not isinstance(source, (SoundfileSource, PcmSource)):
        return False
    stated = source.length is not None and not source.error and not source.remarks
    return stated and source.format in SEEKABLE and source.subtype.startswith(EXACT)


def read_segment(path: Path, start: float, stop: float | None) -> Recording:
    """A segment of a file, as `read` and `Recording.cut` would give it, without reading the rest where possible.

    Args:
        path: audio file.
        start: seconds.
        stop: seconds; None, or what lies beyond it, for the end.

    Warns, raises:
        as `audiogen.audio.read`, of what is read.
    """
    source = open_source(path)
    rate, subtype, layout = source.sample_rate, source.subtype, source.layout
    in_place = is_seekable(source)
    source.close()
    first = round(start * rate)
    last = None if stop is None else round(stop * rate)
    samples = _read_in_place(path, first, last) if in_place else None
    if samples is None:
        parts, position = [np.zeros((source.channels, 0), np.float32)], 0
        with open_blocks(path) as blocks:
            for block in blocks:
                part = block[:, max(first - position, 0) : None if last is None else max(last - position, 0)]
                if part.shape[1]:
                    parts.append(part.copy())  # so that the rest of the block is not kept
                position += block.shape[1]
        samples = np.concatenate(parts, axis=1)
    else:
        checker = SampleChecker(source.channels, subtype)
        checker.check(samples)
        for remark in sample_remarks(checker.findings, source.channels, subtype):
            warnings.warn(f"{path}: {remark}", AudioWarning, stacklevel=2)
    return Recording(samples, rate, subtype, path, layout, first)


def _read_in_place(path: Path, first: int, last: int | None) -> np.ndarray | None:
    """``[channels, time]``; None if some are not finite, which only a reading in order can mend."""
    import soundfile

    with soundfile.SoundFile(os.fspath(path)) as file:
        length = file.frames
        file.seek(min(first, length))
        count = max((length if last is None else min(last, length)) - first, 0)
        samples = np.ascontiguousarray(file.read(count, dtype="float32", always_2d=True).T)
    return samples if np.isfinite(samples).all() else None


def _working_copy(path: Path, copy: Path, channels: int) -> np.ndarray:
    """``[time, channels]`` float32, mapped from a raw file that is written if it does not exist."""
    if not copy.exists():
        part = copy.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        try:
            with part.open("wb") as out, open_blocks(path) as blocks:
                for block in blocks:
                    out.write(np.ascontiguousarray(block.T).tobytes())
            os.replace(part, copy)
        finally:
            part.unlink(missing_ok=True)
    if copy.stat().st_size == 0:
        return np.zeros((0, channels), np.float32)
    return np.memmap(copy, np.float32, "r").reshape(-1, channels)
