"""The shelf: the folder whose recordings and tunes the studio opens, and into which dropped files are copied."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from audiogen.data.recordings import SUFFIXES
from audiogen.errors import InputError
from audiogen.file_names import is_inside, is_midi, require_name

MAX_UPLOAD = 4 * 1024**3  # bytes
MAX_LISTED = 2000


class Shelf:
    """A folder.

    Args:
        folder: which exists.
        max_upload: bytes of a dropped file.
    """

    def __init__(self, folder: Path, max_upload: int = MAX_UPLOAD) -> None:
        if folder.is_file():
            raise InputError(folder, "it is a file", "name its folder, and open the file on the page")
        if not folder.is_dir():
            raise InputError(folder, "there is no such folder", "create it, or name another")
        self.folder, self.max_upload = folder.resolve(), max_upload

    def names(self) -> list[dict[str, object]]:
        """Name, size in bytes and kind of each recording and tune, by name."""
        listed = []
        for path in sorted(self.folder.iterdir(), key=lambda each: each.name.casefold()):
            known = is_midi(path) or path.suffix.lower() in SUFFIXES
            if known and not path.name.startswith(".") and path.is_file():
                kind = "tune" if is_midi(path) else "recording"
                has_project = self.project_folder(path.name).is_dir()
                listed.append({"name": path.name, "bytes": path.stat().st_size, "kind": kind, "project": has_project})
        return listed[:MAX_LISTED]

    def find(self, name: str) -> Path:
        """The path of a file of the folder.

        Raises:
            InputError: there is none, or the name leads out of the folder.
        """
        path = self._inside(name)
        if not path.is_file():
            raise InputError(name, "there is no such file in the folder", "choose one that is listed")
        if path.resolve().parent != self.folder:
            raise InputError(name, "it is a link that leads out of the folder", "copy the file itself")
        return path

    def project_folder(self, name: str) -> Path:
        """The folder of a recording's project."""
        return self.folder / f"{name}.studio"

    def _inside(self, name: str) -> Path:
        if not name or name.startswith(".") or not is_inside(name) or re.search(r"[/\\]", name):
            raise InputError(name or "the name", "it is not the name of a file in the folder", "choose another name")
        path = self.folder / name
        require_name(path, f"{path.suffix}.studio")
        return path

    async def receive(self, name: str, chunks: AsyncIterator[bytes]) -> Path:
        """Copy a dropped file into the folder, under a new name if its own is taken by another file.

        Raises:
            InputError: it is too large, empty, or not a recording or tune; nothing is left of it.
        """
        target = self._inside(name)
        part = self.folder / f".audiogen-{secrets.token_hex(6)}.part"
        size = 0
        try:
            with part.open("wb") as out:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self.max_upload:
                        limit = f"{self.max_upload / 1024**2:,.0f} MB"
                        raise InputError(name, f"it is larger than {limit}", f"put it into {self.folder} yourself")
                    out.write(chunk)
            require_readable(part, name)
            target = _free_name(target, part)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        return target


def require_readable(path: Path, name: str) -> None:
    """Raise an InputError about ``name`` unless a file begins as a recording or a tune does."""
    try:
        if is_midi(Path(name)):
            from audiogen.tunes.midi.reader import read_midi

            read_midi(path)
            return
        from audiogen.audio import open_blocks

        with open_blocks(path, 1.0) as blocks:
            next(iter(blocks), None)
    except InputError as error:
        raise InputError(name, error.cause, error.cure) from error


def _free_name(target: Path, part: Path) -> Path:
    """The name itself if it is free or holds the same bytes, else with a number."""
    number, candidate = 1, target
    while candidate.exists() and not _same_bytes(candidate, part):
        number += 1
        candidate = target.with_name(f"{target.stem}-{number}{target.suffix}")
    return candidate


def _same_bytes(first: Path, second: Path) -> bool:
    if first.stat().st_size != second.stat().st_size:
        return False
    with first.open("rb") as one, second.open("rb") as other:
        while chunk := one.read(1 << 20):
            if chunk != other.read(1 << 20):
                return False
    return True
