"""Make small stand-ins for published data sets: their folders and columns, with a few seconds of generated music."""

from __future__ import annotations

import argparse
import csv
import random
import wave
from pathlib import Path

import mido

MAESTRO_COLUMNS = [
    "canonical_composer",
    "canonical_title",
    "split",
    "year",
    "midi_filename",
    "audio_filename",
    "duration",
]
MUSICNET_COLUMNS = ["start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value"]
METADATA_COLUMNS = ["id", "composer", "composition", "movement", "ensemble", "source", "transcriber"]
METADATA_COLUMNS += ["catalog_name", "seconds"]
ABC_TUNES = """X: {number}
T:{title}
% Nottingham Music Database
S:via someone
M:6/8
L:1/8
K:D
A|:"D"dfd "G"gbg|"D"afd "A"efg|"D"d{middle}d "A"ecA|"D"d3 -d2A:|
"""


def write_wav(path: Path, seconds: float = 0.25) -> None:
    """Mono 16-bit noise at 44.1 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = random.Random(path.name)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(bytes(noise.randrange(256) for _ in range(2 * int(seconds * 44100))))


def write_performance(path: Path, notes: int = 24) -> None:
    """A MAESTRO-like format 1 MIDI file: 384 ticks per quarter, 120 bpm, one piano with pedal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(path.name)
    clock = mido.MidiTrack(
        [mido.MetaMessage("set_tempo", tempo=500000), mido.MetaMessage("time_signature", numerator=4)]
    )
    piano = mido.MidiTrack([mido.Message("program_change", program=0)])
    for _ in range(notes):
        pitch, velocity = chance.randrange(36, 90), chance.randrange(20, 110)
        piano.append(mido.Message("control_change", control=64, value=chance.randrange(128)))
        piano.append(mido.Message("note_on", note=pitch, velocity=velocity, time=chance.randrange(60)))
        piano.append(mido.Message("note_on", note=pitch, velocity=0, time=1 + chance.randrange(200)))
    mido.MidiFile(type=1, ticks_per_beat=384, tracks=[clock, piano]).save(path)


def write_tune(path: Path, notes: int = 32) -> None:
    """A Nottingham-like MIDI file: melody and chord tracks, 480 ticks per quarter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(path.name)
    melody = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=6, denominator=8)])
    chords = mido.MidiTrack()
    for index in range(notes):
        pitch = chance.choice([62, 64, 66, 67, 69, 71, 73, 74])
        melody.append(mido.Message("note_on", note=pitch, velocity=105))
        melody.append(mido.Message("note_off", note=pitch, time=240))
        if index % 6 == 0:
            for chord_pitch in (50, 54, 57):
                chords.append(mido.Message("note_on", note=chord_pitch, velocity=80))
            for order, chord_pitch in enumerate((50, 54, 57)):
                chords.append(mido.Message("note_off", note=chord_pitch, time=0 if order else 6 * 240))
    mido.MidiFile(type=1, ticks_per_beat=480, tracks=[melody, chords]).save(path)


def write_table(path: Path, columns: list[str], rows: list[list[object]]) -> None:
    """A CSV file with a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def make_maestro(folder: Path, audio: bool = True) -> Path:
    """Ten performances in ``maestro-v3.0.0``: six train, two validation, two test; without audio, the
    MIDI-only archive.
    """
    root = folder / "maestro-v3.0.0"
    splits = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    rows: list[list[object]] = []
    for index, split in enumerate(splits):
        year = 2004 + 2 * (index % 3)
        stem = f"{year}/MIDI-Unprocessed_SMF_{index:02d}_R1_{year}_wav--1"
        write_performance(root / f"{stem}.midi")
        if audio:
            write_wav(root / f"{stem}.wav")
        title = f"Étude No. {index}, Op. 1"
        rows.append(["Frédéric Chopin", title, split, year, f"{stem}.midi", f"{stem}.wav", 0.25])
    write_table(root / "maestro-v3.0.0.csv", MAESTRO_COLUMNS, rows)
    return root


def make_musicnet(folder: Path, audio: bool = True) -> Path:
    """Eight training and two test recordings in ``musicnet``, metadata and MIDI scores beside it."""
    root = folder / "musicnet"
    metadata: list[list[object]] = []
    for index, number in enumerate([1727, 1728, 1729, 1730, 1733, 1734, 1735, 1739, 1759, 1819]):
        part = "train" if index < 8 else "test"
        chance = random.Random(number)
        labels: list[list[object]] = []
        for step in range(20):
            start, instrument = 500 * step, chance.choice([41, 42, 43])
            pitch = chance.randrange(48, 84)
            labels.append([start, start + 900, instrument, pitch, step / 4, (step + 1) / 4, "Sixteenth"])
        write_table(root / f"{part}_labels" / f"{number}.csv", MUSICNET_COLUMNS, labels)
        if audio:
            write_wav(root / f"{part}_data" / f"{number}.wav")
        write_tune(folder / "musicnet_midis" / "Schubert" / f"{number}_score.mid")
        metadata.append(
            [
                number,
                "Schubert",
                "Piano Quintet",
                "1. Allegro",
                "Piano Quintet",
                "Museum",
                "x",
                "D667",
                10,
            ]
        )
    write_table(folder / "musicnet_metadata.csv", METADATA_COLUMNS, metadata)
    return root


def abc_file(titles: list[str]) -> str:
    """Tunes in ABC notation that differ in one note."""
    return "\n".join(
        ABC_TUNES.format(number=number, title=title, middle="defgabc'"[number % 7])
        for number, title in enumerate(titles, 1)
    )


def make_nottingham(folder: Path, midi: bool = True) -> Path:
    """The cleaned set: two ABC files with twelve tunes, and the same tunes as MIDI, whole and in its two
    halves.
    """
    root = folder / "nottingham-dataset"
    (root / "ABC_cleaned").mkdir(parents=True, exist_ok=True)
    for name in ("jigs", "morris"):
        text = abc_file([f"{name.title()} number {index}" for index in range(6)])
        (root / "ABC_cleaned" / f"{name}.abc").write_text(text, encoding="utf-8")
        for index in range(1, 7) if midi else ():
            for inner in ("", "melody/", "chords/"):
                write_tune(root / "MIDI" / f"{inner}{name}{index}.mid")
    return root


def make_nottingham_split(folder: Path) -> Path:
    """The set in ``train``, ``valid`` and ``test``."""
    root = folder / "Nottingham"
    for name, count in (("train", 6), ("valid", 2), ("test", 2)):
        for index in range(count):
            write_tune(root / name / f"jigs_simple_chords_{index}.mid")
    return root


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="one folder per data set is made in it")
    folder = parser.parse_args().folder
    for make in (make_maestro, make_musicnet, make_nottingham, make_nottingham_split):
        print(make(folder))
