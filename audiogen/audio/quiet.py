"""Keeps out of the terminal what C libraries print: libmpg123's notes on damaged files, which nothing turns off."""

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
_real: int | None = None


@contextmanager
def quiet() -> Iterator[None]:
    """What is printed inside through C's ``stderr`` is dropped.

    Python's own ``sys.stderr`` writes to the descriptor, not through C, so messages of this program and of its other
    threads are not touched, nor is the descriptor. Where C's ``stderr`` cannot be exchanged (Windows, musl), nothing
    is done.
    """
    global _depth, _real
    variable = _variable()
    if variable is None:
        yield
        return
    pointer, nowhere = variable
    with _lock:
        if _depth == 0:
            _real, pointer.value = pointer.value, nowhere
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                pointer.value = _real


@cache
def _variable() -> tuple[ctypes.c_void_p, int] | None:
    """C's ``stderr``, and a stream that leads nowhere."""
    name = {"linux": "stderr", "darwin": "__stderrp"}.get(sys.platform)
    if name is None or (sys.platform == "linux" and platform.libc_ver()[0] != "glibc"):
        return None
    try:
        library = ctypes.CDLL(None)
        pointer = ctypes.c_void_p.in_dll(library, name)
        library.fopen.restype, library.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
        nowhere = library.fopen(os.devnull.encode(), b"w")
    except (OSError, ValueError, AttributeError):
        return None
    return (pointer, nowhere) if nowhere else None
