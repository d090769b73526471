"""Edit a MIDI file: append a tail, write the tail alone, or replace the notes of some bars.

All other events of the file stay as they are, in their tracks and on their channels.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning
from audiogen.tunes.midi.controllers import RESET_ALL, controller_name, state_rows, to_channel
from audiogen.tunes.midi.parser import import_mido
from audiogen.tunes.midi.reader import DRUM_CHANNEL, controller_of, open_midi
from audiogen.tunes.midi.track_events import (
    BEGIN,
    END,
    MELODIC_CHANNELS,
    SETUP,
    Event,
    clock_events,
    controller_events,
    part_events,
    timed_messages,
    track_of,
)
from audiogen.tunes.midi.writer import save
from audiogen.tunes.tune import Part, Tune, joined

ALL_NOTES_OFF = 123
CHANNEL_DEFAULTS = ((RESET_ALL, 0), (7, 100), (10, 64))
"""(controller, value) that return a channel to its default state."""
SETTINGS = frozenset(("set_tempo", "time_signature", "key_signature", "sysex"))
"""Types of messages beside those of channels that act on all that follows."""
LABELS = frozenset(("track_name", "instrument_name", "device_name", "copyright", "midi_port", "sequencer_specific"))
"""Types of messages that describe a whole track."""


def extend_midi(prompt: Path, tail: Tune, path: Path, given: Tune | None = None) -> None:
    """Write a file with all events of ``prompt``, followed by a tail, atomically.

    The notes of a tail go to the track and channel of their part. If the prompt leaves a note on that channel
    unended, which would swallow their note-offs, they go to a free channel of that track. A part without a track
    gets a new one.

    Args:
        prompt: MIDI file.
        tail: at the prompt's own resolution (``read_midi(prompt).ticks_per_quarter``), all after the prompt's end.
            Of its tempos and meters all but the first are written.
        path: file to write.
        given: the prompt's tune, if the tail continues it: settings after its end are dropped, with a warning, and
            notes without an end stop there. None if the added notes play along (accompaniment).

    Raises:
        InputError: the prompt is not a MIDI file.
    """
    parsed = open_midi(prompt)
    midi = parsed.midi
    channels = _Channels(midi)
    tail = tail.at_constant_tempo() if midi.ticks_per_beat < 0 else tail  # SMPTE timing ignores tempos
    if given is not None:
        _drop_settings_after(midi, given.end)
        channels.state = state_rows(joined(given, tail), given.end)
        channels.state[:, 0] = given.end
        hanging = sorted({channel for _, channel in channels.hanging})
        off = [(given.end, channel, ALL_NOTES_OFF, 0) for channel in hanging]
        rows = np.concatenate([np.array(off, np.int64).reshape(-1, 4), tail.controllers])
        tail = replace(tail, controllers=rows)
    clock = replace(tail, tempos=tail.tempos[1:], meters=tail.meters[1:])
    _add_tune(midi, tail, clock_events(clock), channels, keep_end=given is None)
    save(midi, path, parsed.chunks)


def tail_midi(prompt: Path, tail: Tune, path: Path, given: Tune) -> None:
    """Write a tail alone, from tick 0, atomically.

    It keeps the tracks and channels of its prompt, with their names and their state at the join.

    Args:
        prompt: MIDI file.
        tail: as for `extend_midi`.
        path: file to write.
        given: the prompt's tune.

    Raises:
        InputError: the prompt is not a MIDI file.
    """
    midi = open_midi(prompt).midi
    state = state_rows(joined(given, tail), given.end)
    alone = replace(tail.shifted(-given.end), controllers=state[:0])
    alone = alone.at_constant_tempo() if midi.ticks_per_beat < 0 else alone
    homes = _home_tracks(given.parts)
    for index, track in enumerate(midi.tracks):
        labels, programs = _track_state(track, given.end)
        own = np.isin(state[:, 1], [channel for channel in np.unique(state[:, 1]) if homes.get(channel, 0) == index])
        setup: list[Event] = [(0, END, message) for message in labels]
        midi.tracks[index] = track_of(setup + controller_events(state[own], END) + programs)
    _add_tune(midi, alone, clock_events(alone), _Channels(midi), keep_end=False)
    save(midi, path)


def replace_bars(prompt: Path, new: Tune, path: Path, span: tuple[int, int], removed: np.ndarray) -> None:
    """Write a file with all events of ``prompt`` except the notes that begin in some bars, atomically.

    Args:
        prompt: MIDI file.
        new: the notes and controllers to insert, at the prompt's own resolution; with the parts to be replaced.
        path: file to write.
        span: ticks at which the bars begin and end.
        removed: rows of ``Tune.controllers`` to remove as well, ``[rows, 4]``.

    Raises:
        InputError: the prompt is not a MIDI file.
    """
    parsed = open_midi(prompt)
    midi = parsed.midi
    lines = {(part.track, part.channel) for part in new.parts if part.track is not None}
    changes = set(map(tuple, removed.tolist()))
    for index, track in enumerate(midi.tracks):
        channels = {channel for number, channel in lines if number == index and channel is not None}
        midi.tracks[index] = _without_notes(track, span, channels, changes)
    _add_tune(midi, new, [], _Channels(midi, heed_hanging=False), keep_end=True, restore_at=span[1])
    save(midi, path, parsed.chunks)


class _Channels:
    """Usage of the channels of a file.

    Attributes:
        used: channels with notes.
        set: channels to which controllers are sent.
        last: (channel, controller) -> the last track that sends it; on one tick, its events take effect last.
        hanging: (track, channel) pairs with more note-ons than note-offs.
        state: channel state at the join, ``[rows, 4]`` as ``Tune.controllers``.
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
        """A channel for a part that is new or has to change its channel at a tick, and the events that set it up."""
        unused = [channel for channel in MELODIC_CHANNELS if channel not in self.used]
        free = [channel for channel in unused if channel not in self.set] or unused
        other = part.channel if part.channel is not None else 0
        channel = DRUM_CHANNEL if part.drums else (free[0] if free else other)
        stale = channel in self.set and channel not in self.used
        rows = [(start, channel, *setting) for setting in CHANNEL_DEFAULTS if stale]
        if part.channel is not None and channel != part.channel:
            rows += to_channel(self.state, part.channel, channel).tolist()
        self.used.add(channel)
        return channel, controller_events(np.array(rows, np.int64).reshape(-1, 4))


def _home_tracks(parts: Iterable[Part]) -> dict[int, int]:
    """Channel -> the track that its controllers go to: that of its first part."""
    homes: dict[int, int] = {}
    for part in parts:
        if part.channel is not None and part.track is not None:
            homes.setdefault(part.channel, part.track)
    return homes


def _add_tune(
    midi: Any, tune: Tune, clock: list[Event], channels: _Channels, keep_end: bool, restore_at: int | None = None
) -> None:
    """Add a tune's notes and controllers to a file's tracks.

    Args:
        clock: events of track 0.
        keep_end: whether tracks that end later than their last event keep their end.
        restore_at: tick from which on the programs are those of the file again.
    """
    mido = import_mido()
    added: dict[int, list[Event]] = {0: clock}
    homes = _home_tracks(tune.parts)
    for row in tune.controllers:
        channel, controller = row[1:3].tolist()
        home = channels.last.get((channel, controller), homes.get(channel, 0))
        added.setdefault(home, []).extend(controller_events(row[None], END))
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
                setup.append((restore_at, END, _program_before(midi, channel, restore_at)))
        added.setdefault(track, []).extend(setup + part_events(tune, index, channel, program))
    for track, events in added.items():
        if events:
            midi.tracks[track] = _merged(midi.tracks[track], events, keep_end, restore_at is not None)


def _program_before(midi: Any, channel: int, tick: int) -> Any:
    """A message that sets the program that a channel of a file has before a tick."""
    changes = [
        (now, message.program)
        for track in midi.tracks
        for now, message in timed_messages(track)
        if message.type == "program_change" and message.channel == channel and now < tick
    ]
    program = max(changes, key=lambda change: change[0])[1] if changes else 0
    return import_mido().Message("program_change", channel=channel, program=program)


def _drop_settings_after(midi: Any, join: int) -> None:
    """Remove settings after a tick, with a warning; text and markers stay."""
    names: list[str] = []
    for index, track in enumerate(midi.tracks):
        kept: list[Event] = []
        dropped: list[str] = []
        for now, message in timed_messages(track):
            acts = message.type in SETTINGS or hasattr(message, "channel")
            if now > join and acts:
                change = controller_of(message)
                dropped.append(controller_name(change[1]) if change else message.type.replace("_", " "))
            else:
                kept.append((now, END, message))
        if dropped:
            midi.tracks[index] = track_of(kept)
            names += dropped
    if names:
        text = (
            f"{len(names)} events after the prompt's last note ({', '.join(dict.fromkeys(names))}) are left out: they "
            "would act on the tail"
        )
        warnings.warn(text, AudioWarning, stacklevel=3)


def _track_state(track: Any, join: int) -> tuple[list[Any], list[Event]]:
    """Messages that describe a track (names, key, ...), and events that set its channels' programs, as at the join."""
    labels: list[Any] = []
    key: list[Any] = []
    programs: dict[int, Any] = {}
    for now, message in timed_messages(track):
        if now > join:
            break
        other_sysex = message.type == "sysex" and controller_of(message) is None
        if message.type in LABELS or other_sysex:
            labels.append(message)
        elif message.type == "key_signature":
            key = [message]
        elif message.type == "program_change":
            programs[message.channel] = message
    return labels + key, [(0, SETUP, message) for message in programs.values()]


def _without_notes(track: Any, span: tuple[int, int], channels: set[int], changes: set[tuple[int, ...]]) -> Any:
    """A track without the notes of some channels that begin within ``span``, and without some controller changes."""
    kept: list[Event] = []
    sounding: dict[tuple[int, int], list[bool]] = {}
    for now, message in timed_messages(track):
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
    return track_of([*kept, (end, BEGIN, import_mido().MetaMessage("end_of_track"))])


def _merged(track: Any, events: list[Event], keep_end: bool, inserted: bool) -> Any:
    """A track with further events.

    Its own events keep their order, and precede the others on the same tick; if those are ``inserted`` among them,
    they follow the ends of the added notes.
    """
    own = [(now, END if inserted else END - 1, message) for now, message in timed_messages(track)]
    everything = events + own
    end = sum(message.time for message in track)
    if keep_end and end > max(event[0] for event in everything):
        everything.append((end, BEGIN, import_mido().MetaMessage("end_of_track")))
    return track_of(everything)
