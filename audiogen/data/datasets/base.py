"""What every data set reader returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audiogen.data.recordings import Split

if TYPE_CHECKING:
    from audiogen.tunes.tune import Tune


@dataclass(frozen=True)
class Item:
    """One piece of a data set; at least one of the four sources is there.

    Args:
        name: unique within the set, stable from machine to machine.
        split: the part that it belongs to, as a whole.
        midi: its MIDI file.
        audio: its recording; where `tune` comes from ``midi`` or ``labels`` of the same performance, they are
            aligned.
        labels: its notes as MusicNet has them.
        abc: its ABC notation.
    """

    name: str
    split: Split
    midi: Path | None = None
    audio: Path | None = None
    labels: Path | None = None
    abc: str | None = None

    def tune(self) -> Tune | None:
        """Its notes, from the labels, the MIDI file or the ABC notation, in this order; None for audio alone.

        Raises:
            InputError: the source cannot be read.
        """
        # Imported here, since recordings need none of it.
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
