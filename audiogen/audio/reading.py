"""Files -> Recordings, whole or in blocks, with the decisions on bad samples that the package lists."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from audiogen.audio.decoding import LOSSLESS, PIECE, Source, open_source
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.errors import InputError

RATES = (1_000, 768_000)
"""Hz. A header that says less or more is broken, or is not audio."""

CLIPPED_SHARE = 1e-4
"""Warn of clipping from one sample in ten thousand on: a lone peak at full scale is no harm."""


LARGEST_BLOCK = 1 << 26
"""Samples over all channels."""

MOST_BYTES = 2.0**32
"""Of samples that are read at once, however large the memory: a small file can decode to any length."""

BEYOND_FLOAT32 = ("PCM_32", "ALAC_32", "DOUBLE", "PCM_S64LE", "PCM_S64BE", *LOSSLESS)
"""Subtypes whose samples may have more than the 24 bits of a float32."""


@dataclass
class Findings:
    """What was noticed in the samples read so far (counted over all channels).

    Args:
        samples: samples per channel.
        nonfinite: samples that were NaN or infinite.
        clipped: samples at full scale that repeat the two before them.
        over: samples beyond full scale.
        peak: largest magnitude, 1.0 at full scale.
    """

    samples: int = 0
    nonfinite: int = 0
    clipped: int = 0
    over: int = 0
    peak: float = 0.0


class Examiner:
    """Repairs and counts, piece by piece; the result does not depend on where blocks are cut later."""

    def __init__(self, channels: int, subtype: str) -> None:
        self.findings = Findings()
        # The largest positive code is below 1.0: 127/128 at 8 bits, 32767/32768 at 16.
        self._rail = 127 / 128 if subtype in ("PCM_U8", "PCM_S8") else 32767 / 32768
        self._before = np.zeros((channels, 2), np.float32)

    def examine(self, piece: np.ndarray) -> np.ndarray:
        """Count what is odd in ``[channels, time]``; return it with non-finite samples bridged."""
        found = self.findings
        good = np.isfinite(piece)
        if not good.all():
            found.nonfinite += int(good.size - np.count_nonzero(good))
            piece = _bridged(piece, good, self._before[:, -1])
        magnitude = np.abs(piece)
        found.samples += piece.shape[1]
        found.peak = max(found.peak, float(magnitude.max(initial=0.0)))
        found.over += int(np.count_nonzero(magnitude > 1.0))
        joined = np.concatenate([self._before, piece], axis=1)
        if found.peak >= self._rail:
            repeats = (piece == joined[:, 1:-1]) & (piece == joined[:, :-2])
            found.clipped += int(np.count_nonzero(repeats & (magnitude >= self._rail)))
        self._before = joined[:, -2:]
        return piece


def _bridged(piece: np.ndarray, good: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Linear interpolation over the bad samples, from the last sample of the piece before."""
    piece = piece.copy()
    for row, fine, last in zip(piece, good, before, strict=True):
        known = np.concatenate([[-1], np.flatnonzero(fine)])
        row[~fine] = np.interp(np.flatnonzero(~fine), known, np.concatenate([[last], row[fine]]))
    return piece


class BlockReader:
    """An audio file as an iterator of ``[channels, time]`` float32 blocks, in bounded memory.

    Use with ``with``, once. All blocks but the last have ``block_seconds``, or `LARGEST_BLOCK` where that is less.
    What is wrong with the file as a whole is known at its end only: the last step warns (`AudioWarning`) or raises
    `InputError`, as `read` does.

    Attributes:
        path, sample_rate (Hz), channels, format and subtype (libsndfile's words), layout (of the channels).
        length: samples per channel promised by the header, or None.
        findings: what was noticed so far.
    """

    def __init__(self, path: Path, source: Source, block_seconds: float) -> None:
        self.path, self._source = path, source
        self.sample_rate, self.channels, self.length = source.sample_rate, source.channels, source.length
        self.format, self.subtype, self.layout = source.format, source.subtype, source.layout
        self._examiner = Examiner(source.channels, source.subtype)
        self.findings = self._examiner.findings
        self._block = max(1, min(round(block_seconds * self.sample_rate), LARGEST_BLOCK // self.channels))

    def __enter__(self) -> BlockReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        held: list[np.ndarray] = []
        waiting = 0
        for piece in self._examined():
            held.append(piece)
            waiting += piece.shape[1]
            if waiting >= self._block:
                joined = np.concatenate(held, axis=1)
                whole = waiting - waiting % self._block
                yield from np.split(joined[:, :whole], range(self._block, whole, self._block), axis=1)
                held, waiting = [joined[:, whole:]], waiting - whole
        if waiting:
            yield np.concatenate(held, axis=1)
        self._judge()

    def _examined(self) -> Iterator[np.ndarray]:
        return map(self._examiner.examine, self._source.pieces())

    def whole(self) -> np.ndarray:
        """All samples, ``[channels, time]``, in little more memory than they take; instead of the iteration."""
        self._require_room(self.length or 0)
        samples = np.empty((self.channels, self.length or PIECE), np.float32)
        done = 0
        for piece in self._examined():
            end = done + piece.shape[1]
            if end > samples.shape[1]:
                self._require_room(end)
                longer = np.empty((self.channels, max(end, 2 * samples.shape[1])), np.float32)
                longer[:, :done] = samples[:, :done]
                samples = longer
            samples[:, done:end] = piece
            done = end
        self._judge()
        return np.ascontiguousarray(samples[:, :done])

    def _require_room(self, length: int) -> None:
        size, most = 4 * self.channels * length, _room()
        if size > most:
            cause = f"its {length / self.sample_rate / 3600:.1f} h take {size / 1e9:.1f} GB of samples"
            cause += f", and no more than {most / 1e9:.1f} GB are read at once"
            raise InputError(self.path, cause, "cut out the part that is needed")

    def _judge(self) -> None:
        found, subject = self.findings, self.path
        total = found.samples * self.channels
        if total == 0:
            cause = f"it holds no samples ({self._source.trouble or 'a header only'})"
            raise InputError(subject, cause, "export or download it again")
        if found.nonfinite > total / 2:
            cause = f"{found.nonfinite} of {total} samples are NaN or infinite"
            raise InputError(subject, cause, "export it again")
        for remark in self._remarks(found, total):
            warnings.warn(f"{subject}: {remark}", AudioWarning, stacklevel=4)

    def _remarks(self, found: Findings, total: int) -> Iterator[str]:
        got, promised, trouble = found.samples, self.length, self._source.trouble
        if trouble or (promised and got < 0.995 * promised):
            of = f" of {promised / self.sample_rate:.2f}" if promised and promised > got else ""
            because = f" ({trouble})" if trouble else ""
            yield f"the file is cut short: {got / self.sample_rate:.2f}{of} s could be read{because}"
        yield from self._source.remarks
        if found.nonfinite:
            yield f"{found.nonfinite} of {total} samples were NaN or infinite and were interpolated"
        if found.clipped >= CLIPPED_SHARE * total:
            yield f"clipped: {found.clipped} of {total} samples lie flat at full scale; kept as they are"
        if found.over and self.subtype in ("FLOAT", "DOUBLE"):
            level = f"peak {20 * np.log10(found.peak):+.1f} dBFS"
            yield f"{found.over} of {total} samples exceed full scale ({level}); kept as they are"


def open_blocks(path: str | os.PathLike[str], block_seconds: float = 10.0) -> BlockReader:
    """Open an audio file of any length to read it block by block.

    Raises:
        InputError: when it cannot be read; at the end of the iteration for what shows only there.
    """
    path = Path(path)
    source = open_source(path)
    if not RATES[0] <= source.sample_rate <= RATES[1]:
        source.close()
        cause = f"its header says {source.sample_rate} Hz, which is outside {RATES[0]} to {RATES[1]} Hz"
        raise InputError(path, cause, "export it again")
    return BlockReader(path, source, block_seconds)


def read(path: str | os.PathLike[str]) -> Recording:
    """Read a whole audio file, by its content whatever its suffix.

    Warns:
        AudioWarning: a file cut short or with bytes that could not be used, non-finite samples (interpolated),
            clipping, floats beyond full scale.

    Raises:
        InputError: no such file, not audio, no samples, mostly not numbers, or too long to be read at once.
    """
    with open_blocks(path) as blocks:
        samples = blocks.whole()
    return Recording(samples, blocks.sample_rate, blocks.subtype, blocks.path, blocks.layout, 0)


def exact_blocks(recording: Recording) -> Iterator[np.ndarray]:
    """A Recording's samples, ``[channels, time]`` in blocks, with all the bits that its file has.

    Samples of 32-bit integers and of doubles are read from the file again, as float64, which spares keeping them in
    memory; all others are float32 as they are.

    Warns:
        AudioWarning: the file is gone or holds something else by now, and the samples are float32 from there on.
    """
    samples, path, done = recording.samples, recording.path, 0
    if recording.subtype not in BEYOND_FLOAT32 or path is None or recording.start is None:
        yield samples
        return
    try:
        source = open_source(path, np.float64)
    except (InputError, OSError):
        pass
    else:
        try:
            for block in _again(source, recording):
                yield block
                done += block.shape[1]
        finally:
            source.close()
    if done < recording.length:
        remark = "it no longer holds what was read: from there on, its samples are kept with 24 bits"
        warnings.warn(f"{path}: {remark}", AudioWarning, stacklevel=2)
        yield samples[:, done:]


def _again(source: Source, recording: Recording) -> Iterator[np.ndarray]:
    """Blocks of the recording in float64, as long as they are what was read."""
    if (source.sample_rate, source.channels) != (recording.sample_rate, recording.channels):
        return
    assert recording.start is not None
    skipped, done = recording.start, 0
    for piece in source.pieces():
        dropped = min(skipped, piece.shape[1])
        skipped -= dropped
        wide = piece[:, dropped : dropped + recording.length - done]
        known = recording.samples[:, done : done + wide.shape[1]]
        with np.errstate(over="ignore"):
            narrow = wide.astype(np.float32)
        bridged = ~np.isfinite(narrow)  # what was not a number when it was read, either
        if np.any(bridged):
            wide, narrow = np.where(bridged, known, wide), np.where(bridged, known, narrow)
        if not np.array_equal(narrow, known):
            return
        if wide.shape[1]:
            yield wide
        done += wide.shape[1]
        if done == recording.length:
            return


def _room() -> float:
    """Bytes of samples that are read at once: what follows takes several times as much."""
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # Windows
        memory = np.inf
    return min(MOST_BYTES, memory / 4)
