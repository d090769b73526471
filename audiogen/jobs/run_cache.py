"""Runs that were trained on a recording, kept on this machine and found again by what they were trained on.

A folder per Run, named by the SHA-256 of the recording's samples and of everything else that decides the Run. The
folders used least recently are removed when all of them together exceed `MAX_BYTES`.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from shutil import rmtree

import numpy as np

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import InputError
from audiogen.jobs.provenance import versions
from audiogen.run import METRICS, Run

MAX_BYTES = 1 << 28  # about fifty Runs of the default configuration
PART = ".part-"  # prefix of a Run that is being written


def cache_folder() -> Path:
    """Folder of the cached Runs: ``audiogen/runs`` in $XDG_CACHE_HOME, or in ~/.cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "audiogen" / "runs"


def key_of(recording: Recording, *settings: object) -> str:
    """Key of a Run: what it was trained on, the settings as text, and the versions of audiogen and its libraries."""
    digest = hashlib.sha256(np.ascontiguousarray(recording.samples).tobytes())
    digest.update(repr((recording.samples.shape, recording.sample_rate, versions(), settings)).encode())
    return digest.hexdigest()[:32]


def find(key: str) -> Run | None:
    """The Run that is kept under a key; None if there is none, or if its files are damaged."""
    folder = cache_folder() / key
    if not (folder / METRICS).is_file():
        return None
    try:
        run = Run.open(folder)
        os.utime(folder)  # used just now
    except (InputError, OSError):
        rmtree(folder, ignore_errors=True)
        return None
    return run


def keep(key: str, run: Run) -> None:
    """Keep a Run under a key, and remove the least recently used ones beyond `MAX_BYTES`.

    Warns:
        AudioWarning: the folder cannot be written; the Run is not kept then.
    """
    root = cache_folder()
    part = root / f"{PART}{key}-{os.getpid()}"
    try:
        run.save(part)
        rmtree(root / key, ignore_errors=True)
        part.rename(root / key)
        _remove_oldest([folder for folder in root.iterdir() if not folder.name.startswith(PART)])
    except OSError as error:
        rmtree(part, ignore_errors=True)
        text = f"the trained model is not kept for the next time: {error}"
        warnings.warn(text, AudioWarning, stacklevel=2)


def _remove_oldest(folders: Iterable[Path]) -> None:
    used = 0
    for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True):
        used += sum(file.stat().st_size for file in folder.iterdir())
        if used > MAX_BYTES:
            rmtree(folder, ignore_errors=True)
