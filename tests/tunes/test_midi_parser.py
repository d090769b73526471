"""Malformed MIDI files that players open: read with a warning, and written unchanged."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from audiogen.audio import AudioWarning
from audiogen.errors import InputError
from audiogen.tunes.midi.editor import extend_midi
from audiogen.tunes.midi.parser import parse
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.tune import Tune
from tests.tune_fixtures import melody

NOTES = bytes.fromhex("00903c40 60803c00 00904040 60804000")
END = bytes.fromhex("00ff2f00")
CLOCK = bytes.fromhex("00ff510307a120")


def chunk(body: bytes, tag: bytes = b"MTrk", length: int | None = None) -> bytes:
    return tag + struct.pack(">I", len(body) if length is None else length) + body


def header(tracks: int = 2, form: int = 1, division: int = 96, more: bytes = b"") -> bytes:
    return b"MThd" + struct.pack(">IHHh", 6 + len(more), form, tracks, division) + more


CLOCK_TRACK, TRACK = chunk(CLOCK + END), chunk(NOTES + END)
GOOD = header() + CLOCK_TRACK + TRACK
EXPECTED = [(0, 96, 60), (96, 192, 64)]


def pitches(tune: Tune) -> list[tuple[int, int, int]]:
    return [(int(note["start"]), int(note["end"]), int(note["pitch"])) for note in tune.notes]


def read(folder: Path, data: bytes) -> Tune:
    path = folder / "tune.mid"
    path.write_bytes(data)
    return read_midi(path)


FAULTS = {
    "18 flats": (header() + chunk(b"\0\xff\x59\x02\xee\x01" + CLOCK + END) + TRACK, "malformed events"),
    "key of mode 255": (header() + chunk(b"\0\xff\x59\x02\0\xff" + CLOCK + END) + TRACK, "malformed events"),
    "key without data": (header() + chunk(b"\0\xff\x59\0" + CLOCK + END) + TRACK, "malformed events"),
    "tempo of one byte": (header() + chunk(CLOCK + b"\0\xff\x51\x01\x07" + END) + TRACK, "malformed events"),
    "real-time event": (header() + CLOCK_TRACK + chunk(b"\0\xf8" + NOTES + END), "malformed events"),
    "more tracks announced": (header(5) + CLOCK_TRACK + TRACK, "announces 5 tracks and it has 2"),
    "fewer tracks announced": (header(1) + CLOCK_TRACK + TRACK, "announces 1 tracks and it has 2"),
    "unknown chunk between": (header() + CLOCK_TRACK + chunk(b"abcd", b"XFIH") + TRACK, r"unknown types \(XFIH\)"),
    "unknown chunk at the end": (GOOD + chunk(b"abcd", b"XFKM"), r"unknown types \(XFKM\)"),
    "longer than the file": (header() + CLOCK_TRACK + chunk(NOTES + END, length=99), "length of track 2 is wrong"),
    "first one longer": (header() + chunk(CLOCK + END, length=14) + TRACK, "length of track 1 is wrong"),
    "shorter": (header() + CLOCK_TRACK + chunk(NOTES + END, length=17), "length of track 2 is wrong"),
    "first one shorter": (header() + chunk(CLOCK + END, length=3) + TRACK, "length of track 1 is wrong"),
    "no end": (header() + CLOCK_TRACK + chunk(NOTES), "track 2 lacks its end"),
    "end within an event": (header() + CLOCK_TRACK + chunk(NOTES + b"\0\x90\x40"), "ends within an event"),
    "events after the end": (header() + CLOCK_TRACK + chunk(NOTES + END + b"\0\x90\x40\x40"), "4 bytes after the end"),
    "padding": (GOOD + b"\0" * 7, "7 bytes"),
    "bytes in front": (b"\0" * 128 + GOOD, "128 bytes precede its header"),
    "format 7": (header(form=7) + CLOCK_TRACK + TRACK, "format 7"),
    "format 0 of two tracks": (header(form=0) + CLOCK_TRACK + TRACK, "format 0 for 2 tracks"),
    "format 2 of one track": (header(1, form=2) + chunk(CLOCK + NOTES + END), "format 2 for 1 tracks"),
    "RIFF with more": (
        b"RIFF" + struct.pack("<I", 99) + b"RMIDLIST\x04\0\0\0INFOdata" + struct.pack("<I", len(GOOD)) + GOOD,
        "RIFF chunks",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_malformed_files_are_read_with_a_warning_and_continued(kind: str, tmp_path: Path) -> None:
    data, message = FAULTS[kind]
    with pytest.warns(AudioWarning, match=message) as caught:
        tune = read(tmp_path, data)
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert pitches(tune) == EXPECTED
    tail = Tune(melody([67], 96, start=192).notes, tune.parts, 96)
    extend_midi(tmp_path / "tune.mid", tail, tmp_path / "out.mid", tune)
    out = parse((tmp_path / "out.mid").read_bytes(), "out")
    written = "malformed|unknown types" if "malformed" in message or "unknown" in message else "nothing"
    assert [fault for fault in out.faults if not re.search(written, fault)] == []
    assert pitches(read_quietly(tmp_path / "out.mid")) == [*EXPECTED, (192, 288, 67)]


def read_quietly(path: Path) -> Tune:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        return read_midi(path)


@pytest.mark.parametrize(
    "data",
    [
        header(more=b"\0\0") + CLOCK_TRACK + TRACK,
        header()
        + CLOCK_TRACK
        + chunk(b"\0\x90\x3c\x40\0\xff\x01\x01a\x60\x3c\0\0\xf0\x02\x01\xf7\0\x40\x40\x60\x40\0" + END),
        b"RIFF" + struct.pack("<I", len(GOOD) + 12) + b"RMIDdata" + struct.pack("<I", len(GOOD)) + GOOD,
    ],
    ids=["longer header", "running status across meta and system exclusive events", "RIFF"],
)
def test_valid_files_are_read_without_a_warning(data: bytes, tmp_path: Path) -> None:
    assert pitches(read(tmp_path, data)) == EXPECTED


def test_events_without_a_mido_message_are_written_unchanged(tmp_path: Path) -> None:
    odd = [
        b"\xff\x59\x02\xee\x01",  # 18 flats
        b"\xff\x51\x01\x07",  # a tempo of one byte
        b"\xf0\x03\x43\x12\x00",  # a system exclusive message in two packets
        b"\xf7\x02\x01\xf7",
        b"\xf7\x03\xf3\x01\x02",  # an escape
        b"\xf8",
        b"\xff\x03\x05\x8a\x5dCaf",
        b"\xff\x7f\x03\x43\x7b\x01",
        b"\xff\x4b\x02hm",
        b"\xff\x21\x02\x01\x02",  # a port of two bytes
    ]
    track = b"".join(b"\0" + event for event in odd)
    data = header() + CLOCK_TRACK + chunk(track + NOTES + END) + chunk(b"abcd", b"XFIH")
    (tmp_path / "tune.mid").write_bytes(data)
    tune = read_quietly(tmp_path / "tune.mid")
    extend_midi(tmp_path / "tune.mid", Tune(melody([67], 96, start=192).notes, tune.parts, 96), tmp_path / "out.mid")
    out = (tmp_path / "out.mid").read_bytes()
    assert track + NOTES[:4] in out
    assert out.endswith(chunk(b"abcd", b"XFIH"))


def test_a_damaged_track_is_named() -> None:
    with pytest.raises(InputError, match="track 2 is damaged"):
        parse(header() + CLOCK_TRACK + chunk(b"\0\x3c\x40" + END), "bad.mid")
    with pytest.raises(InputError, match="track 1 is damaged"):
        parse(header(1) + chunk(b"\xff" * 60 + NOTES + END), "bad.mid")
    for cut in (6, 4, 14):
        with pytest.raises(InputError, match="cut short"):
            parse(GOOD[:-cut], "bad.mid")


@pytest.mark.posix
def test_millions_of_events_are_refused_before_memory_is_allocated() -> None:
    program = """
import resource, sys
from audiogen.errors import InputError
from audiogen.tunes.midi.parser import parse
import mido, numpy
body = bytes([0, 0xC0, 1]) + bytes([0, 1]) * (8 * 2**20 - 20) + bytes([0, 255, 47, 0])
data = bytes.fromhex("4d54686400000006000100010060") + b"MTrk" + len(body).to_bytes(4, "big") + body
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    parse(data, "many.mid")
except InputError as error:
    print(error)
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 2**10, "memory"
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("many.mid: more than 2200000 events are too many")
