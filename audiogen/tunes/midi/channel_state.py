"""What the channels of a MIDI file are set to: volume, pedals, pitch bend and other controllers, over time.

A tail begins where the prompt ends, and would inherit what holds there: the volume 0 of a fade-out, a bend that is
held. `resets` says how to go back to what held during most of the prompt.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from audiogen.tunes.tune import Tune, in_order

PITCH_BEND, CHANNEL_PRESSURE, MASTER_VOLUME, KEY_PRESSURE = 128, 129, 130, 256
"""Of the third column beside the numbers 0..127 of control changes; `KEY_PRESSURE` plus the key."""
ALL_CHANNELS = -1
"""The channel of `MASTER_VOLUME`, which is a system exclusive message."""
BANK = (0, 32)
DATA_ENTRY = (6, 38)
NUMBERS = (98, 99, 100, 101)  # of (non-)registered parameters, which data entry then sets
STEPS = (96, 97)
RESET_ALL, NOT_STATE = 121, (120, 121, 123)
SUSTAIN = 64
PEDALS = (SUSTAIN, 66, 69)
"""Sustain, sostenuto and hold: what they hold rings on, so at a join they are lifted. All presses of the tail are its
own."""
DOWN = 64
NAMES = {
    1: "modulation",
    2: "breath",
    4: "foot controller",
    7: "volume",
    11: "expression",
    SUSTAIN: "sustain pedal",
    66: "sostenuto pedal",
    67: "soft pedal",
    69: "hold pedal",
    71: "resonance",
    74: "brightness",
    PITCH_BEND: "pitch bend",
    CHANNEL_PRESSURE: "channel pressure",
    MASTER_VOLUME: "master volume",
}
"""What is played in a passage rather than set for a piece."""
FINE = {number + 32: f"{NAMES[number]} (fine)" for number in (1, 2, 4, 7, 11)}
DEFAULTS = {7: 100, 11: 127, 71: 64, 74: 64, MASTER_VOLUME: 2**14 - 1}
"""What holds before anything is said, where that is not 0."""
AFTER_RESET_ALL = (1, 2, 4, 11, *PEDALS, 67, PITCH_BEND, CHANNEL_PRESSURE)


class Reset(NamedTuple):
    """Args:
    channel: 0..15, or `ALL_CHANNELS`.
    controller: as in ``Tune.controllers``.
    held: value at the end of the prompt.
    value: that it goes back to.
    """

    channel: int
    controller: int
    held: int
    value: int

    @property
    def name(self) -> str:
        """Of the controller."""
        return name_of(self.controller)


def name_of(controller: int) -> str:
    """For messages."""
    if controller >= KEY_PRESSURE:
        return f"pressure of key {controller - KEY_PRESSURE}"
    return NAMES.get(controller) or FINE.get(controller) or f"controller {controller}"


def resets(tune: Tune) -> list[Reset]:
    """Which controllers at the end of the last note are not as they were during most of the notes' time.

    Typical is the median of a controller's values, weighted by how long notes of its channel sounded with each.
    """
    found = []
    for channel, controller in _transient(tune):
        held = value_at(tune, channel, controller, tune.end)
        lifted = 0 if held >= DOWN else held
        value = lifted if controller in PEDALS else typical(tune, channel, controller)
        if value != held:
            found.append(Reset(channel, controller, held, value))
    return found


def reset_rows(tune: Tune) -> np.ndarray:
    """`resets` as rows of ``Tune.controllers`` at the tune's end."""
    rows = [(tune.end, each.channel, each.controller, each.value) for each in resets(tune)]
    return np.array(rows, np.int64).reshape(-1, 4)


def _transient(tune: Tune) -> list[tuple[int, int]]:
    """(channel, controller) of what is played, on channels that have notes."""
    sounding = {tune.parts[index].channel for index in np.unique(tune.notes["part"])} | {ALL_CHANNELS}
    pairs = np.unique(tune.controllers[:, 1:3], axis=0).tolist()
    known = NAMES.keys() | FINE.keys()
    return [(c, number) for c, number in pairs if c in sounding and (number in known or number >= KEY_PRESSURE)]


def _changes(tune: Tune, channel: int, controller: int) -> np.ndarray:
    """``[changes, 2]`` of (tick, value), the first at tick 0; the later one of a tick counts."""
    rows = tune.controllers
    own = rows[:, 2] == controller
    if controller in AFTER_RESET_ALL or controller >= KEY_PRESSURE:
        own = own | (rows[:, 2] == RESET_ALL)
    rows = rows[own & (rows[:, 1] == channel)]
    default = DEFAULTS.get(controller, 0)
    values = np.where(rows[:, 2] == controller, rows[:, 3], default)
    return np.concatenate([[[0, default]], np.column_stack([rows[:, 0], values])]).astype(np.int64)


def value_at(tune: Tune, channel: int, controller: int, tick: int) -> int:
    """What a controller is set to once all of a tick has been said."""
    changes = _changes(tune, channel, controller)
    said = int(np.searchsorted(changes[:, 0], tick, side="right"))
    return int(changes[max(said - 1, 0), 1])


def typical(tune: Tune, channel: int, controller: int) -> int:
    """The median of a controller's values over the time of its channel's notes."""
    changes = _changes(tune, channel, controller)
    parts = [index for index, part in enumerate(tune.parts) if channel in (part.channel, ALL_CHANNELS)]
    notes = tune.notes[np.isin(tune.notes["part"], parts)]
    ticks = np.append(changes[:, 0], tune.end)
    weights = np.maximum(np.diff(_sounding_before(notes, ticks)), 0)
    order = np.argsort(changes[:, 1], kind="stable")
    total = np.cumsum(weights[order])
    if not len(total) or total[-1] == 0:
        return int(changes[-1, 1])
    return int(changes[order][np.searchsorted(total, total[-1] / 2), 1])


def _sounding_before(notes: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    """Ticks that notes have sounded for before each of some ticks, all notes added."""
    total = np.zeros(len(ticks), np.float64)
    for name, sign in (("start", 1), ("end", -1)):
        times = np.sort(notes[name])
        before = np.searchsorted(times, ticks)
        total += sign * (before * ticks - np.append(0, np.cumsum(times))[before])
    return total


def state_rows(tune: Tune, tick: int) -> np.ndarray:
    """What sets all channels as they are set at a tick, ``[rows, 4]`` at tick 0: banks first."""
    rows = tune.controllers[tune.controllers[:, 0] <= tick]
    found: list[tuple[int, int, int]] = []
    for channel in np.unique(rows[:, 1]).tolist():
        own = rows[rows[:, 1] == channel]
        numbers = [number for number in np.unique(own[:, 2]).tolist() if number not in (*NOT_STATE, *STEPS)]
        held = {number: value_at(tune, channel, number, tick) for number in numbers}
        banks = [(channel, number, held.pop(number)) for number in BANK if number in held]
        parameters = [(channel, number, value) for number, value in _parameters(own)]
        for number in (*NUMBERS, *DATA_ENTRY):
            held.pop(number, None)
        lifted = {number for number in PEDALS if held.get(number, 0) < DOWN}
        found += [*banks, *parameters, *((channel, n, value) for n, value in held.items() if n not in lifted)]
    return np.array([(0, *row) for row in found], np.int64).reshape(-1, 4)


def _parameters(rows: np.ndarray) -> list[tuple[int, int]]:
    """The control changes that set the (non-)registered parameters of one channel as ``rows`` leave them."""
    selected: dict[int, int] = {}
    data: dict[tuple[tuple[int, int], ...], dict[int, int]] = {}
    for _, _, number, value in rows[np.isin(rows[:, 2], (*NUMBERS, *DATA_ENTRY))].tolist():
        if number in NUMBERS:
            kept = NUMBERS[:2] if number in NUMBERS[:2] else NUMBERS[2:]
            selected = {key: old for key, old in selected.items() if key in kept} | {number: value}
        elif selected:
            data.setdefault(tuple(sorted(selected.items())), {})[number] = value
    found: list[tuple[int, int]] = []
    for chosen, values in data.items():
        found += [*reversed(chosen), *sorted(values.items())]
    return found + (sorted(selected.items(), reverse=True) if found else [])


def moved(rows: np.ndarray, old: int, new: int) -> np.ndarray:
    """The rows of one channel, for another."""
    rows = rows[rows[:, 1] == old].copy()
    rows[:, 1] = new
    return rows


def merged(*tables: np.ndarray) -> np.ndarray:
    """Tables of ``Tune.controllers`` as one, in order of ticks."""
    return in_order(np.concatenate(tables))
