"""MAESTRO v3 (Hawthorne et al. 2019, arXiv 1810.12247): piano performances, with MIDI and audio aligned to about 3 ms.

Layout: ``maestro-v3.0.0.csv`` and one folder per year with ``.midi`` and ``.wav`` files; the MIDI-only archive is the
same without the ``.wav`` files. mirdata 1.0 supports only v2 and downloads its index, hence this reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from audiogen.data.datasets.base import Item
from audiogen.data.datasets.layout import find_root, read_rows, require, require_inside
from audiogen.data.recordings import Split, SplitFractions
from audiogen.errors import InputError

TABLE = "maestro-v*.csv"
COLUMNS = ("split", "midi_filename", "audio_filename")
SPLITS = ("train", "validation", "test")


def maestro(folder: Path, fractions: SplitFractions | None = None, seed: int = 0) -> list[Item]:
    """The set in its official split; ``fractions`` and ``seed`` are not used.

    Args:
        folder: the unpacked archive, or the folder that it was unpacked into.

    Raises:
        InputError: the table, some MIDI files, or some but not all of the recordings are missing.
    """
    root = find_root(folder, [TABLE], "MAESTRO archive")
    table = max(root.glob(TABLE))
    rows = read_rows(table, COLUMNS)
    unknown = next((row["split"] for row in rows if row["split"] not in SPLITS), None)
    if unknown is not None:
        raise InputError(table, f"there is no split {unknown!r}", "unpack the archive again")
    require_inside(table, [row[column] for row in rows for column in ("midi_filename", "audio_filename")])
    require(root, [root / row["midi_filename"] for row in rows])
    audio = [root / row["audio_filename"] for row in rows]
    with_audio = any(path.is_file() for path in audio)
    if with_audio:
        require(root, audio)
    return [
        Item(
            name=Path(row["midi_filename"]).with_suffix("").as_posix(),
            split=cast(Split, row["split"]),
            midi=root / row["midi_filename"],
            audio=path if with_audio else None,
        )
        for row, path in zip(rows, audio, strict=True)
    ]
