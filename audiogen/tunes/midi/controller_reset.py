"""Reset MIDI controllers at the join: volume, pitch bend, pedals and others return to their typical values.

A tail begins with the channels as the prompt leaves them, and would inherit the volume 0 of a fade-out or a pitch
bend that was never released. Each expressive controller is therefore reset to its value during most of the prompt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from audiogen.tunes.midi.controllers import (
    ALL_CHANNELS,
    PEDAL_DOWN,
    PEDALS,
    changes_of,
    controller_name,
    is_expressive,
    value_at,
)
from audiogen.tunes.tune import Tune


class Reset(NamedTuple):
    """One controller's change at the join.

    Args:
        channel: 0..15, or `ALL_CHANNELS`.
        controller: number as in ``Tune.controllers``.
        final: value at the end of the prompt.
        value: value at the beginning of the tail.
    """

    channel: int
    controller: int
    final: int
    value: int

    @property
    def name(self) -> str:
        """Name of the controller."""
        return controller_name(self.controller)


def controller_resets(tune: Tune) -> list[Reset]:
    """The expressive controllers whose final values differ from their typical ones.

    Pedals that are down are lifted, whatever is typical: presses of the tail are its own.
    """
    result = []
    for channel, controller in _expressive_controllers(tune):
        final = value_at(tune, channel, controller, tune.end)
        lifted = 0 if final >= PEDAL_DOWN else final
        value = lifted if controller in PEDALS else typical_value(tune, channel, controller)
        if value != final:
            result.append(Reset(channel, controller, final, value))
    return result


def reset_rows(tune: Tune) -> np.ndarray:
    """`controller_resets` as rows of ``Tune.controllers`` at the tune's end, ``[resets, 4]``."""
    rows = [(tune.end, reset.channel, reset.controller, reset.value) for reset in controller_resets(tune)]
    return np.array(rows, np.int64).reshape(-1, 4)


def typical_value(tune: Tune, channel: int, controller: int) -> int:
    """Median of a controller's values, each weighted by how long notes of the channel sound with it."""
    changes = changes_of(tune, channel, controller)
    parts = [index for index, part in enumerate(tune.parts) if channel in (part.channel, ALL_CHANNELS)]
    notes = tune.notes[np.isin(tune.notes["part"], parts)]
    ticks = np.append(changes[:, 0], tune.end)
    weights = np.maximum(np.diff(_sounding_time_before(notes, ticks)), 0)
    order = np.argsort(changes[:, 1], kind="stable")
    total = np.cumsum(weights[order])
    if not len(total) or total[-1] == 0:
        return int(changes[-1, 1])
    return int(changes[order][np.searchsorted(total, total[-1] / 2), 1])


def _expressive_controllers(tune: Tune) -> list[tuple[int, int]]:
    """(channel, controller) of the expressive controllers that are set, on channels with notes."""
    channels = {tune.parts[index].channel for index in np.unique(tune.notes["part"])} | {ALL_CHANNELS}
    pairs = np.unique(tune.controllers[:, 1:3], axis=0).tolist()
    return [(channel, number) for channel, number in pairs if channel in channels and is_expressive(number)]


def _sounding_time_before(notes: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    """Sum over all notes of the time that each has sounded before each of the ticks, in ticks."""
    total = np.zeros(len(ticks), np.float64)
    for name, sign in (("start", 1), ("end", -1)):
        times = np.sort(notes[name])
        before = np.searchsorted(times, ticks)
        total += sign * (before * ticks - np.append(0, np.cumsum(times))[before])
    return total
