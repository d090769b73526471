"""Tags: title, artist, comment and others, under one set of names for all containers.

WAV files keep them as items of ``LIST INFO`` (RIFF MCI 1991, section 2), whose bytes are passed on as they are. For
FLAC, OGG, Opus, MP3 and AIFF they are libsndfile's strings, so no library is needed besides it; what libsndfile has no
name for (an album's picture, a replay gain) is not read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from audiogen.audio.suppress_stderr import suppress_c_stderr

INFO_NAMES = {
    "title": b"INAM",
    "artist": b"IART",
    "album": b"IPRD",
    "comment": b"ICMT",
    "copyright": b"ICOP",
    "date": b"ICRD",
    "genre": b"IGNR",
    "tracknumber": b"ITRK",
    "software": b"ISFT",
}
"""Name of a tag -> identifier in ``LIST INFO``."""

TAGS = (*INFO_NAMES, "license")
"""The names that libsndfile knows."""

UNWRITTEN = {"MP3": ("copyright", "license")}
"""Container -> tags that libsndfile does not write there; ``software`` is replaced without a warning."""

Items = Sequence[tuple[bytes, bytes]]
"""Identifier and content of each item of a list."""


def tags_of(path: Path) -> dict[str, str] | None:
    """Tags of a file that libsndfile can read; None if it cannot."""
    import soundfile

    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # by content: a name's suffix is not trusted
    try:
        with suppress_c_stderr(), soundfile.SoundFile(descriptor, closefd=False) as file:
            return {name: value for name in TAGS if (value := getattr(file, name))}
    except RuntimeError:
        return None
    finally:
        os.close(descriptor)


def tags_of_info(items: Items) -> dict[str, str]:
    """Tags of the items of a ``LIST INFO``."""
    names = {identifier: name for name, identifier in INFO_NAMES.items()}
    texts = {names[identifier]: decoded(value) for identifier, value in items if identifier in names}
    return {name: text for name, text in texts.items() if text}


def info_of_tags(tags: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Items of a ``LIST INFO``, in UTF-8; a licence has no identifier there and becomes part of the copyright."""
    named = {name: value for name, value in tags.items() if name in INFO_NAMES}
    if "license" in tags:
        named["copyright"] = "; ".join(filter(None, (tags.get("copyright"), tags["license"])))
    return [(INFO_NAMES[name], value.encode("utf-8", "replace") + b"\0") for name, value in named.items()]


def decoded(value: bytes) -> str:
    """A text up to its final 0: UTF-8, or else Windows' Latin-1."""
    value = value.split(b"\0")[0]
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")
