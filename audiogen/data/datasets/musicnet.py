"""MusicNet (Thickstun, Harchaoui & Kakade 2017, arXiv 1611.09827): 330 recordings with their notes.

Layout: ``train_data``, ``test_data`` (``ID.wav``), ``train_labels``, ``test_labels`` (``ID.csv``); beside
them, where also downloaded, ``musicnet_metadata.csv`` and ``musicnet_midis/COMPOSER/ID_*.mid`` (scores, not
aligned with the recordings).
"""

from __future__ import annotations

from pathlib import Path

from audiogen.data.datasets.base import Item
from audiogen.data.datasets.layout import find_root, require
from audiogen.data.recordings import Split, SplitFractions, split_recordings
from audiogen.errors import InputError


def musicnet(folder: Path, shares: SplitFractions | None = None, seed: int = 0) -> list[Item]:
    """The set with its official test part; the validation part is a share of the training part.

    Args:
        folder: the unpacked archive, or the folder that it was unpacked into.
        shares: the validation part's share of the training recordings.
        seed: of that choice.

    Raises:
        InputError: labels are missing, or some but not all of the recordings.
    """
    root = find_root(folder, ["train_labels", "test_labels"], "MusicNet archive")
    found: dict[str, tuple[str, Path]] = {}
    for part in ("train", "test"):
        labels = sorted((root / f"{part}_labels").glob("*.csv"))
        if not labels:
            raise InputError(root, f"there are no labels in {part}_labels", "unpack the archive again")
        found |= {path.stem: (part, path) for path in labels}
    audio = {name: root / f"{part}_data" / f"{name}.wav" for name, (part, _) in found.items()}
    heard = any(path.is_file() for path in audio.values())
    if heard:
        require(root, list(audio.values()))
    train = [name for name, (part, _) in found.items() if part == "train"]
    share = (shares or SplitFractions()).validation
    splits: dict[str, Split] = split_recordings(train, SplitFractions(validation=share, test=0), seed)
    scores = _scores(root) or _scores(folder)
    return [
        Item(
            name,
            splits.get(name, "test"),
            midi=scores.get(name),
            audio=audio[name] if heard else None,
            labels=labels,
        )
        for name, (_, labels) in found.items()
    ]


def _scores(root: Path) -> dict[str, Path]:
    return {path.name.split("_")[0]: path for path in sorted(root.glob("musicnet_midis/*/*.mid"))}
