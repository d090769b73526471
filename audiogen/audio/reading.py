"""Reads audio files, whole or in blocks; the package docstring lists how difficult files are treated."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from audiogen.audio.decoding import Source, open_source
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.audio.sample_checks import Findings, SampleChecker, sample_remarks
from audiogen.audio.soundfile_decoder import CHUNK
from audiogen.errors import InputError
from audiogen.file_names import to_path

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Hz. A header that states less or more is damaged, or is not audio."""

MAX_BLOCK = 1 << 26
"""Samples of a block, over all channels."""

MAX_BYTES = 2.0**32
"""Bytes of samples that are read at once, however large the memory: a small file can decode to any length."""


class BlockReader:
    """An audio file as an iterator of ``[channels, time]`` float32 blocks, in bounded memory.

    A context manager, to be iterated over once. All blocks but the last have ``block_seconds``, or `MAX_BLOCK` samples
    if that is less. Defects of the file as a whole are known only at its end: the last step of the iteration warns
    (`AudioWarning`) or raises `InputError`, as `read` does.

    Attributes:
        path: the file.
        sample_rate: Hz.
        channels: number of channels.
        format, subtype: container and sample format, in libsndfile's terms.
        layout: loudspeaker positions of the channels; None for the default.
        length: samples per channel that the header states; None if it does not.
        findings: statistics of the samples so far.
    """

    def __init__(self, path: Path, source: Source, block_seconds: float, for_part: bool = False) -> None:
        self.path, self._source, self._for_part = path, source, for_part
        self.sample_rate, self.channels, self.length = source.sample_rate, source.channels, source.length
        self.format, self.subtype, self.layout = source.format, source.subtype, source.layout
        self._checker = SampleChecker(source.channels, source.subtype)
        self.findings: Findings = self._checker.findings
        self._block = max(1, min(round(block_seconds * self.sample_rate), MAX_BLOCK // self.channels))

    def __enter__(self) -> BlockReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        buffered: list[np.ndarray] = []
        length = 0
        for chunk in self._checked():
            buffered.append(chunk.copy())
            length += chunk.shape[1]
            if length >= self._block:
                joined = np.concatenate(buffered, axis=1)
                whole = length - length % self._block
                yield from np.split(joined[:, :whole], range(self._block, whole, self._block), axis=1)
                buffered, length = [joined[:, whole:]], length - whole
        if length:
            yield np.concatenate(buffered, axis=1)
        self._check_file()

    def _checked(self) -> Iterator[np.ndarray]:
        return map(self._checker.check, self._source.chunks())

    def read_all(self) -> np.ndarray:
        """All samples ``[channels, time]``, in place of the iteration, in little more memory than they take."""
        self._require_memory(self.length or 0)
        samples = np.empty((self.channels, self.length or CHUNK), np.float32)
        done = 0
        for chunk in self._checked():
            end = done + chunk.shape[1]
            if end > samples.shape[1]:
                self._require_memory(end)
                longer = np.empty((self.channels, max(end, 2 * samples.shape[1])), np.float32)
                longer[:, :done] = samples[:, :done]
                samples = longer
            samples[:, done:end] = chunk
            done = end
        self._check_file()
        return np.ascontiguousarray(samples[:, :done])

    def recording(self) -> Recording:
        """All samples as a `Recording`, in place of the iteration."""
        return Recording.of_checked(self.read_all(), self.sample_rate, self.subtype, self.path, self.layout, 0)

    def _require_memory(self, length: int) -> None:
        size, limit = 4 * self.channels * length, _memory_limit()
        if size > limit:
            cause = f"its {length / self.sample_rate / 3600:.1f} h are {size / 1e9:.1f} GB of samples"
            cause += f", and at most {limit / 1e9:.1f} GB are read at once"
            raise InputError(self.path, cause, "cut out the segment that is needed")

    def _check_file(self) -> None:
        """Raise or warn of the defects of the whole file."""
        findings, subject = self.findings, self.path
        total = findings.samples * self.channels
        if total == 0:
            cause = f"it has no samples ({self._source.error or 'a header only'})"
            raise InputError(subject, cause, "export or download it again")
        if findings.nonfinite > total / 2:
            cause = f"{findings.nonfinite} of {total} samples are NaN or infinite"
            raise InputError(subject, cause, "export it again")
        for remark in self._remarks():
            warnings.warn(f"{subject}: {remark}", AudioWarning, stacklevel=5)

    def _remarks(self) -> Iterator[str]:
        findings, stated, error = self.findings, self.length, self._source.error
        if error or (stated and findings.samples < 0.995 * stated):
            of = f" of {stated / self.sample_rate:.2f}" if stated and stated > findings.samples else ""
            reason = f" ({error})" if error else ""
            yield f"the file is truncated: {findings.samples / self.sample_rate:.2f}{of} s could be read{reason}"
        yield from self._source.remarks
        if not self._for_part:
            yield from sample_remarks(findings, self.channels, self.subtype)


def open_blocks(path: str | os.PathLike[str], block_seconds: float = 10.0, for_part: bool = False) -> BlockReader:
    """Open an audio file of any length to read it block by block.

    Args:
        path: the file; its suffix is ignored.
        block_seconds: length of each block but the last.
        for_part: do not warn of the samples of the whole file, as only a part of it is used.

    Raises:
        InputError: it cannot be read; also raised at the end of the iteration, for defects that show only there.
    """
    path = to_path("path", path)
    source = open_source(path)
    if not MIN_RATE <= source.sample_rate <= MAX_RATE:
        source.close()
        cause = f"its header states {source.sample_rate} Hz, which is outside {MIN_RATE} to {MAX_RATE} Hz"
        raise InputError(path, cause, "export it again")
    return BlockReader(path, source, block_seconds, for_part)


def read(path: str | os.PathLike[str]) -> Recording:
    """Read a whole audio file.

    Args:
        path: the file, in any format of libsndfile or, with the extra ``decode``, of FFmpeg; its suffix is ignored.

    Returns:
        A `Recording` at the sample rate and with the channels of the file.

    Warns:
        AudioWarning: a truncated file or one with unusable bytes, non-finite samples (interpolated), clipping, floats
            beyond full scale.

    Raises:
        InputError: no such file, not audio, no samples, mostly NaN, or too long to be read at once.
    """
    with open_blocks(path) as blocks:
        return blocks.recording()


def _memory_limit() -> float:
    """Bytes of samples that are read at once: a quarter of the memory, as processing takes several times as much."""
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # Windows
        memory = np.inf
    return min(MAX_BYTES, memory / 4)
