"""MusicNet (Thickstun, Harchaoui & Kakade 2017, arXiv 1611.09827): 330 recordings with their notes.

Layout: ``train_data``, ``test_data`` (``ID.wav``), ``train_labels``, ``test_labels`` (``ID.csv``) and, optionally,
``musicnet_metadata.csv`` and ``musicnet_midis/COMPOSER/ID_*.mid`` (scores, not aligned with the recordings).
"""

from __future__ import annotations

from pathlib import Path

from audiogen.data.datasets.base import Item
from audiogen.data.datasets.layout import find_root, require
from audiogen.data.recordings import Split, SplitFractions, split_recordings
from audiogen.errors import InputError


def musicnet(folder: Path, fractions: SplitFractions | None = None, seed: int = 0) -> list[Item]:
    """The set with its official test split; the validation split is taken from the training recordings.

    Args:
        folder: the unpacked archive, or the folder that it was unpacked into.
        fractions: its ``validation`` is the fraction of the training recordings.
        seed: of that choice.

    Raises:
        InputError: labels are missing, or some but not all of the recordings.
    """
    root = find_root(folder, ["train_labels", "test_labels"], "MusicNet archive")
    found: dict[str, tuple[str, Path]] = {}
    for split in ("train", "test"):
        labels = sorted((root / f"{split}_labels").glob("*.csv"))
        if not labels:
            raise InputError(root, f"there are no labels in {split}_labels", "unpack the archive again")
        found |= {path.stem: (split, path) for path in labels}
    audio = {name: root / f"{split}_data" / f"{name}.wav" for name, (split, _) in found.items()}
    with_audio = any(path.is_file() for path in audio.values())
    if with_audio:
        require(root, list(audio.values()))
    train = [name for name, (split, _) in found.items() if split == "train"]
    validation = (fractions or SplitFractions()).validation
    splits: dict[str, Split] = split_recordings(train, SplitFractions(validation=validation, test=0), seed)
    scores = _scores(root) or _scores(folder)
    return [
        Item(
            name,
            splits.get(name, "test"),
            midi=scores.get(name),
            audio=audio[name] if with_audio else None,
            labels=labels,
        )
        for name, (_, labels) in found.items()
    ]


def _scores(root: Path) -> dict[str, Path]:
    return {path.name.split("_")[0]: path for path in sorted(root.glob("musicnet_midis/*/*.mid"))}
