"""A plain folder of MIDI files, ABC notation or recordings, at any depth."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from audiogen.audio import AudioWarning
from audiogen.data.datasets.base import Item
from audiogen.data.recordings import SUFFIXES, Split, SplitFractions, split_recordings
from audiogen.errors import InputError
from audiogen.file_names import MIDI_SUFFIXES

MAX_ABC_BYTES = 256 * 2**20


def folder_of_files(folder: Path, fractions: SplitFractions | None = None, seed: int = 0) -> list[Item]:
    """Every MIDI file, ABC tune and recording in a folder and its subfolders, split by piece.

    ``a/b.mid`` and ``a/b.wav`` are one piece; copies of a file under several names stay in one split.

    Raises:
        InputError: the folder does not exist or contains no such file.
    """
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", "name a folder of MIDI files or recordings")
    paths = [path for path in sorted(folder.rglob("*")) if not _hidden(path, folder) and _is_file(path)]
    midi = _named([path for path in paths if path.suffix.lower() in MIDI_SUFFIXES], folder)
    audio = _named([path for path in paths if path.suffix.lower() in SUFFIXES], folder)
    abc = [path for path in paths if path.suffix.lower() == ".abc"]
    if not midi and not audio and not abc:
        raise InputError(folder, "there is neither MIDI, ABC notation nor audio in it", "put such files there")
    names = sorted({*midi, *audio})
    content = {name: content_of(midi[name], name) if name in midi else name_bytes(name) for name in names}
    splits = split_by_content(content, fractions or SplitFractions(), seed)
    items = [Item(name, splits[name], midi=midi.get(name), audio=audio.get(name)) for name in names]
    try:
        return items + (read_abc(abc, folder, fractions, seed) if abc else [])
    except InputError as error:
        if not items:
            raise
        warnings.warn(f"left out: {error}", AudioWarning, stacklevel=2)
        return items


def read_abc(paths: Iterable[Path], root: Path, fractions: SplitFractions | None, seed: int) -> list[Item]:
    """The tunes of ABC files, split by tune; warns of unreadable files, which are left out.

    A tune's name consists of its file's name, its ``X:`` number and its title.

    Raises:
        InputError: no file contains a tune.
    """
    from audiogen.tunes.abc_notation import abc_title, decode_abc, split_abc  # not needed for recordings

    found: dict[str, str] = {}
    for path in paths:
        try:
            size = path.stat().st_size
            if size > MAX_ABC_BYTES:
                cure = f"split it into files below {MAX_ABC_BYTES >> 20} MiB"
                raise InputError(path, f"{size >> 20} MiB of ABC notation are too many", cure)
            text = decode_abc(path.read_bytes())
        except OSError as error:
            warnings.warn(f"left out: {path}: it cannot be read ({error.strerror})", AudioWarning, stacklevel=2)
            continue
        file_name = path.relative_to(root).with_suffix("").as_posix()
        for count, abc in enumerate(split_abc(text), 1):
            number = abc[2:].split("\n", 1)[0].strip()
            name = f"{file_name}/{number} {abc_title(abc)}".strip()
            found[name if name not in found else f"{name} ({count})"] = abc
    if not found:
        raise InputError(root, "there is no tune in its ABC files", "each tune begins with an X: line")
    content = {name: abc.split("\n", 1)[1].encode() for name, abc in found.items()}
    splits = split_by_content(content, fractions or SplitFractions(), seed)
    return [Item(name, splits[name], abc=abc) for name, abc in found.items()]


def split_by_content(content: Mapping[str, bytes], fractions: SplitFractions, seed: int) -> dict[str, Split]:
    """Split names by their content, so that equal content is in one split.

    The order is that of the content's hash, so that renamed files and copies change nothing.
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    splits = split_recordings(sorted(set(digests.values())), fractions, seed)
    return {name: splits[digest] for name, digest in digests.items()}


def content_of(path: Path, name: str) -> bytes:
    """The content of a file, or its name if it cannot be read, which is reported when the piece is read."""
    try:
        return path.read_bytes()
    except OSError:
        return name_bytes(name)


def name_bytes(name: str) -> bytes:
    """A name as bytes; one that is not UTF-8 contains lone surrogates."""
    return name.encode("utf-8", "surrogatepass")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no permission, which is reported when the piece is read
        return True


def _named(paths: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Paths by their name in the folder without suffix, or with it if another file has that name already."""
    found: dict[str, Path] = {}
    for path in paths:
        inner = path.relative_to(folder)
        name = inner.with_suffix("").as_posix()
        found[name if name not in found else inner.as_posix()] = path
    return found


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
