"""Piano rolls as PNG images, with a common range of keys and a common time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audiogen.reports.figures import encode_png
from audiogen.reports.panels import data_uri
from audiogen.tunes.tune import Tune

WIDTH = 600  # pixels
MARGIN = 2  # keys above and below
PITCH_CLASSES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
Timed = tuple[Tune, float]
"""A tune, and the second of its time axis at which the picture begins."""


def piano_rolls(shown: Mapping[str, Timed], seconds: float) -> dict[str, dict[str, Any]]:
    """Piano rolls of the tunes that have notes, all with the same range of keys.

    Args:
        shown: the tunes by name.
        seconds: duration of each picture.

    Returns:
        Name -> ``roll``, a PNG as a data URI, and the names of its ``lowest`` and ``highest`` key.
    """
    with_notes = {name: timed for name, timed in shown.items() if len(timed[0].notes)}
    if not with_notes:
        return {}
    pitches = np.concatenate([tune.notes["pitch"] for tune, _ in with_notes.values()]).astype(int)
    low, high = max(int(pitches.min()) - MARGIN, 0), min(int(pitches.max()) + MARGIN, 127)
    names = {"lowest": key_name(low), "highest": key_name(high)}
    rolls = {name: draw_roll(*timed, seconds, low, high) for name, timed in with_notes.items()}
    return {
        name: {"roll": data_uri("image/png", encode_png(roll, 0, 1, "Greys")), **names} for name, roll in rolls.items()
    }


def draw_roll(tune: Tune, since: float, seconds: float, low: int, high: int) -> np.ndarray:
    """Piano roll ``[high - low + 1, WIDTH]``, lowest key first: 0 is silence, values up to 1 grow with the velocity."""
    roll = np.zeros((high - low + 1, WIDTH))
    scale = WIDTH / seconds
    first, last = (np.rint((tune.seconds_at(tune.notes[end]) - since) * scale).astype(int) for end in ("start", "end"))
    columns: Sequence[np.ndarray] = (first, last, tune.notes["pitch"], tune.notes["velocity"])
    for start, end, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
        # The first pixel stays white, so that repeated notes are separated.
        start = max(start, 0)
        roll[pitch - low, start + (end - start > 2) : max(end, start + 1)] = 0.4 + 0.6 * velocity / 127
    return roll


def key_name(pitch: int) -> str:
    """Name of a MIDI pitch; 60 is C4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"
