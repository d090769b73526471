"""MIDI controllers over time: what each channel of a Tune is set to (volume, pedals, pitch bend, bank, ...).

Rows of ``Tune.controllers`` are (tick, channel, controller, value). Controllers 0..127 are control changes; pitch
bend, pressure and the master volume are numbered above those.
"""

from __future__ import annotations

import numpy as np

from audiogen.tunes.tune import Tune

PITCH_BEND, CHANNEL_PRESSURE, MASTER_VOLUME, KEY_PRESSURE = 128, 129, 130, 256
"""Controller numbers beside those of control changes. `KEY_PRESSURE` plus a key is that key's pressure."""
ALL_CHANNELS = -1
"""Channel of `MASTER_VOLUME`, which is a system exclusive message."""
BANK = (0, 32)
DATA_ENTRY = (6, 38)
PARAMETER_NUMBERS = (98, 99, 100, 101)
"""Select the non-registered (98, 99) or registered (100, 101) parameter that `DATA_ENTRY` then sets."""
DATA_STEPS = (96, 97)
RESET_ALL = 121
MODE_MESSAGES = (120, 121, 123)
"""All sound off, reset all controllers, all notes off: actions, not values that a channel holds."""
SUSTAIN = 64
PEDALS = (SUSTAIN, 66, 69)
"""Sustain, sostenuto and hold, which keep notes sounding."""
PEDAL_DOWN = 64
"""A pedal is down at this value or above."""
EXPRESSIVE = {
    1: "modulation",
    2: "breath",
    4: "foot controller",
    7: "volume",
    11: "expression",
    SUSTAIN: "sustain pedal",
    65: "portamento",
    66: "sostenuto pedal",
    67: "soft pedal",
    68: "legato",
    69: "hold pedal",
    71: "resonance",
    74: "brightness",
    PITCH_BEND: "pitch bend",
    CHANNEL_PRESSURE: "channel pressure",
    MASTER_VOLUME: "master volume",
}
"""Names of the controllers that are performed within a passage, rather than set once for a piece (bank, pan, ...)."""
FINE = {number + 32: f"{EXPRESSIVE[number]} (fine)" for number in (1, 2, 4, 7, 11)}
"""Names of the least significant bytes of 14-bit controllers."""
DEFAULTS = {7: 100, 11: 127, 71: 64, 74: 64, MASTER_VOLUME: 2**14 - 1}
"""Values before the first change, where not 0."""
CLEARED_BY_RESET_ALL = (1, 2, 4, 11, *PEDALS, 65, 67, PITCH_BEND, CHANNEL_PRESSURE)


def controller_name(controller: int) -> str:
    """Name of a controller, for messages."""
    if controller >= KEY_PRESSURE:
        return f"pressure of key {controller - KEY_PRESSURE}"
    return EXPRESSIVE.get(controller) or FINE.get(controller) or f"controller {controller}"


def is_expressive(controller: int) -> bool:
    """Whether a controller is performed within a passage, rather than set once for a piece."""
    return controller in EXPRESSIVE or controller in FINE or controller >= KEY_PRESSURE


def changes_of(tune: Tune, channel: int, controller: int) -> np.ndarray:
    """``[changes, 2]`` of (tick, value), the first at tick 0; of several on one tick, the last one holds."""
    rows = tune.controllers
    own = rows[:, 2] == controller
    if controller in CLEARED_BY_RESET_ALL or controller >= KEY_PRESSURE:
        own = own | (rows[:, 2] == RESET_ALL)
    rows = rows[own & (rows[:, 1] == channel)]
    default = DEFAULTS.get(controller, 0)
    values = np.where(rows[:, 2] == controller, rows[:, 3], default)
    return np.concatenate([[[0, default]], np.column_stack([rows[:, 0], values])]).astype(np.int64)


def value_at(tune: Tune, channel: int, controller: int, tick: int) -> int:
    """Value of a controller after all changes up to and including a tick."""
    changes = changes_of(tune, channel, controller)
    count = int(np.searchsorted(changes[:, 0], tick, side="right"))
    return int(changes[max(count - 1, 0), 1])


def state_rows(tune: Tune, tick: int) -> np.ndarray:
    """Controller rows that set all channels to their state at a tick.

    Returns:
        ``[rows, 4]`` as ``Tune.controllers``, at tick 0, banks first. Pedals that are up are left out.
    """
    rows = tune.controllers[tune.controllers[:, 0] <= tick]
    result: list[tuple[int, int, int]] = []
    for channel in np.unique(rows[:, 1]).tolist():
        own = rows[rows[:, 1] == channel]
        numbers = [n for n in np.unique(own[:, 2]).tolist() if n not in (*MODE_MESSAGES, *DATA_STEPS)]
        values = {number: value_at(tune, channel, number, tick) for number in numbers}
        banks = [(channel, number, values.pop(number)) for number in BANK if number in values]
        parameters = [(channel, number, value) for number, value in _parameter_changes(own)]
        for number in (*PARAMETER_NUMBERS, *DATA_ENTRY):
            values.pop(number, None)
        lifted = {number for number in PEDALS if values.get(number, 0) < PEDAL_DOWN}
        result += [*banks, *parameters, *((channel, n, value) for n, value in values.items() if n not in lifted)]
    return np.array([(0, *row) for row in result], np.int64).reshape(-1, 4)


def _parameter_changes(rows: np.ndarray) -> list[tuple[int, int]]:
    """(controller, value) of the changes that leave one channel's (non-)registered parameters as ``rows`` do."""
    selected: dict[int, int] = {}
    data: dict[tuple[tuple[int, int], ...], dict[int, int]] = {}
    for _, _, number, value in rows[np.isin(rows[:, 2], (*PARAMETER_NUMBERS, *DATA_ENTRY))].tolist():
        if number in PARAMETER_NUMBERS:
            kept = PARAMETER_NUMBERS[:2] if number in PARAMETER_NUMBERS[:2] else PARAMETER_NUMBERS[2:]
            selected = {key: old for key, old in selected.items() if key in kept} | {number: value}
        elif selected:
            data.setdefault(tuple(sorted(selected.items())), {})[number] = value
    changes: list[tuple[int, int]] = []
    for parameter, values in data.items():
        changes += [*reversed(parameter), *sorted(values.items())]
    return changes + (sorted(selected.items(), reverse=True) if changes else [])


def to_channel(rows: np.ndarray, old: int, new: int) -> np.ndarray:
    """The controller rows of one channel, moved to another."""
    rows = rows[rows[:, 1] == old].copy()
    rows[:, 1] = new
    return rows
