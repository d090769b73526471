"""Write data/tune.mid, a tune to try the MIDI commands with: the melody of "Greensleeves", twice, 32 bars of 6/8.

The melody is traditional (England, 16th century) and in the public domain; the notes below were typed for this file.
"""

import argparse
from pathlib import Path

import numpy as np

from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.tune import NOTE, Part, Tune, tidy

TICKS = 48  # per quarter note
VERSE = "C5:2 D5 E5:1.5 F5:.5 E5 | D5:2 B4 G4:1.5 A4:.5 B4 | C5:2 A4 A4:1.5 G#4:.5 A4 | B4:2 G#4 E4:2 A4 | "
VERSE += "C5:2 D5 E5:1.5 F5:.5 E5 | D5:2 B4 G4:1.5 A4:.5 B4 | C5:1.5 B4:.5 A4 G#4:1.5 F#4:.5 G#4 | A4:6 | "
CHORUS = "G5:3 G5:1.5 F#5:.5 E5 | D5:2 B4 G4:1.5 A4:.5 B4 | C5:2 A4 A4:1.5 G#4:.5 A4 | B4:2 G#4 E4:3 | "
CHORUS += "G5:3 G5:1.5 F#5:.5 E5 | D5:2 B4 G4:1.5 A4:.5 B4 | C5:1.5 B4:.5 A4 G#4:1.5 F#4:.5 G#4 | A4:6"
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def melody() -> Tune:
    """The tune; in the text above a note is NAME OCTAVE:EIGHTHS, and a bar has six eighths."""
    bars = [bar.split() for bar in (VERSE + CHORUS).split(" | ")] * 2
    rows, now = [], 0.0
    for bar in bars:
        for index, note in enumerate(bar):
            name, _, eighths = note.partition(":")
            length = float(eighths or 1)
            pitch = 12 * (int(name[-1]) + 1) + STEPS[name[0]] + name.count("#")
            start, end = (round(at * TICKS / 2) for at in (now, now + length))
            rows.append((start, end, pitch, 90 if index == 0 else 76, 0))
            now += length
        assert now % 6 == 0, bar
    tempos = np.array([[0, 400_000]])  # microseconds per quarter note: 100 dotted quarters a minute
    part = Part(program=74, name="Greensleeves")  # a recorder
    return Tune(tidy(np.array(rows, NOTE)), (part,), TICKS, tempos=tempos, meters=np.array([[0, 6, 8]]))


if __name__ == "__main__":
    default = Path(__file__).parents[1] / "data" / "tune.mid"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, nargs="?", default=default, help="data/tune.mid by default")
    write_midi(parser.parse_args().output, melody())
