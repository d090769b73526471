"""Bytes of a file by their place, in bounded memory: what finds headers before a decoder is asked."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

WINDOW = 1 << 18  # bytes that are read at a time


class Scanner:
    """Random access to a file's bytes. Use with ``with``.

    Not a memory map: the pages of a map count as this process's memory, and a file that is cut meanwhile ends it.
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

    def at(self, place: int, count: int) -> bytes:
        """``count`` bytes from ``place`` on, or fewer where the file ends."""
        if not self._start <= place <= place + count <= self._start + len(self._window):
            self._load(place, max(count, WINDOW))
        offset = place - self._start
        return self._window[offset : offset + count]

    def find(self, wanted: bytes, place: int) -> int:
        """Where ``wanted`` first begins, from ``place`` on; -1 when nowhere."""
        while place < self.size:
            if not self._start <= place <= place + len(wanted) <= self._start + len(self._window):
                self._load(place, WINDOW)
            found = self._window.find(wanted, place - self._start)
            if found >= 0:
                return self._start + found
            end = self._start + len(self._window)
            if end >= self.size or not self._window:
                return -1
            place = end - len(wanted) + 1
        return -1

    def _load(self, place: int, count: int) -> None:
        self._file.seek(place)
        self._start, self._window = place, self._file.read(count)

    def sounds(self, place: int) -> bool:
        """Whether a byte from ``place`` on is not zero."""
        while place < self.size:
            window = self.at(place, WINDOW)
            if not window or window.count(0) < len(window):
                return bool(window)
            place += len(window)
        return False
