"""Build MIDI tracks: the notes, pedals, clock and controllers of a Tune as mido messages in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from audiogen.tunes.midi.controllers import CHANNEL_PRESSURE, KEY_PRESSURE, MASTER_VOLUME, PITCH_BEND, SUSTAIN
from audiogen.tunes.midi.parser import import_mido
from audiogen.tunes.midi.reader import DRUM_CHANNEL, MASTER_VOLUME_PREFIX
from audiogen.tunes.tune import Part, Tune

Event = tuple[int, int, Any]
"""Tick, rank among the events of one tick, mido message (its own time is ignored)."""
END, CLOCK, SETUP, BEGIN = range(4)
"""Ranks: on one tick notes end, then the clock and the channels are set, then notes begin."""
MELODIC_CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
MAX_TEMPO = 2**24 - 1  # microseconds per quarter note


def assign_channels(parts: Iterable[Part]) -> list[int]:
    """A channel for each part: the one it was read from if that is free, else a free one, else a shared one.

    Parts of one program share before others do. Drums are on the percussion channel.
    """
    parts = list(parts)
    channels = [-1] * len(parts)
    for index, part in enumerate(parts):
        if part.drums:
            channels[index] = DRUM_CHANNEL
        elif part.channel in MELODIC_CHANNELS and part.channel not in channels:
            channels[index] = part.channel
    for index, part in enumerate(parts):
        if channels[index] < 0:
            free = [channel for channel in MELODIC_CHANNELS if channel not in channels]
            same_program = [
                channel
                for channel, other in zip(channels, parts, strict=True)
                if channel >= 0 and other.program == part.program and not other.drums
            ]
            channels[index] = (free or same_program or MELODIC_CHANNELS[-1:])[0]
    return channels


def clock_events(tune: Tune) -> list[Event]:
    """All tempo and meter changes."""
    mido = import_mido()
    tempos = [
        (tick, CLOCK, mido.MetaMessage("set_tempo", tempo=min(tempo, MAX_TEMPO)))
        for tick, tempo in tune.tempos.tolist()
    ]
    meters = [
        (tick, CLOCK, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
        for tick, numerator, denominator in tune.meters.tolist()
    ]
    return tempos + meters


def part_events(tune: Tune, index: int, channel: int, program: int | None = None) -> list[Event]:
    """Notes and pedal of one part.

    Args:
        index: of the part.
        channel: to play it on.
        program: set before each onset, for channels that several programs share; None for no program changes.
    """
    mido = import_mido()
    events: list[Event] = []
    notes = tune.notes[tune.notes["part"] == index]
    for start, end, pitch, velocity, _ in notes.tolist():
        events.append((start, BEGIN, mido.Message("note_on", channel=channel, note=pitch, velocity=max(velocity, 1))))
        events.append((end, END, mido.Message("note_off", channel=channel, note=pitch, velocity=0)))
    if program is not None:
        change = mido.Message("program_change", channel=channel, program=program)
        events += [(start, SETUP, change) for start in np.unique(notes["start"]).tolist()]
    for start, end, part in tune.pedals.tolist():
        if part == index:
            events.append((start, SETUP, _pedal(channel, 127)))
            events.append((end, END, _pedal(channel, 0)))
    return events


def controller_events(rows: np.ndarray, rank: int = SETUP) -> list[Event]:
    """Events of rows as in ``Tune.controllers``, ``[rows, 4]``."""
    return [(tick, rank, _controller_message(*row)) for tick, *row in rows.tolist()]


def _controller_message(channel: int, controller: int, value: int) -> Any:
    """The inverse of `audiogen.tunes.midi.reader.controller_of`."""
    mido = import_mido()
    if controller >= KEY_PRESSURE:
        return mido.Message("polytouch", channel=channel, note=controller - KEY_PRESSURE, value=value)
    if controller == MASTER_VOLUME:
        return mido.Message("sysex", data=(*MASTER_VOLUME_PREFIX, value % 128, value // 128))
    if controller == PITCH_BEND:
        return mido.Message("pitchwheel", channel=channel, pitch=value)
    if controller == CHANNEL_PRESSURE:
        return mido.Message("aftertouch", channel=channel, value=value)
    return mido.Message("control_change", channel=channel, control=controller, value=value)


def _pedal(channel: int, value: int) -> Any:
    return import_mido().Message("control_change", channel=channel, control=SUSTAIN, value=value)


def track_of(events: list[Event]) -> Any:
    """Events in any order -> a `mido.MidiTrack` with delta times."""
    track = import_mido().MidiTrack()
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        # Copies cost half of all memory and a third of the time where a prompt has a million notes.
        track.append(message if message.time == tick - now else message.copy(time=tick - now))
        now = tick
    return track


def timed_messages(track: Any) -> Iterator[tuple[int, Any]]:
    """(tick, message) for all messages of a track but its end."""
    now = 0
    for message in track:
        now += message.time
        if message.type != "end_of_track":
            yield now, message
