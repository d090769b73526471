"""Files -> Recordings, whole or in blocks, with the decisions on bad samples that the package lists."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from audiogen.audio.decoding import Source, open_source
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.errors import InputError

RATES = (1_000, 768_000)
"""Hz. A header that says less or more is broken, or is not audio."""

CLIPPED_SHARE = 1e-4
"""Warn of clipping from one sample in ten thousand on: a lone peak at full scale is no harm."""


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

    Use with ``with``, once. All blocks but the last have ``block_seconds``. What is wrong with the file as a
    whole is known at its end only: the last step warns (`AudioWarning`) or raises `InputError`, as `read`
    does.

    Attributes:
        path, sample_rate (Hz), channels, format and subtype (libsndfile's words).
        length: samples per channel promised by the header, or None.
        findings: what was noticed so far.
    """

    def __init__(self, path: Path, source: Source, block_seconds: float) -> None:
        self.path, self._source = path, source
        self.sample_rate, self.channels, self.length = source.sample_rate, source.channels, source.length
        self.format, self.subtype = source.format, source.subtype
        self._examiner = Examiner(source.channels, source.subtype)
        self.findings = self._examiner.findings
        self._block = max(1, round(block_seconds * self.sample_rate))

    def __enter__(self) -> BlockReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[np.ndarray]:
        held: list[np.ndarray] = []
        waiting = 0
        for piece in self._source.pieces():
            held.append(self._examiner.examine(piece))
            waiting += piece.shape[1]
            if waiting >= self._block:
                joined = np.concatenate(held, axis=1)
                whole = waiting - waiting % self._block
                yield from np.split(joined[:, :whole], range(self._block, whole, self._block), axis=1)
                held, waiting = [joined[:, whole:]], waiting - whole
        if waiting:
            yield np.concatenate(held, axis=1)
        self._judge()

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
        AudioWarning: a file cut short, non-finite samples (interpolated), clipping, floats beyond full scale.

    Raises:
        InputError: no such file, not audio, no samples, or mostly not numbers.
    """
    with open_blocks(path) as blocks:
        samples = np.concatenate([np.zeros((blocks.channels, 0), np.float32), *blocks], axis=1)
    return Recording(samples, blocks.sample_rate, blocks.subtype, blocks.path)
