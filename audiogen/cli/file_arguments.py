"""What stands for files on a command line: patterns, and `-`, which is stdin or stdout."""

from __future__ import annotations

import glob
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audiogen.errors import InputError

PIPE = Path("-")


def expanded(paths: Iterable[Path]) -> list[Path]:
    """The files, each once and in order; patterns that the shell has left alone are expanded.

    Raises:
        InputError: a pattern that nothing matches.
    """
    files: list[Path] = []
    for path in paths:
        if path.exists() or path == PIPE or not glob.has_magic(str(path)):
            files.append(path)
            continue
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())
        if not found:
            raise InputError(path, "no file matches it", "check the pattern")
        files.extend(found)
    return list(dict.fromkeys(files))


@contextmanager
def from_stdin(path: Path) -> Iterator[Path]:
    """The file, or a temporary one of what is on stdin, which warnings and errors call stdin.

    Raises:
        InputError: stdin is a terminal, or empty.
    """
    if path != PIPE:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="audiogen-") as folder:
        given = spooled(Path(folder))
        with called(given, "stdin"):
            yield given


def spooled(folder: Path) -> Path:
    """A file of what is on stdin.

    Raises:
        InputError: stdin is a terminal, or empty.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("stdin", "it is a terminal", "pipe a recording into it, or name a file")
    first = sys.stdin.buffer.read(4)
    if not first:
        raise InputError("stdin", "it is empty", "pipe a recording into it")
    path = folder / f"stdin{'.mid' if first == b'MThd' else '.wav'}"
    with path.open("wb") as file:
        file.write(first)
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


@contextmanager
def called(path: Path, name: str) -> Iterator[None]:
    """Call a temporary file by another name in warnings and errors."""
    show = warnings.showwarning

    def shown(message: Any, *others: Any, **more: Any) -> None:
        show(str(message).replace(str(path), name), *others, **more)

    warnings.showwarning = shown
    try:
        yield
    except InputError as error:
        texts = (text.replace(str(path), name) for text in (error.subject, error.cause, error.cure))
        raise InputError(*texts) from error
    finally:
        warnings.showwarning = show
