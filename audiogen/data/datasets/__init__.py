"""Readers of published data sets, as lists of `Item`: a name, a split, and files of MIDI, audio and notes.

Each reader takes ``(folder, fractions, seed)``. It follows the official split if there is one, and names missing files.
"""

from collections.abc import Callable
from pathlib import Path

from audiogen.data.datasets.base import Item
from audiogen.data.datasets.checksums import verify
from audiogen.data.datasets.folder import folder_of_files
from audiogen.data.datasets.maestro import maestro
from audiogen.data.datasets.musicnet import musicnet
from audiogen.data.datasets.nottingham import nottingham
from audiogen.data.recordings import SplitFractions

DATASETS: dict[str, Callable[[Path, SplitFractions | None, int], list[Item]]] = {
    "folder": folder_of_files,
    "maestro": maestro,
    "musicnet": musicnet,
    "nottingham": nottingham,
}


def guess(folder: Path) -> str:
    """The key of `DATASETS` whose layout a folder has; "folder" if it has none of them."""
    for inner in (folder, *(path for path in folder.glob("*") if path.is_dir())):
        if next(inner.glob("maestro-v*.csv"), None):
            return "maestro"
        if (inner / "train_labels").is_dir():
            return "musicnet"
        if (inner / "ABC_cleaned").is_dir() or next(inner.glob("valid/*.mid"), None):
            return "nottingham"
    return "folder"


__all__ = ["DATASETS", "Item", "folder_of_files", "guess", "maestro", "musicnet", "nottingham", "verify"]
