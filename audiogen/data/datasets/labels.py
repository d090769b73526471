"""Reader of MusicNet's note labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audiogen.data.datasets.layout import read_rows
from audiogen.errors import InputError
from audiogen.tunes.tune import NOTE, Part, Tune, tidy

COLUMNS = ("start_time", "end_time", "instrument", "note")
SAMPLE_RATE = 44100
VELOCITY = 80  # the labels have none


def read_labels(path: Path) -> Tune:
    """The notes of a label file, as a Tune whose ticks are samples of the recording.

    The labels have neither bars nor velocities.

    Raises:
        InputError: it cannot be read or contains no note.
    """
    rows = read_rows(path, COLUMNS)
    try:
        values = np.array([[int(row[column]) for column in COLUMNS] for row in rows], np.int64).reshape(-1, 4)
    except ValueError as error:
        raise InputError(path, f"a label is not a number ({error})", "unpack the archive again") from error
    if not len(values):
        raise InputError(path, "there is no note in it", "unpack the archive again")
    start, end, instrument, pitch = values.T
    if start.min() < 0 or (end <= start).any() or pitch.min() < 0 or pitch.max() > 127:
        raise InputError(path, "a note has an impossible time or pitch", "unpack the archive again")
    instruments, part = np.unique(instrument, return_inverse=True)
    notes = np.zeros(len(values), NOTE)
    notes["start"], notes["end"], notes["pitch"], notes["part"] = start, end, pitch, part
    notes["velocity"] = VELOCITY
    parts = tuple(Part(int(np.clip(number - 1, 0, 127))) for number in instruments)
    return Tune(tidy(notes), parts, ticks_per_quarter=SAMPLE_RATE // 2)
