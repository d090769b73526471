"""One piece of a data set, as every reader returns it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audiogen.data.recordings import Split

if TYPE_CHECKING:
    from audiogen.tunes.tune import Tune


@dataclass(frozen=True)
class Item:
    """One piece of a data set, with at least one of four sources.

    Args:
        name: unique within the set, the same on every machine.
        split: that the whole piece belongs to.
        midi: its MIDI file.
        audio: its recording, aligned with ``midi`` or ``labels`` of the same performance.
        labels: its notes in MusicNet's format.
        abc: its ABC notation.
    """

    name: str
    split: Split
    midi: Path | None = None
    audio: Path | None = None
    labels: Path | None = None
    abc: str | None = None

    def tune(self) -> Tune | None:
        """Its notes, from the labels, else the MIDI file, else the ABC notation; None if there is only audio.

        Raises:
            InputError: the source cannot be read.
        """
        # Imported here, since recordings need none of these.
        if self.labels is not None:
            from audiogen.data.datasets.labels import read_labels

            return read_labels(self.labels)
        if self.midi is not None:
            from audiogen.tunes.midi.reader import read_midi

            return read_midi(self.midi)
        if self.abc is not None:
            from audiogen.tunes.abc_notation import tune_from_abc

            return tune_from_abc(self.abc, self.name)
        return None
