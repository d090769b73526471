"""An output under a hidden name beside its own, until it is complete."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from types import TracebackType

from audiogen.errors import InputError

DISK_FULL = frozenset((errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)))
"""Errors of a write that found no room: a full disk, a limit on the size of files, a quota."""


class PartFile:
    """A context manager: the file at `part` becomes that at ``path`` on success, and is removed on any exception.

    Args:
        path: the file to write; an existing one is replaced.
        exclusive: if another process writes a file of that name in the meantime, keep that one and raise.

    Attributes:
        part: where to write; short, since the name of ``path`` may have the maximum length.

    Raises:
        InputError: see ``exclusive``.
        OSError: with the path as its ``filename`` if the disk is full.
    """

    def __init__(self, path: Path, exclusive: bool = False) -> None:
        self.path = path
        self.part = path.with_name(f".audiogen-{secrets.token_hex(6)}.part")
        self._exclusive, self._was_there = exclusive, False

    def __enter__(self) -> Path:
        self._was_there = os.path.lexists(self.path)
        return self.part

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self.part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in DISK_FULL and error.filename is None:
            error.filename = str(self.path)

    def _publish(self) -> None:
        if not self._exclusive or self._was_there:
            os.replace(self.part, self.path)
            return
        try:
            os.link(self.part, self.path)  # fails where a file of that name exists, unlike a renaming
        except FileExistsError as error:
            raise InputError(self.path, "another process has written it meanwhile", "name another file") from error
        except OSError:  # a file system without hard links
            os.replace(self.part, self.path)
