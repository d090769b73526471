"""Which recordings there are, and which of them train, validate and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from audiogen.config.option_types import FractionBelowOne
from audiogen.errors import InputError

SUFFIXES = frozenset(
    [
        ".wav",
        ".wave",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".caf",
        ".w64",
        ".rf64",
        ".m4a",
        ".aac",
        ".mp4",
        ".wma",
    ]
)
Split = Literal["train", "validation", "test"]


def find_recordings(folder: Path) -> list[Path]:
    """Audio files below ``folder`` by suffix, hidden ones left out, in a fixed order.

    Raises:
        InputError: no such folder, or no audio file in it.
    """
    if folder.is_file():
        raise InputError(folder, "it is a file", "name the folder that it lies in")
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", "name a folder of recordings")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise InputError(folder, "there is no audio file in it", "put WAV, FLAC, OGG or MP3 files there")
    return found


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever is raised while a file is read, by the system or by a decoder, as an InputError that names the file: one
    bad file must not end a job on many."""
    try:
        yield
    except (InputError, MemoryError, Warning):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise InputError(path, f"it cannot be read ({reason})", "export it again, or remove it") from error


@dataclass(frozen=True)
class SplitFractions:
    """Args:
    validation: share of the recordings, or of one recording's time, held back to stop the training.
    test: share held back from everything.
    """

    validation: FractionBelowOne = 0.1
    test: FractionBelowOne = 0.1

    def __post_init__(self) -> None:
        if self.validation < 0 or self.test < 0 or self.validation + self.test >= 1:
            raise ValueError("validation and test must be at least 0 and together below 1")


def split_recordings(names: list[str], shares: SplitFractions, seed: int = 0) -> dict[str, Split]:
    """Assign whole recordings to parts: no part hears a stretch of a recording that another part learns from.

    The order is that of a hash of seed and name, so adding a recording moves few others. With two recordings
    or more, each part with a share gets at least one as long as one is left to train on.
    """
    ranked = sorted(names, key=lambda name: _digest(f"{seed}/{name}"))
    parts: dict[str, Split] = {}
    wanted: list[tuple[Split, float]] = [("validation", shares.validation), ("test", shares.test)]
    for part, share in wanted:
        count = max(round(share * len(names)), 1 if share > 0 else 0)
        for name in ranked[: min(count, max(len(ranked) - 1, 0))]:
            parts[name] = part
        ranked = [name for name in ranked if name not in parts]
    return {name: parts.get(name, "train") for name in names}


def _digest(text: str) -> bytes:
    # A name that is not UTF-8 holds lone surrogates.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
