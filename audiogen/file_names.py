"""File names as they come: which of them a file system takes, and how the odd ones are shown.

A name is bytes to Linux, and need not be UTF-8; Python then holds the bytes that are not as lone surrogates
(PEP 383), which neither JSON nor a terminal takes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PureWindowsPath

from audiogen.errors import InputError

MIDI_SUFFIXES = frozenset((".mid", ".midi", ".rmi", ".kar", ".smf"))
MAX_NAME_BYTES = 255  # bytes (UTF-16 units on Windows), where the file system does not say otherwise
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_RESERVED_STEM = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.I)
_RESERVED_CHARACTERS = re.compile('[<>:"|?*/\\\\\x00-\x1f]')


def is_midi(path: Path) -> bool:
    """Whether a file name ends as those of MIDI files do."""
    return path.suffix.lower() in MIDI_SUFFIXES


def representable(text: str, backslash: str = "\\") -> str:
    """Text that UTF-8 can encode: undecodable bytes of a file name as ``\\xfc``, other surrogates as ``\\ud800``.

    Args:
        text: anything.
        backslash: what the escapes begin with: two of them inside the strings of a JSON document.
    """

    def escaped(found: re.Match[str]) -> str:
        code = ord(found[0])
        return backslash + (f"x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"u{code:04x}")

    return _SURROGATE.sub(escaped, text)


def printable(text: str) -> str:
    """Text for one line of a terminal: `representable`, control and bidirectional characters escaped, too."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), representable(text))


def require_name(path: Path, *suffixes: str, windows: bool = os.name == "nt") -> None:
    """Raise an InputError unless a file of this name, and of those with other suffixes, can be created in its folder.

    Args:
        path: the file to be written; its folder need not exist.
        suffixes: of files that will stand beside it instead of its own, such as ``.json``.
        windows: whether Windows' rules hold.
    """
    names = [path.name, *(path.stem + suffix for suffix in suffixes)]
    cure = "choose another name"
    if "\0" in str(path):
        raise InputError(printable(str(path)), "a file name holds no NUL character", cure)
    try:
        lengths = [_length(name, windows) for name in names]
    except UnicodeEncodeError as error:
        cause = f"the file system's encoding ({error.encoding}) has no {printable(error.object[error.start])!r}"
        raise InputError(printable(str(path)), cause, "choose another name, or set a UTF-8 locale") from error
    most = _longest_name(path.parent)
    for name, length in zip(names, lengths, strict=True):
        if length > most:
            shown = name if len(name) < 60 else f"{name[:30]}...{name[-20:]}"
            cause = f"the name {shown} has {length} bytes, the file system takes {most}"
            raise InputError(printable(str(path.parent)), printable(cause), "choose a shorter name")
    if windows and (reserved := _reserved_on_windows(path.name)):
        raise InputError(printable(str(path)), reserved, cure)


def _length(name: str, windows: bool) -> int:
    return len(name.encode("utf-16-le", "surrogatepass")) // 2 if windows else len(os.fsencode(name))


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):  # no such folder yet, or Windows
        return MAX_NAME_BYTES


def _reserved_on_windows(name: str) -> str:
    """Why Windows does not take a name; empty if it does."""
    if _RESERVED_STEM.fullmatch(name):
        return "Windows keeps this name for a device"
    if found := _RESERVED_CHARACTERS.search(name):
        return f"on Windows, a file name holds no {printable(found[0])}"
    return "on Windows, a file name ends in no dot or blank" if name.endswith((".", " ")) else ""


def shortened(stem: str, most: int) -> str:
    """The beginning of a stem, ``most`` bytes of UTF-8 at the most."""
    if len(stem.encode("utf-8", "surrogatepass")) <= most:
        return stem
    return stem.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def is_inside(path: str) -> bool:
    """Whether a relative path leads to somewhere below its folder, by the rules of Windows and of all others: it is
    neither absolute nor on a drive of its own, and no part of it is ``..``."""
    windows = PureWindowsPath(path)
    rooted = bool(windows.drive or windows.root) or path.startswith("/")
    return not rooted and ".." not in windows.parts and "\0" not in path
