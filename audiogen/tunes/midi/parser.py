"""Parse the bytes of a Standard MIDI File into mido's messages, tolerating the faults that players tolerate.

A wrong number of tracks, wrong track lengths, unknown chunks and impossible key signatures are listed as faults; mido's
own reader fails on them. Events without a mido message are kept, and saved, as their bytes.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from audiogen.errors import InputError

MAX_EVENTS = 2_200_000  # each takes 500 bytes in memory
MAX_TRACKS = 65_535  # limit of the header
MIN_EVENT_BYTES = 2
MAX_LEADING_BYTES = 4096  # before the header
END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE = 0x2F, 0x51, 0x58
FIRST_BINARY_META = 0x20  # lower meta types are text, except the sequence number 0
DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}

Event = tuple[int, int, int, int, int]
"""Delta time in ticks, status, meta type (or -1), first and last + 1 byte of the data."""


class Parsed(NamedTuple):
    """Content of a file.

    Args:
        midi: `mido.MidiFile`, with ``ticks_per_beat`` as stored (negative for SMPTE timing).
        chunks: of unknown types, unchanged.
        faults: deviations from the standard, each a clause for a warning.
    """

    midi: Any
    chunks: bytes
    faults: tuple[str, ...]


class _DamagedError(Exception):
    """An impossible event."""


def import_mido() -> Any:
    """The mido module.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module("mido")
    except ImportError as error:
        raise InputError("MIDI", "the MIDI libraries are missing", "install audiogen again") from error


def parse(data: bytes, subject: object) -> Parsed:
    """Parse a file.

    Args:
        data: its bytes, plain or in a RIFF container.
        subject: named by errors.

    Raises:
        InputError: no MIDI file, truncated, damaged beyond the faults that players tolerate, of format 2 with several
            tracks, or more than `MAX_EVENTS` events, which are counted before memory is allocated for them.
    """
    mido = import_mido()
    faults: list[str] = []
    data = _unwrapped(data, faults)
    if data[:4] != b"MThd" or len(data) < 14:
        raise InputError(subject, "it is not a Standard MIDI File", "export it as .mid again")
    length, file_format, announced, division = struct.unpack(">IHHh", data[4:14])
    if division == 0:
        raise InputError(subject, "its header says 0 ticks a quarter note", "export it again")
    bodies, chunks = _chunks(data, 8 + max(length, 6), subject, faults)
    if announced and not bodies:
        raise InputError(subject, "the file is cut short", "export it again")
    if announced != len(bodies):
        faults.append(f"its header announces {announced} tracks and it has {len(bodies)}")
    if file_format == 2 and len(bodies) > 1:
        raise InputError(subject, "its tracks are independent patterns (format 2)", "save it as format 0 or 1")
    _require_few_events(data, bodies, subject)
    midi = mido.MidiFile(type=_save_format(file_format, len(bodies), faults), ticks_per_beat=division)
    for number, body in enumerate(bodies, 1):
        midi.tracks.append(_track(body, number, subject, faults))
    return Parsed(midi, chunks, tuple(faults))


class _Body(NamedTuple):
    """Body of a track chunk.

    Args:
        data: from its first event to the last byte that can belong to it.
        declared: its length according to its header.
        trusted: whether that length is plausible: a chunk or the end of the file follows.
        truncated: whether that length exceeds the file.
    """

    data: bytes
    declared: int
    trusted: bool
    truncated: bool


def _unwrapped(data: bytes, faults: list[str]) -> bytes:
    """The file from its ``MThd`` header on."""
    riff = data[:4] == b"RIFF" and data[8:12] == b"RMID"
    start = data.find(b"MThd") if riff else data.find(b"MThd", 0, MAX_LEADING_BYTES)
    if start < 0 or (start == 0 and not riff):
        return data
    if not riff:
        faults.append(f"{start} bytes precede its header")
        return data[start:]
    size = int.from_bytes(data[start - 4 : start], "little")
    if start > 20 or len(data) - start - size > 1:
        faults.append("of its RIFF chunks, only the MIDI data are read")
    return data[start : start + size] if 14 <= size <= len(data) - start else data[start:]


def _chunks(data: bytes, position: int, subject: object, faults: list[str]) -> tuple[list[_Body], bytes]:
    """Track bodies, and the chunks of unknown types, from a position on."""
    bodies: list[_Body] = []
    others: list[bytes] = []
    stray = 0
    while position + 8 <= len(data):
        start, end = position + 8, position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        following = data.find(b"MTrk", start)
        if data[position : position + 4] == b"MTrk":
            trusted = _is_boundary(data, end)
            stop = end if trusted else following if following >= 0 else len(data)
            bodies.append(_Body(data[start:stop], end - start, trusted, end > len(data)))
            if len(bodies) > MAX_TRACKS:
                raise InputError(subject, f"more than {MAX_TRACKS} tracks are too many", "cut it")
        elif _is_tag(data[position : position + 4]) and end <= len(data):
            others.append(data[position:end])
            stop = end
        else:
            stop = data.find(b"MTrk", position)
            stop = stop if stop >= 0 else len(data)
            stray += stop - position
        position = stop
    stray += max(len(data) - position, 0) if bodies else 0
    if stray:
        faults.append(f"{stray} bytes outside its tracks are left out")
    if others:
        names = ", ".join(sorted({chunk[:4].decode("ascii").strip() for chunk in others}))
        faults.append(f"it has chunks of unknown types ({names}), which are kept in MIDI output only")
    return bodies, b"".join(others)


def _is_boundary(data: bytes, position: int) -> bool:
    """Whether a chunk can end at a position: the end of the file, or another chunk that fits into the file."""
    size = int.from_bytes(data[position + 4 : position + 8], "big")
    tag = data[position : position + 4]
    return position == len(data) or tag == b"MTrk" or (_is_tag(tag) and position + 8 + size <= len(data))


def _is_tag(tag: bytes) -> bool:
    return len(tag) == 4 and all(48 <= byte < 123 or byte in b" _-" for byte in tag)


def _save_format(file_format: int, tracks: int, faults: list[str]) -> int:
    """The format to save the file in: 0 or 1."""
    if file_format == 1 or (file_format == 0 and tracks == 1):
        return file_format
    if tracks:
        faults.append(f"its header says format {file_format} for {tracks} tracks")
    return 1


def _require_few_events(data: bytes, bodies: list[_Body], subject: object) -> None:
    """Raise an `InputError` if there are more than `MAX_EVENTS` events, before memory is allocated for them."""
    if len(data) < MIN_EVENT_BYTES * MAX_EVENTS:
        return
    count = 0
    for body in bodies:
        try:
            for _ in _events(body.data):
                count += 1
                if count > MAX_EVENTS:
                    raise InputError(subject, f"more than {MAX_EVENTS} events are too many", "cut it into pieces")
        except (IndexError, _DamagedError):
            continue  # reported when the track is parsed


def _events(data: bytes) -> Iterator[Event]:
    """Events of a track up to its end.

    Raises:
        IndexError: the data end within an event.
        _DamagedError: an impossible event.
    """
    position, running, length = 0, 0, len(data)
    while position < length:
        byte = data[position]
        delta, position = byte & 0x7F, position + 1
        if byte & 0x80:
            delta, position = _read_variable_length(data, position - 1)
        status = data[position]
        if status < 0x80:
            if not running:
                raise _DamagedError("data without a status")
            status, first = running, position
        else:
            first = position + 1
        kind = -1
        if status < 0xF0:
            running = status
            position = first + DATA_BYTES[status & 0xF0]
        elif status == 0xFF:
            kind = data[first]
            size, first = _read_variable_length(data, first + 1)
            position = first + size
        elif status in (0xF0, 0xF7):
            size, first = _read_variable_length(data, first)
            position = first + size
        else:
            position = first + SYSTEM_DATA_BYTES.get(status, 0)
        if position > length:
            raise IndexError
        yield delta, status, kind, first, position
        if kind == END_OF_TRACK:
            return


def _read_variable_length(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length quantity, and the position after it."""
    value = 0
    for index in range(position, position + 5):
        byte = data[index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, index + 1
    raise _DamagedError("a number of more than five bytes")


def _track(body: _Body, number: int, subject: object, faults: list[str]) -> Any:
    """Messages of a track; faults that players tolerate are added to ``faults``."""
    track = import_mido().MidiTrack()
    reached, ended, complete, malformed = 0, False, True, 0
    try:
        for delta, status, kind, first, last in _events(body.data):
            message, known = _message(delta, status, kind, body.data[first:last])
            track.append(message)
            malformed += not known
            reached, ended = last, kind == END_OF_TRACK
    except IndexError:
        complete = False
    except _DamagedError as error:
        raise InputError(subject, f"track {number} is damaged ({error})", "export it again") from error
    if not ended and (body.truncated or (not complete and not body.trusted)):
        raise InputError(subject, "the file is cut short", "export it again")
    if not ended:
        faults.append(f"track {number} " + ("lacks its end" if complete else "ends within an event, which is left out"))
    elif reached != body.declared:
        faults.append(f"the length of track {number} is wrong")
    if ended and reached < len(body.data):
        faults.append(f"{len(body.data) - reached} bytes after the end of track {number} are left out")
    if malformed:
        faults.append(f"track {number} has {malformed} malformed events, which are kept as they are")
    return track


def _message(delta: int, status: int, kind: int, data: bytes) -> tuple[Any, bool]:
    """A message, and whether it is well-formed."""
    mido = import_mido()
    if status < 0xF0:
        values = [byte if byte < 127 else 127 for byte in data]
        return mido.Message.from_bytes([status, *values], time=delta), True
    if status == 0xFF:
        return _meta(delta, kind, data)
    if status == 0xF0 and data[-1:] == b"\xf7" and max(data[:-1], default=0) < 0x80:
        return mido.Message("sysex", data=data[:-1], time=delta), True
    size = _variable_length(len(data)) if status in (0xF0, 0xF7) else b""
    return _verbatim()(0, bytes([status]) + size + data, delta), status in (0xF0, 0xF7)


def _meta(delta: int, kind: int, data: bytes) -> tuple[Any, bool]:
    mido = import_mido()
    plain = mido.UnknownMetaMessage(kind, data, delta)
    try:
        message = mido.midifiles.meta.build_meta_message(kind, list(data), delta)
        binary = kind == 0 or kind >= FIRST_BINARY_META
        lossless = kind in (SET_TEMPO, TIME_SIGNATURE) or not binary or message.bytes() == plain.bytes()
    except Exception:  # mido raises whatever the bytes provoke
        return plain, False
    return (message if lossless else plain), True


@cache
def _verbatim() -> Any:
    class Verbatim(import_mido().UnknownMetaMessage):  # type: ignore[misc]
        """An event without a mido message, saved as its bytes from the status on."""

        def bytes(self) -> list[int]:
            return list(self.data)

    return Verbatim


def _variable_length(value: int) -> bytes:
    """An integer as a variable-length quantity."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
