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


def folder_of_files(folder: Path, shares: SplitFractions | None = None, seed: int = 0) -> list[Item]:
    """Everything in a folder, split by piece. ``a/b.mid`` and ``a/b.wav`` are one piece; files alike to the
    byte under several names stay in one part.

    Raises:
        InputError: no such folder, or nothing in it.
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
    splits = split_by_content(content, shares or SplitFractions(), seed)
    items = [Item(name, splits[name], midi=midi.get(name), audio=audio.get(name)) for name in names]
    try:
        return items + (read_abc(abc, folder, shares, seed) if abc else [])
    except InputError as error:
        if not items:
            raise
        warnings.warn(f"left out: {error}", AudioWarning, stacklevel=2)
        return items


def read_abc(paths: Iterable[Path], root: Path, shares: SplitFractions | None, seed: int) -> list[Item]:
    """The tunes of ABC files, split by tune. A name is the file's, the tune's ``X:`` number and its title.

    A file that cannot be read is warned of and left out.

    Raises:
        InputError: there is no tune in any of them.
    """
    from audiogen.tunes.abc_notation import abc_title, decode_abc, split_abc  # not needed for recordings

    found: dict[str, str] = {}
    for path in paths:
        try:
            size = path.stat().st_size
            if size > MAX_ABC_BYTES:
                limit = f"cut it below {MAX_ABC_BYTES >> 20} MiB"
                raise InputError(path, f"{size >> 20} MiB of ABC notation are too many", limit)
            text = decode_abc(path.read_bytes())
        except OSError as error:
            warnings.warn(f"left out: {path}: it cannot be read ({error.strerror})", AudioWarning, stacklevel=2)
            continue
        place = path.relative_to(root).with_suffix("").as_posix()
        for count, abc in enumerate(split_abc(text), 1):
            number = abc[2:].split("\n", 1)[0].strip()
            name = f"{place}/{number} {abc_title(abc)}".strip()
            found[name if name not in found else f"{name} ({count})"] = abc
    if not found:
        raise InputError(root, "there is no tune in its ABC files", "each tune begins with an X: line")
    content = {name: abc.split("\n", 1)[1].encode() for name, abc in found.items()}
    splits = split_by_content(content, shares or SplitFractions(), seed)
    return [Item(name, splits[name], abc=abc) for name, abc in found.items()]


def split_by_content(content: Mapping[str, bytes], shares: SplitFractions, seed: int) -> dict[str, Split]:
    """A split of names in which those with the same content are together.

    The order is that of the content's hash, so names and their number do not matter.
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    splits = split_recordings(sorted(set(digests.values())), shares, seed)
    return {name: splits[digest] for name, digest in digests.items()}


def content_of(path: Path, name: str) -> bytes:
    """What a file holds; its name where it cannot be read, which whoever reads it will say."""
    try:
        return path.read_bytes()
    except OSError:
        return name_bytes(name)


def name_bytes(name: str) -> bytes:
    """A name as bytes; one that is not UTF-8 holds lone surrogates."""
    return name.encode("utf-8", "surrogatepass")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # it may not be looked at; whoever reads it will say so
        return True


def _named(paths: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Paths by their place without suffix; with it for all but the first where that is taken."""
    found: dict[str, Path] = {}
    for path in paths:
        place = path.relative_to(folder)
        name = place.with_suffix("").as_posix()
        found[name if name not in found else place.as_posix()] = path
    return found


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
