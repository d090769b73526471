"""Tune -> MIDI file; and a file's own events with a tail behind them, or with other notes in some of its bars."""

from __future__ import annotations

import io
import os
import secrets
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning
from audiogen.tunes.midi.channel_state import (
    ALL_CHANNELS,
    CHANNEL_PRESSURE,
    KEY_PRESSURE,
    MASTER_VOLUME,
    PITCH_BEND,
    RESET_ALL,
    SUSTAIN,
    moved,
    name_of,
    state_rows,
)
from audiogen.tunes.midi.parser import import_mido
from audiogen.tunes.midi.reader import DRUM_CHANNEL, MASTER_VOLUME_HEAD, controller_of, open_midi
from audiogen.tunes.tune import Part, Tune, joined

Event = tuple[int, int, Any]
"""Tick, rank among the events of one tick (ends before beginnings), mido message without its time."""
END, CLOCK, SETUP, BEGIN = range(4)
CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
ALL_NOTES_OFF = 123
NEUTRAL = ((RESET_ALL, 0), (7, 100), (10, 64))
"""What brings a channel that somebody has set to what it is by itself."""
SETTINGS = frozenset(("set_tempo", "time_signature", "key_signature", "sysex"))
"""Types of messages beside those of channels that act on all that follows."""
LABELS = frozenset(("track_name", "instrument_name", "device_name", "copyright", "midi_port", "sequencer_specific"))
"""Types of messages that belong to a track, not to a place in it."""


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
    midi.tracks.append(_track(_clock_events(tune) + _controller_events(tune.controllers, ALL_CHANNELS)))
    told: set[tuple[int | None, int]] = set()
    for index, (part, channel) in enumerate(zip(tune.parts, channels, strict=True)):
        mixed = shared[channel] > 1 and not part.drums
        setup: list[Event] = [(0, CLOCK, mido.MetaMessage("track_name", name=part.name))]
        if part.channel is not None and (part.channel, channel) not in told:
            told.add((part.channel, channel))
            # The pedal is the tune's own.
            rows = tune.controllers[tune.controllers[:, 2] != SUSTAIN]
            setup += _controller_events(moved(rows, part.channel, channel), channel)
        setup.append((0, SETUP, mido.Message("program_change", channel=channel, program=part.program)))
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


def extend_midi(prompt: Path, tail: Tune, path: Path, given: Tune | None = None) -> None:
    """Write a file with all events of ``prompt`` as they are, and a tail's after them.

    A tail's notes go to the track and channel of their part, so that a track goes on as the same track; to a
    free channel of that track where the prompt leaves a note hanging that would otherwise swallow their ends;
    a part without a track gets a new one.

    Args:
        prompt: MIDI file.
        tail: on the prompt's own resolution (``read_midi(prompt).ticks_per_quarter``), all after the prompt's
            end. Its tempos and meters count from the end on; those before are the prompt's.
        path: file to write, whole or not at all.
        given: the prompt's tune, where the tail goes on from its end: what the prompt sets after that is left out,
            with a warning, and what it leaves hanging ends there. None where the added notes play along.

    Raises:
        InputError: the prompt is not a MIDI file.
    """
    parsed = open_midi(prompt)
    midi = parsed.midi
    channels = _Channels(midi)
    tail = tail.steady() if midi.ticks_per_beat < 0 else tail  # with SMPTE timing no tempo is heeded
    if given is not None:
        _leave_out(midi, given.end)
        channels.state = state_rows(joined(given, tail), given.end)
        channels.state[:, 0] = given.end
        off = [(given.end, channel, ALL_NOTES_OFF, 0) for channel in sorted({c for _, c in channels.hanging})]
        rows = np.concatenate([np.array(off, np.int64).reshape(-1, 4), tail.controllers])
        tail = replace(tail, controllers=rows)
    clock = replace(tail, tempos=tail.tempos[1:], meters=tail.meters[1:])
    _add(midi, tail, _clock_events(clock), channels, keep_end=given is None)
    _save(midi, path, parsed.chunks)


def tail_midi(prompt: Path, tail: Tune, path: Path, given: Tune) -> None:
    """Write a tail alone, from tick 0 on, in the tracks and on the channels of its prompt, with their names and all
    that they are set to at the join.

    Args:
        prompt: MIDI file.
        tail: as for `extend_midi`.
        path: file to write, whole or not at all.
        given: the prompt's tune.

    Raises:
        InputError: the prompt is not a MIDI file.
    """
    midi = open_midi(prompt).midi
    state = state_rows(joined(given, tail), given.end)
    alone = replace(tail.shifted(-given.end), controllers=state[:0])
    alone = alone.steady() if midi.ticks_per_beat < 0 else alone
    homes = _homes(given.parts)
    for index, track in enumerate(midi.tracks):
        labels, programs = _setup(track, given.end)
        own = np.isin(state[:, 1], [channel for channel in np.unique(state[:, 1]) if homes.get(channel, 0) == index])
        midi.tracks[index] = _track([(0, END, message) for message in labels] + _rows(state[own], END) + programs)
    _add(midi, alone, _clock_events(alone), _Channels(midi), keep_end=False)
    _save(midi, path)


def replace_bars(prompt: Path, new: Tune, path: Path, span: tuple[int, int], left_out: np.ndarray) -> None:
    """Write a file with all events of ``prompt`` as they are, but for the notes that begin in some bars.

    Args:
        prompt: MIDI file.
        new: the notes instead, on the prompt's own resolution and in those of its parts that are played anew, and
            what else is set there.
        path: file to write, whole or not at all.
        span: ticks at which the bars begin and end.
        left_out: rows of ``Tune.controllers`` that are left out, too.

    Raises:
        InputError: the prompt is not a MIDI file.
    """
    parsed = open_midi(prompt)
    midi = parsed.midi
    lines = {(part.track, part.channel) for part in new.parts if part.track is not None}
    changes = set(map(tuple, left_out.tolist()))
    for index, track in enumerate(midi.tracks):
        channels = {channel for number, channel in lines if number == index and channel is not None}
        midi.tracks[index] = _without_notes(track, span, channels, changes)
    _add(midi, new, [], _Channels(midi, heed_hanging=False), keep_end=True, restore_at=span[1])
    _save(midi, path, parsed.chunks)


class _Channels:
    """How the channels of a file are used.

    Attributes:
        used: those with notes.
        set: those that controllers are sent to.
        last: for (channel, controller), the last track that sends it: of one tick, its events count.
        hanging: the (track, channel) pairs in which more notes begin than end.
        state: what channels are set to at the join, ``[rows, 4]`` as ``Tune.controllers``.
    """

    def __init__(self, midi: Any, heed_hanging: bool = True) -> None:
        self.used: set[int] = set()
        self.set: set[int] = set()
        self.last: dict[tuple[int, int], int] = {}
        self.state = np.zeros((0, 4), np.int64)
        balance: Counter[tuple[int, int, int]] = Counter()
        for index, track in enumerate(midi.tracks):
            for message in track:
                if message.type in ("note_on", "note_off"):
                    key = (index, message.channel, message.note)
                    begins = message.type == "note_on" and message.velocity > 0
                    balance[key] = balance[key] + 1 if begins else max(balance[key] - 1, 0)
                    self.used.add(message.channel)
                elif (change := controller_of(message)) is not None:
                    self.set.add(change[0])
                    self.last[change[:2]] = index
        pairs = {(index, channel) for (index, channel, _), count in balance.items() if count}
        self.hanging = pairs if heed_hanging else set()

    def new(self, part: Part, start: int) -> tuple[int, list[Event]]:
        """A channel for a part that goes on on another one, or is new, from ``start`` on; and what sets it."""
        unused = [channel for channel in CHANNELS if channel not in self.used]
        free = [channel for channel in unused if channel not in self.set] or unused
        other = part.channel if part.channel is not None else 0
        channel = DRUM_CHANNEL if part.drums else (free[0] if free else other)
        rows = [(start, channel, *setting) for setting in NEUTRAL if channel in self.set and channel not in self.used]
        if part.channel is not None and channel != part.channel:
            rows += moved(self.state, part.channel, channel).tolist()
        self.used.add(channel)
        return channel, _rows(np.array(rows, np.int64).reshape(-1, 4), SETUP)


def _homes(parts: Iterable[Part]) -> dict[int, int]:
    """The track that tells what a channel is set to: that of its first part."""
    homes: dict[int, int] = {}
    for part in parts:
        if part.channel is not None and part.track is not None:
            homes.setdefault(part.channel, part.track)
    return homes


def _add(
    midi: Any, tune: Tune, clock: list[Event], channels: _Channels, keep_end: bool, restore_at: int | None = None
) -> None:
    """Add a tune's notes and controllers to a file's tracks.

    Args:
        clock: events of track 0.
        keep_end: whether tracks that end later than their last event go on doing so.
        restore_at: tick from which programs are again as the file has them.
    """
    mido = import_mido()
    added: dict[int, list[Event]] = {0: clock}
    homes = _homes(tune.parts)
    for row in tune.controllers:
        channel, controller = row[1:3].tolist()
        home = channels.last.get((channel, controller), homes.get(channel, 0))
        added.setdefault(home, []).extend(_rows(row[None], END))
    for index, part in enumerate(tune.parts):
        starts = tune.notes["start"][tune.notes["part"] == index]
        if not len(starts):
            continue
        channel, track = part.channel, part.track
        program: int | None = None
        setup: list[Event] = []
        if channel is None or (track, channel) in channels.hanging:
            channel, setup = channels.new(part, int(starts.min()))
            program = part.program
        if track is None:
            track = 0 if midi.type == 0 else len(midi.tracks)
            if midi.type == 1:
                name = part.name.encode("utf-8").decode("latin1")  # as mido holds the bytes of a file's own names
                midi.tracks.append(mido.MidiTrack([mido.MetaMessage("track_name", name=name)]))
        elif sum(part.track == other.track and part.channel == other.channel for other in tune.parts) > 1:
            program = part.program
            if restore_at is not None:
                setup.append((restore_at, END, _program_at(midi, channel, restore_at)))
        added.setdefault(track, []).extend(setup + _part_events(tune, index, channel, program))
    for track, events in added.items():
        if events:
            midi.tracks[track] = _merged(midi.tracks[track], events, keep_end, restore_at is not None)


def _program_at(midi: Any, channel: int, tick: int) -> Any:
    """A message that sets the program that a file's channel has before a tick."""
    changes = [
        (now, message.program)
        for track in midi.tracks
        for now, message in _timed(track)
        if message.type == "program_change" and message.channel == channel and now < tick
    ]
    program = max(changes, key=lambda change: change[0])[1] if changes else 0
    return import_mido().Message("program_change", channel=channel, program=program)


def _timed(track: Any) -> Iterator[tuple[int, Any]]:
    """(tick, message) of a track, its end aside."""
    now = 0
    for message in track:
        now += message.time
        if message.type != "end_of_track":
            yield now, message


def _leave_out(midi: Any, join: int) -> None:
    """Drop what is set after a tick; text and the like stays."""
    names: list[str] = []
    for index, track in enumerate(midi.tracks):
        kept: list[Event] = []
        dropped: list[str] = []
        for now, message in _timed(track):
            acts = message.type in SETTINGS or hasattr(message, "channel")
            if now > join and acts:
                change = controller_of(message)
                dropped.append(name_of(change[1]) if change else message.type.replace("_", " "))
            else:
                kept.append((now, END, message))
        if dropped:
            midi.tracks[index] = _track(kept)
            names += dropped
    if names:
        text = (
            f"{len(names)} events after the prompt's last note ({', '.join(dict.fromkeys(names))}) are left out: they "
            "would act on the tail"
        )
        warnings.warn(text, AudioWarning, stacklevel=3)


def _setup(track: Any, join: int) -> tuple[list[Any], list[Event]]:
    """What stands for a track at its beginning, and the programs of its channels, as they are at the join."""
    labels: list[Any] = []
    key: list[Any] = []
    programs: dict[int, Any] = {}
    for now, message in _timed(track):
        if now > join:
            break
        own_place = message.type == "sysex" and controller_of(message) is None
        if message.type in LABELS or own_place:
            labels.append(message)
        elif message.type == "key_signature":
            key = [message]
        elif message.type == "program_change":
            programs[message.channel] = message
    return labels + key, [(0, SETUP, message) for message in programs.values()]


def _without_notes(track: Any, span: tuple[int, int], channels: set[int], changes: set[tuple[int, ...]]) -> Any:
    """A track without the notes of some channels that begin within ``span``, and without some changes."""
    kept: list[Event] = []
    sounding: dict[tuple[int, int], list[bool]] = {}
    for now, message in _timed(track):
        change = controller_of(message)
        drop = change is not None and (now, *change) in changes
        if message.type in ("note_on", "note_off") and message.channel in channels:
            queue = sounding.setdefault((message.channel, message.note), [])
            if message.type == "note_on" and message.velocity:
                drop = span[0] <= now < span[1]
                queue.append(drop)
            elif queue:
                drop = queue.pop(0)
        if not drop:
            kept.append((now, END, message))
    end = sum(message.time for message in track)
    return _track([*kept, (end, BEGIN, import_mido().MetaMessage("end_of_track"))])


def _controller_events(rows: np.ndarray, channel: int) -> list[Event]:
    """The rows of one channel that set something, between the ends and the beginnings of notes."""
    return _rows(rows[(rows[:, 1] == channel)], SETUP)


def _rows(rows: np.ndarray, rank: int) -> list[Event]:
    return [(tick, rank, _controller_message(*row)) for tick, *row in rows.tolist()]


def _controller_message(channel: int, controller: int, value: int) -> Any:
    """What `audiogen.tunes.midi.reader.controller_of` reads back."""
    mido = import_mido()
    if controller >= KEY_PRESSURE:
        return mido.Message("polytouch", channel=channel, note=controller - KEY_PRESSURE, value=value)
    if controller == MASTER_VOLUME:
        return mido.Message("sysex", data=(*MASTER_VOLUME_HEAD, value % 128, value // 128))
    if controller == PITCH_BEND:
        return mido.Message("pitchwheel", channel=channel, pitch=value)
    if controller == CHANNEL_PRESSURE:
        return mido.Message("aftertouch", channel=channel, value=value)
    return mido.Message("control_change", channel=channel, control=controller, value=value)


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


def _merged(track: Any, events: list[Event], keep_end: bool, between: bool) -> Any:
    """A track with further events. Its own keep their order, and stand before the others of one tick, or, where those
    come ``between`` them, behind the ends of notes that are added."""
    own = [(now, END if between else END - 1, message) for now, message in _timed(track)]
    everything = events + own
    end = sum(message.time for message in track)
    if keep_end and end > max(event[0] for event in everything):
        everything.append((end, BEGIN, import_mido().MetaMessage("end_of_track")))
    return _track(everything)


def _save(midi: Any, path: Path, chunks: bytes = b"") -> None:
    part = path.with_name(f".audiogen-{secrets.token_hex(6)}.part")  # short, however long the name is
    stream = io.BytesIO()
    midi.save(file=stream)
    try:
        part.write_bytes(stream.getvalue() + chunks)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
