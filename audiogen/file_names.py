"""File names: whether a file system accepts them, and how to print those that are not text.

On Linux a name is a sequence of bytes that need not be UTF-8. Python represents undecodable bytes as lone surrogates
(PEP 383), which neither JSON nor a terminal accepts.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PureWindowsPath

from audiogen.errors import InputError

MIDI_SUFFIXES = frozenset((".mid", ".midi", ".rmi", ".kar", ".smf"))
MAX_NAME_BYTES = 255  # UTF-16 units on Windows; where the file system does not report its own limit
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_RESERVED_STEM = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.I)
_RESERVED_CHARACTERS = re.compile('[<>:"|?*/\\\\\x00-\x1f]')


def to_path(subject: str, name: object, what: str = "the name of a file") -> Path:
    """A file's name as a Path.

    Args:
        subject: what the caller calls it.
        name: a text or a path.
        what: may be given for it.

    Raises:
        InputError: it is neither.
    """
    if isinstance(name, str | os.PathLike) and not isinstance(text := os.fspath(name), bytes):
        return Path(text)
    raise InputError(subject, f"it is of type {type(name).__name__}", f"give {what}")


def is_midi(path: Path) -> bool:
    """Whether a file name ends as those of MIDI files do."""
    return path.suffix.lower() in MIDI_SUFFIXES


def representable(text: str, backslash: str = "\\") -> str:
    """Text that UTF-8 can encode: undecodable bytes of a file name as ``\\xfc``, other surrogates as ``\\ud800``.

    Args:
        text: any text.
        backslash: start of an escape; two backslashes inside the strings of a JSON document.
    """

    def escaped(found: re.Match[str]) -> str:
        code = ord(found[0])
        return backslash + (f"x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"u{code:04x}")

    return _SURROGATE.sub(escaped, text)


def printable(text: str) -> str:
    """Text for one line of a terminal: `representable`, with control and bidirectional characters escaped as well."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), representable(text))


def require_name(path: Path, *suffixes: str, windows: bool = os.name == "nt") -> None:
    """Check that files of a name, with its own and with other suffixes, can be created.

    Args:
        path: of the file to write; its folder need not exist.
        suffixes: of further files beside it, such as ``.json``.
        windows: whether to apply the rules of Windows.

    Raises:
        InputError: a name that is too long, reserved, or not representable in the file system's encoding.
    """
    names = [path.name, *(path.stem + suffix for suffix in suffixes)]
    cure = "choose another name"
    if "\0" in str(path):
        raise InputError(printable(str(path)), "a file name cannot contain a NUL character", cure)
    try:
        lengths = [_length(name, windows) for name in names]
    except UnicodeEncodeError as error:
        cause = f"the file system's encoding ({error.encoding}) lacks {printable(error.object[error.start])!r}"
        raise InputError(printable(str(path)), cause, "choose another name, or set a UTF-8 locale") from error
    most = _max_name_bytes(path.parent)
    for name, length in zip(names, lengths, strict=True):
        if length > most:
            shown = name if len(name) < 60 else f"{name[:30]}...{name[-20:]}"
            cause = f"the name {shown} has {length} bytes; the file system allows {most}"
            raise InputError(printable(str(path.parent)), printable(cause), "choose a shorter name")
    if windows and (reserved := _reserved_on_windows(path.name)):
        raise InputError(printable(str(path)), reserved, cure)


def _length(name: str, windows: bool) -> int:
    return len(name.encode("utf-16-le", "surrogatepass")) // 2 if windows else len(os.fsencode(name))


def _max_name_bytes(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):  # no such folder yet, or Windows
        return MAX_NAME_BYTES


def _reserved_on_windows(name: str) -> str:
    """Why Windows does not accept a name; "" if it does."""
    if _RESERVED_STEM.fullmatch(name):
        return "Windows reserves this name for a device"
    if found := _RESERVED_CHARACTERS.search(name):
        return f"on Windows, a file name cannot contain {printable(found[0])}"
    return "on Windows, a file name cannot end in a dot or a space" if name.endswith((".", " ")) else ""


def shortened(stem: str, max_bytes: int) -> str:
    """The beginning of a stem, at most ``max_bytes`` long in UTF-8."""
    if len(stem.encode("utf-8", "surrogatepass")) <= max_bytes:
        return stem
    return stem.encode("utf-8", "ignore")[:max_bytes].decode("utf-8", "ignore")


def is_inside(path: str) -> bool:
    """Whether a relative path stays inside its folder, on Windows as on other systems.

    Absolute paths, paths with a drive and paths with ``..`` do not.
    """
    windows = PureWindowsPath(path)
    rooted = bool(windows.drive or windows.root) or path.startswith("/")
    return not rooted and ".." not in windows.parts and "\0" not in path
