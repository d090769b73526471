"""Parts of an audio file that lies beside a page: the page plays the file itself, and shows the part as a picture."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from audiogen.audio import AudioWarning, open_blocks
from audiogen.metrics.spectra import mel_power_stream

PLAYED = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus")
"""Suffixes of files that browsers play."""

MAX_PLAYED_CHANNELS = 2  # browsers give more channels to loudspeakers that may not be there
BLOCK_SECONDS = 20.0


@dataclass(frozen=True)
class FilePart:
    """A part of an audio file.

    Args:
        path: the file.
        sample_rate: Hz.
        join: first sample of the tail in the file.
        start, stop: the part.
    """

    path: Path
    sample_rate: int
    join: int
    start: int
    stop: int

    @property
    def seconds(self) -> float:
        return (self.stop - self.start) / self.sample_rate

    @property
    def before(self) -> float:
        """Seconds from the beginning of the part to the join."""
        return (self.join - self.start) / self.sample_rate

    def address(self, page: Path) -> str:
        """Address of the file, relative to a page; absolute if they are on different drives."""
        try:
            name = os.path.relpath(self.path, page.parent)
        except ValueError:
            return self.path.resolve().as_uri()
        return quote(os.fsencode(name.replace(os.sep, "/")))

    def blocks(self) -> Iterator[np.ndarray]:
        """Samples ``[channels, time]`` of the part, block by block."""
        position = 0
        with warnings.catch_warnings(), open_blocks(self.path, BLOCK_SECONDS) as blocks:
            warnings.simplefilter("ignore", AudioWarning)  # the sidecar has the warnings of this file
            for block in blocks:
                first, last = max(self.start - position, 0), max(self.stop - position, 0)
                if block[:, first:last].size:
                    yield block[:, first:last]
                position += block.shape[1]


def playable_part(path: Path, join: int, before: float) -> FilePart | None:
    """The part of a file from ``before`` seconds before its join to its end; None if browsers do not play it.

    Args:
        path: audio file.
        join: first sample of its tail; negative values count from the end.
        before: seconds.
    """
    with open_blocks(path) as blocks:
        rate, length = blocks.sample_rate, blocks.length
        known = path.suffix.lower() in PLAYED and blocks.subtype != "DOUBLE" and blocks.channels <= MAX_PLAYED_CHANNELS
    join = join if join >= 0 or length is None else length + join
    if not known or length is None or not 0 <= join < length:
        return None
    return FilePart(path, rate, join, max(join - round(before * rate), 0), length)


def column_powers(part: FilePart, size: int, bands: int, top: float, most: int) -> np.ndarray:
    """`mel_power` of a part of any length in constant memory, averaged within at most ``most`` columns.

    Returns:
        ``[columns, bands]``, as of the whole part at once.
    """
    count = max((part.stop - part.start) // (size // 4), 1)  # of frames
    edges = np.linspace(0, count, min(count, most) + 1).astype(int)
    sums, done = np.zeros((len(edges) - 1, bands)), 0
    for powers in mel_power_stream(part.blocks(), part.sample_rate, size, bands, top):
        columns = np.searchsorted(edges, np.arange(done, done + len(powers)), side="right") - 1
        np.add.at(sums, np.minimum(columns, len(sums) - 1), powers)
        done += len(powers)
    return sums / np.diff(edges)[:, None]
