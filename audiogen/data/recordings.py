"""Recordings in a folder, and their split into training, validation and test."""

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
    """Audio files in a folder and its subfolders, by suffix, sorted; without hidden ones.

    Raises:
        InputError: the folder does not exist or contains no audio file.
    """
    if folder.is_file():
        raise InputError(folder, "it is a file", "name the folder that contains it")
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
    """Turn any exception while a file is read into an InputError that names the file.

    One bad file must not end a job on many, whatever the system or a decoder raises.
    """
    try:
        yield
    except (InputError, MemoryError, Warning):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise InputError(path, f"it cannot be read ({reason})", "export it again, or remove it") from error


@dataclass(frozen=True)
class SplitFractions:
    """Fractions of the recordings, or of the time of a single one, that are held out.

    Args:
        validation: held out to stop the training, 0..1.
        test: held out for the final evaluation, 0..1; with ``validation``, below 1.
    """

    validation: FractionBelowOne = 0.1
    test: FractionBelowOne = 0.1

    def __post_init__(self) -> None:
        if self.validation < 0 or self.test < 0 or self.validation + self.test >= 1:
            raise ValueError("validation and test must be at least 0 and together below 1")


def split_recordings(names: list[str], fractions: SplitFractions, seed: int = 0) -> dict[str, Split]:
    """Assign whole recordings to splits, so that no recording is in two of them.

    They are ordered by a hash of seed and name, so that adding a recording moves few others. A split with a fraction
    above 0 gets at least one recording, as long as one remains to train on.

    Args:
        names: of the recordings.
        fractions: held out for validation and test.
        seed: of the hash.

    Returns:
        Name -> split.
    """
    ranked = sorted(names, key=lambda name: _digest(f"{seed}/{name}"))
    splits: dict[str, Split] = {}
    held_out: list[tuple[Split, float]] = [("validation", fractions.validation), ("test", fractions.test)]
    for split, fraction in held_out:
        count = max(round(fraction * len(names)), 1 if fraction > 0 else 0)
        for name in ranked[: min(count, max(len(ranked) - 1, 0))]:
            splits[name] = split
        ranked = [name for name in ranked if name not in splits]
    return {name: splits.get(name, "train") for name in names}


def _digest(text: str) -> bytes:
    # A name that is not UTF-8 contains lone surrogates.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
