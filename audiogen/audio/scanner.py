"""Random access to the bytes of a file in bounded memory, to find headers before decoding."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

WINDOW = 1 << 18  # bytes read at a time


class Scanner:
    """Bytes of a file by position. A context manager.

    Not a memory map: its pages would count as memory of this process, and truncating the file would crash it.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.size = os.fstat(self._file.fileno()).st_size
        self._start, self._window = 0, b""

    def __enter__(self) -> Scanner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def at(self, position: int, count: int) -> bytes:
        """``count`` bytes from ``position`` on; fewer at the end of the file."""
        if not self._start <= position <= position + count <= self._start + len(self._window):
            self._load(position, max(count, WINDOW))
        offset = position - self._start
        return self._window[offset : offset + count]

    def find(self, wanted: bytes, position: int) -> int:
        """Position of the first ``wanted`` from ``position`` on; -1 if there is none."""
        while position < self.size:
            if not self._start <= position <= position + len(wanted) <= self._start + len(self._window):
                self._load(position, WINDOW)
            index = self._window.find(wanted, position - self._start)
            if index >= 0:
                return self._start + index
            end = self._start + len(self._window)
            if end >= self.size or not self._window:
                return -1
            position = end - len(wanted) + 1
        return -1

    def find_first(self, wanted: Sequence[bytes], position: int) -> int:
        """Position of the first of several from ``position`` on, in one pass over the file; -1 if there is none."""
        overlap, pairs = max(map(len, wanted)) - 1, {int.from_bytes(each[:2], sys.byteorder) for each in wanted}
        while position < self.size:
            window = self.at(position, WINDOW)
            found = [index for index in _where(window, pairs) if window.startswith(tuple(wanted), index)]
            if found:
                return position + min(found)
            if len(window) < WINDOW:
                return -1
            position += len(window) - overlap
        return -1

    def _load(self, position: int, count: int) -> None:
        self._file.seek(position)
        self._start, self._window = position, self._file.read(count)

    def has_content(self, position: int) -> bool:
        """Whether any byte from ``position`` on is not zero."""
        while position < self.size:
            window = self.at(position, WINDOW)
            if not window or window.count(0) < len(window):
                return bool(window)
            position += len(window)
        return False


def _where(window: bytes, pairs: set[int]) -> Iterator[int]:
    """Indices, in no order, at which one of some pairs of bytes stands: three times as fast as `bytes.find` of each."""
    for first in (0, 1):
        both = np.frombuffer(window, np.uint16, max(len(window) - first, 0) // 2, first)
        match = np.zeros(len(both), bool)
        for pair in pairs:
            match |= both == pair
        yield from (2 * np.flatnonzero(match) + first).tolist()
