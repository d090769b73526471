"""The Nottingham folk tunes: about a thousand melodies with chords, as ABC notation or MIDI files.

Layouts: the cleaned set (``ABC_cleaned/*.abc`` and ``MIDI/*.mid``, whose folders ``melody`` and ``chords`` repeat the
same tunes); the split set of Boulanger-Lewandowski et al. (2012) (``train``, ``valid`` and ``test`` with ``.mid``
files); or a folder of ``.abc`` or ``.mid`` files.
"""

from __future__ import annotations

from pathlib import Path

from audiogen.data.datasets.base import Item
from audiogen.data.datasets.folder import content_of, read_abc, split_by_content
from audiogen.data.datasets.layout import find_root
from audiogen.data.recordings import Split, SplitFractions
from audiogen.errors import InputError

OFFICIAL: dict[str, Split] = {"train": "train", "valid": "validation", "test": "test"}


def nottingham(folder: Path, fractions: SplitFractions | None = None, seed: int = 0) -> list[Item]:
    """The set in its official split if its layout has one, else split by tune.

    MIDI files are preferred to ABC notation.

    Raises:
        InputError: there is neither, or a folder of the official split is missing or empty.
    """
    patterns = ["train/*.mid", "MIDI/*.mid", "ABC_cleaned/*.abc", "*.mid", "*.abc"]
    root = find_root(folder, patterns, "Nottingham set")
    if next(root.glob("train/*.mid"), None):
        return _official(root)
    midi = sorted(root.glob("MIDI/*.mid")) or sorted(root.glob("*.mid"))
    if midi:
        content = {path.stem: content_of(path, path.stem) for path in midi}
        splits = split_by_content(content, fractions or SplitFractions(), seed)
        return [Item(path.stem, splits[path.stem], midi=path) for path in midi]
    return read_abc(sorted(root.glob("ABC_cleaned/*.abc")) or sorted(root.glob("*.abc")), root, fractions, seed)


def _official(root: Path) -> list[Item]:
    items = []
    for name, split in OFFICIAL.items():
        paths = sorted((root / name).glob("*.mid"))
        if not paths:
            raise InputError(root, f"there is no MIDI file in {name}", "unpack the archive again")
        items += [Item(f"{name}/{path.stem}", split, midi=path) for path in paths]
    return items
