"""Read a MIDI file as a Tune.

Files are parsed in pure Python into mido's messages, so that a damaged file can only raise an exception. symusic 0.5.9
is 50 times faster, but 18 of 20 000 damaged files crashed the whole process (0.6.0: none), and it keeps no channels.

Difficult files:

- No Standard MIDI File, truncated, format 2 with several tracks, no note, over 16 MiB, over 2 million events, over
  200 000 quarter notes long: `InputError`.
- Faults that players tolerate (see `audiogen.tunes.midi.parser`): read, with a warning.
- SMPTE timing: ticks are real time; the Tune has one constant tempo.
- A tempo of 0, a meter of 0/x or beyond 64ths: the change is ignored.
- A note of length 0 (also if its note-off precedes its note-on on one tick, as some writers' grace notes do): no note,
  except on the percussion channel, where it lasts one tick.
- A note that never ends: lasts a quarter note, or up to the next one of its pitch.
- Two overlapping notes of one pitch in one part: the first ends where the second begins.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning
from audiogen.errors import InputError
from audiogen.tunes.midi.controllers import (
    ALL_CHANNELS,
    CHANNEL_PRESSURE,
    KEY_PRESSURE,
    MASTER_VOLUME,
    PEDAL_DOWN,
    PITCH_BEND,
    SUSTAIN,
)
from audiogen.tunes.midi.parser import Parsed, parse
from audiogen.tunes.tune import (
    DEFAULT_METER,
    DEFAULT_TEMPO,
    NOTE,
    Part,
    Tune,
    last_per_tick,
    sorted_by_tick,
    tidy,
    tidy_pedals,
)

MAX_BYTES = 16 * 2**20
MAX_QUARTERS = 200_000
DRUM_CHANNEL = 9
MASTER_VOLUME_PREFIX = (0x7F, 0x7F, 4, 1)


def read_midi(path: Path) -> Tune:
    """Read a MIDI file of format 0 or 1, plain or in a RIFF container.

    Raises:
        InputError: the file is unreadable, damaged, too large, or has no notes.
    """
    parsed = open_midi(path)
    if parsed.faults:
        text = f"{path}: it does not follow the MIDI file standard: {'; '.join(parsed.faults)}"
        warnings.warn(text, AudioWarning, stacklevel=2)
    return tune_from_messages(parsed.midi, path)


def open_midi(path: Path) -> Parsed:
    """Parse a MIDI file into messages.

    Raises:
        InputError: the file is unreadable, damaged or too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(path, f"{size >> 20} MiB are no single tune", f"cut it below {MAX_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path, f"it cannot be read ({error.strerror})", "name an existing MIDI file") from error
    return parse(data, path)


def tune_from_messages(midi: Any, subject: object) -> Tune:
    """The Tune of a `mido.MidiFile`.

    Args:
        midi: as parsed by `open_midi`.
        subject: named by errors and warnings.

    Raises:
        InputError: the file has no notes, or is too long.
    """
    scan = _Scan()
    for index, track in enumerate(midi.tracks):
        scan.read(index, track)
    if not scan.notes:
        raise InputError(subject, "there is no note in it", "name a MIDI file with notes")
    resolution, tempo = _resolution(midi.ticks_per_beat)
    notes, parts = scan.collect(resolution)
    if notes["end"].max() > MAX_QUARTERS * resolution:
        quarters = int(notes["end"].max()) // resolution
        raise InputError(subject, f"it lasts {quarters} quarter notes", f"cut it below {MAX_QUARTERS}")
    if scan.unended:
        warnings.warn(f"{subject}: {scan.unended} notes never end; each is given one beat", AudioWarning, stacklevel=2)
    tempos = [(0, tempo)] if tempo else [(0, DEFAULT_TEMPO), *scan.tempos]
    meters = last_per_tick(np.array([(0, *DEFAULT_METER), *scan.meters], np.int64))
    repeated = np.append(False, (meters[1:, 1:] == meters[:-1, 1:]).all(axis=1))
    return Tune(
        notes=tidy(notes),
        parts=parts,
        ticks_per_quarter=resolution,
        tempos=last_per_tick(np.array(tempos, np.int64)),
        meters=meters[~(repeated & _on_bar_lines(meters, resolution))],
        pedals=tidy_pedals(scan.pedals(parts, int(notes["end"].max()))),
        controllers=sorted_by_tick(np.array(scan.controllers, np.int64).reshape(-1, 4)),
    )


def controller_of(message: Any) -> tuple[int, int, int] | None:
    """(channel, controller, value) of a message that sets a controller as in ``Tune.controllers``, else None."""
    kind = message.type
    if kind == "control_change":
        return message.channel, message.control, message.value
    if kind == "pitchwheel":
        return message.channel, PITCH_BEND, message.pitch
    if kind == "aftertouch":
        return message.channel, CHANNEL_PRESSURE, message.value
    if kind == "polytouch":
        return message.channel, KEY_PRESSURE + message.note, message.value
    if kind == "sysex" and len(message.data) == 6 and tuple(message.data[:4]) == MASTER_VOLUME_PREFIX:
        return ALL_CHANNELS, MASTER_VOLUME, message.data[4] + 128 * message.data[5]
    return None


def decode_text(text: str) -> str:
    """Text of a file, which mido reads as Latin-1: decoded as UTF-8 if it is valid, else kept."""
    try:
        return text.encode("latin1").decode("utf-8")
    except UnicodeError:
        return text


def _resolution(division: int) -> tuple[int, int]:
    """Ticks per quarter note, and for SMPTE timing microseconds per quarter note, else 0."""
    if division > 0:
        return division, 0
    frames, ticks = -(division >> 8), division & 0xFF
    rate = (30000 / 1001 if frames == 29 else frames) * max(ticks, 1)
    resolution = max(1, round(rate / 2))
    return resolution, round(1e6 * resolution / rate)


def _on_bar_lines(meters: np.ndarray, resolution: int) -> np.ndarray:
    """Which changes fall on a bar line of the previous meter, bool; the first one does."""
    bars = np.maximum(np.rint(4 * resolution * meters[:-1, 1] / meters[:-1, 2]).astype(np.int64), 1)
    return np.append(True, np.diff(meters[:, 0]) % bars == 0)


class _Scan:
    """Collects notes, programs, pedals, clock and controllers in one pass over each track."""

    def __init__(self) -> None:
        # Start, end (-1: never), pitch, velocity, track, channel.
        self.notes: list[tuple[int, int, int, int, int, int]] = []
        # (track, channel) -> (tick, program).
        self.programs: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        self.presses: dict[int, list[tuple[int, int]]] = defaultdict(list)  # channel -> (tick, pedal value)
        self.names: dict[int, str] = {}
        self.tempos: list[tuple[int, int]] = []
        self.meters: list[tuple[int, int, int]] = []
        self.controllers: list[tuple[int, int, int, int]] = []  # tick, channel, controller, value
        self.unended = 0  # notes that never end

    def read(self, index: int, track: Iterable[Any]) -> None:
        """Read one track's messages."""
        tick = 0
        sounding: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        early: dict[tuple[int, int], int] = {}  # tick of a note-off without a sounding note
        for message in track:
            tick += message.time
            kind = message.type
            if kind == "note_on" and message.velocity:
                key = (message.channel, message.note)
                if early.pop(key, -1) != tick:
                    sounding[key].append((tick, message.velocity))
                elif key[0] == DRUM_CHANNEL:
                    self.notes.append((tick, tick + 1, key[1], message.velocity, index, key[0]))
            elif kind in ("note_off", "note_on"):
                key = (message.channel, message.note)
                if sounding[key]:
                    start, velocity = sounding[key].pop(0)
                    end = max(tick, start + (key[0] == DRUM_CHANNEL))
                    if end > start:
                        self.notes.append((start, end, key[1], velocity, index, key[0]))
                else:
                    early[key] = tick
            else:
                self._other(index, tick, message)
        for (channel, pitch), started in sounding.items():
            self.notes += [(start, -1, pitch, velocity, index, channel) for start, velocity in started]

    def _other(self, index: int, tick: int, message: Any) -> None:
        kind = message.type
        if (change := controller_of(message)) is not None:
            self.controllers.append((tick, *change))
            if change[1] == SUSTAIN:
                self.presses[message.channel].append((tick, message.value))
        elif kind == "program_change":
            self.programs[index, message.channel].append((tick, message.program))
        elif kind == "set_tempo" and message.tempo > 0:
            self.tempos.append((tick, message.tempo))
        elif kind == "time_signature" and message.numerator > 0 and message.denominator <= 64:
            self.meters.append((tick, message.numerator, message.denominator))
        elif kind == "track_name":
            self.names.setdefault(index, decode_text(message.name).strip())

    def collect(self, resolution: int) -> tuple[np.ndarray, tuple[Part, ...]]:
        """Notes of dtype `NOTE`, in the order of the file, and parts: one per track, channel and program in use."""
        rows = np.array(self.notes, np.int64)
        unended = rows[:, 1] < 0
        self.unended = int(unended.sum())
        rows[unended, 1] = rows[unended, 0] + resolution
        programs = self._programs_of(rows)
        lines, part = np.unique(np.column_stack([rows[:, 4:6], programs]), axis=0, return_inverse=True)
        notes = np.zeros(len(rows), NOTE)
        for name, column in (("start", 0), ("end", 1), ("pitch", 2), ("velocity", 3)):
            notes[name] = rows[:, column]
        notes["part"] = part.ravel()
        return notes, tuple(
            Part(program, channel == DRUM_CHANNEL, self.names.get(track, ""), track, channel)
            for track, channel, program in lines.tolist()
        )

    def _programs_of(self, rows: np.ndarray) -> np.ndarray:
        """Program of each note: set by its own track, else by any track on its channel."""
        shared: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for (_, channel), changes in self.programs.items():
            shared[channel] += changes
        programs = np.zeros(len(rows), np.int64)
        for track, channel in np.unique(rows[:, 4:6], axis=0).tolist():
            mine = (rows[:, 4] == track) & (rows[:, 5] == channel)
            changes = self.programs.get((track, channel)) or shared[channel]
            if changes:  # notes before the first change have its program too
                table = last_per_tick(np.array(changes, np.int64))
                index = np.searchsorted(table[:, 0], rows[mine, 0], side="right") - 1
                programs[mine] = table[np.maximum(index, 0), 1]
        return programs

    def pedals(self, parts: tuple[Part, ...], end: int) -> np.ndarray:
        """Pedal presses ``[presses, 3]`` (start, end, part), of each channel for its first part, lifted at ``end``."""
        presses = []
        for channel, changes in self.presses.items():
            part = next((index for index, part in enumerate(parts) if part.channel == channel), None)
            down = None
            for tick, value in [*sorted(changes, key=lambda change: change[0]), (end, 0)]:
                if value >= PEDAL_DOWN and down is None:
                    down = tick
                elif value < PEDAL_DOWN and down is not None:
                    if part is not None and tick > down:
                        presses.append((down, tick, part))
                    down = None
        return np.array(presses, np.int64).reshape(-1, 3)
