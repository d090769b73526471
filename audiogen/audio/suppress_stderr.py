"""Suppresses what C libraries print on stderr: libmpg123 reports damaged files there, with no option to disable it."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_lock = threading.Lock()
_depth = 0
_original: int | None = None


@contextmanager
def suppress_c_stderr() -> Iterator[None]:
    """Context manager that discards what is printed through C's ``stderr``.

    Python's ``sys.stderr`` writes to the file descriptor directly, so that messages of this program and of its other
    threads still appear. Does nothing where C's ``stderr`` cannot be replaced (Windows, musl). Can be nested, and used
    in several threads.
    """
    global _depth, _original
    variable = _variable()
    if variable is None:
        yield
        return
    pointer, null_stream = variable
    with _lock:
        if _depth == 0:
            _original, pointer.value = pointer.value, null_stream
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                pointer.value = _original


@cache
def _variable() -> tuple[ctypes.c_void_p, int] | None:
    """C's ``stderr`` variable and a stream that discards everything; None where there is no such variable."""
    name = {"linux": "stderr", "darwin": "__stderrp"}.get(sys.platform)
    if name is None or (sys.platform == "linux" and platform.libc_ver()[0] != "glibc"):
        return None
    try:
        library = ctypes.CDLL(None)
        pointer = ctypes.c_void_p.in_dll(library, name)
        library.fopen.restype, library.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
        null_stream = library.fopen(os.devnull.encode(), b"w")
    except (OSError, ValueError, AttributeError):
        return None
    return (pointer, null_stream) if null_stream else None
