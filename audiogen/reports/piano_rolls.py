"""Piano rolls of a comparison: all with the same keys, on the time axis of the spectrograms above them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audiogen.tunes.tune import Tune

WIDTH = 600  # pixels
MARGIN = 2  # keys above and below
CLASSES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
Timed = tuple[Tune, float]
"""Notes, and the seconds of their clock at which the picture begins."""


def rolls(shown: Mapping[str, Timed], seconds: float) -> dict[str, dict[str, Any]]:
    """For each of the tunes that have notes: ``roll``, a PNG as a data URI, and the names of its ``lowest`` and
    ``highest`` key, which all of them share.

    Args:
        shown: the tunes by name.
        seconds: that each picture lasts.
    """
    sung = {name: timed for name, timed in shown.items() if len(timed[0].notes)}
    if not sung:
        return {}
    pitches = np.concatenate([tune.notes["pitch"] for tune, _ in sung.values()]).astype(int)
    low, high = max(int(pitches.min()) - MARGIN, 0), min(int(pitches.max()) + MARGIN, 127)
    names = {"lowest": key_name(low), "highest": key_name(high)}
    return {name: {"roll": _png(picture(*timed, seconds, low, high)), **names} for name, timed in sung.items()}


def picture(tune: Tune, since: float, seconds: float, low: int, high: int) -> np.ndarray:
    """``[high - low + 1, WIDTH]``, the lowest key first: 0 is silence, louder notes are larger, up to 1."""
    roll = np.zeros((high - low + 1, WIDTH))
    scale = WIDTH / seconds
    first, last = (np.rint((tune.seconds_at(tune.notes[end]) - since) * scale).astype(int) for end in ("start", "end"))
    columns: Sequence[np.ndarray] = (first, last, tune.notes["pitch"], tune.notes["velocity"])
    for begun, end, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
        # The first pixel stays white: a note that is struck again is seen to be.
        begun = max(begun, 0)
        roll[pitch - low, begun + (end - begun > 2) : max(end, begun + 1)] = 0.4 + 0.6 * velocity / 127
    return roll


def key_name(pitch: int) -> str:
    """60 is C4."""
    return f"{CLASSES[pitch % 12]}{pitch // 12 - 1}"


def _png(roll: np.ndarray) -> str:
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, roll, vmin=0, vmax=1, cmap="Greys", origin="lower", format="png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
