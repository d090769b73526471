"""Tune -> MIDI file, and a tail appended to a prompt's own file."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.representation.midi.reading import DRUM_CHANNEL, SUSTAIN, import_mido, open_midi
from audiogen.representation.midi.tune import Part, Tune

Event = tuple[int, int, Any]
"""Tick, rank among the events of one tick (ends before beginnings), mido message without its time."""
END, CLOCK, SETUP, BEGIN = range(4)
CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]


def write_midi(path: Path, tune: Tune) -> None:
    """Write a format 1 file: the clock's track, then one track a part. It appears whole or not at all.

    Each part has a channel of its own as long as there are channels; then those of one program share.
    """
    midi = to_mido(tune)
    _save(midi, path)


def to_mido(tune: Tune) -> Any:
    """As `write_midi`, a `mido.MidiFile` in memory."""
    mido = import_mido()
    channels = assign_channels(tune.parts)
    shared = Counter(channels)
    midi = mido.MidiFile(type=1, ticks_per_beat=tune.ticks_per_quarter, charset="utf-8")
    midi.tracks.append(_track(_clock_events(tune)))
    for index, (part, channel) in enumerate(zip(tune.parts, channels, strict=True)):
        mixed = shared[channel] > 1 and not part.drums
        setup: list[Event] = [
            (0, CLOCK, mido.MetaMessage("track_name", name=part.name)),
            (0, SETUP, mido.Message("program_change", channel=channel, program=part.program)),
        ]
        midi.tracks.append(_track(setup + _part_events(tune, index, channel, part.program if mixed else None)))
    return midi


def assign_channels(parts: Iterable[Part]) -> list[int]:
    """A channel for each part: its own from the file it came from where that is free, else a free one, else a
    shared one.
    """
    parts = list(parts)
    channels = [-1] * len(parts)
    for index, part in enumerate(parts):
        if part.drums:
            channels[index] = DRUM_CHANNEL
        elif part.channel in CHANNELS and part.channel not in channels:
            channels[index] = part.channel
    for index, part in enumerate(parts):
        if channels[index] < 0:
            free = [channel for channel in CHANNELS if channel not in channels]
            alike = [
                c
                for c, other in zip(channels, parts, strict=True)
                if c >= 0 and other.program == part.program and not other.drums
            ]
            channels[index] = (free or alike or CHANNELS[-1:])[0]
    return channels


def extend_midi(prompt: Path, tail: Tune, path: Path) -> None:
    """Write a file with all events of ``prompt`` as they are, and a tail's after them.

    A tail's notes go to the track and channel of their part, so that a track goes on as the same track; to a
    free channel of that track where the prompt leaves a note hanging that would otherwise swallow their ends;
    a part without a track gets a new one.

    Args:
        prompt: MIDI file.
        tail: on the prompt's own resolution (``read_midi(prompt).ticks_per_quarter``), all after the prompt's
            end. Its tempos and meters count from the end on; those before are the prompt's.
        path: file to write, whole or not at all.

    Raises:
        InputError: the prompt is not a MIDI file.
    """
    mido = import_mido()
    midi = open_midi(prompt)
    tail = tail.steady() if midi.ticks_per_beat < 0 else tail  # with SMPTE timing no tempo is heeded
    used, hanging = _channels(midi)
    clock = replace(tail, tempos=tail.tempos[1:], meters=tail.meters[1:])
    added: dict[int, list[Event]] = {0: _clock_events(clock)}
    for index, part in enumerate(tail.parts):
        if not (tail.notes["part"] == index).any():
            continue
        channel, track = part.channel, part.track
        program: int | None = None
        if channel is None or (track, channel) in hanging:
            free = [c for c in CHANNELS if c not in used]
            channel = DRUM_CHANNEL if part.drums else (free[0] if free else (channel if channel is not None else 0))
            used.add(channel)
            program = part.program
        if track is None:
            track = 0 if midi.type == 0 else len(midi.tracks)
            if midi.type == 1:
                midi.tracks.append(mido.MidiTrack([mido.MetaMessage("track_name", name=part.name)]))
        elif sum(part.track == other.track and part.channel == other.channel for other in tail.parts) > 1:
            program = part.program
        added.setdefault(track, []).extend(_part_events(tail, index, channel, program))
    for track, events in added.items():
        if events:
            midi.tracks[track] = _merged(midi.tracks[track], events)
    _save(midi, path)


def _clock_events(tune: Tune) -> list[Event]:
    mido = import_mido()
    tempos = [
        (tick, CLOCK, mido.MetaMessage("set_tempo", tempo=min(tempo, 2**24 - 1)))
        for tick, tempo in tune.tempos.tolist()
    ]
    meters = [
        (tick, CLOCK, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator))
        for tick, numerator, denominator in tune.meters.tolist()
    ]
    return tempos + meters


def _part_events(tune: Tune, index: int, channel: int, program: int | None) -> list[Event]:
    """Notes and pedal of one part; with a ``program``, each start is preceded by its change."""
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


def _pedal(channel: int, value: int) -> Any:
    return import_mido().Message("control_change", channel=channel, control=SUSTAIN, value=value)


def _track(events: list[Event]) -> Any:
    """Events in any order -> a track with time differences."""
    track = import_mido().MidiTrack()
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        # Copies cost half of all memory and a third of the time where a prompt has a million notes.
        track.append(message if message.time == tick - now else message.copy(time=tick - now))
        now = tick
    return track


def _merged(track: Any, events: list[Event]) -> Any:
    """A track with further events: its own keep their order and stand before the others of one tick."""
    own: list[Event] = []
    now = 0
    for message in track:
        now += message.time
        if message.type != "end_of_track":
            own.append((now, -1, message))
    return _track(own + events)


def _channels(midi: Any) -> tuple[set[int], set[tuple[int, int]]]:
    """Channels in use, and the (track, channel) pairs in which more notes begin than end."""
    used: set[int] = set()
    balance: Counter[tuple[int, int, int]] = Counter()
    for index, track in enumerate(midi.tracks):
        for message in track:
            if message.type in ("note_on", "note_off"):
                key = (index, message.channel, message.note)
                begins = message.type == "note_on" and message.velocity > 0
                balance[key] = balance[key] + 1 if begins else max(balance[key] - 1, 0)
                used.add(message.channel)
    return used, {(index, channel) for (index, channel, _), count in balance.items() if count}


def _save(midi: Any, path: Path) -> None:
    part = path.with_name(f".audiogen-{secrets.token_hex(6)}.part")  # short, however long the name is
    try:
        with part.open("wb") as file:
            midi.save(file=file)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
