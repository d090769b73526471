"""Token scheme ``notes``: one token per grid step, of a single melody: a note-on, a hold or a rest.

The melody encoding of Melody RNN (Waite 2016, "Generating long-term structure in songs and stories"). It keeps the top
line, its onsets and durations on the grid. Chords, velocities, programs and tempos are lost; a continuation takes them
from its prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audiogen.tunes.tokens.tokenizer import Decoder, Tokenizer
from audiogen.tunes.tune import NOTE, Part, Tune, bar_ticks

START, END, REST, HOLD, PITCH = range(5)
DEFAULT_VELOCITY = 80


@dataclass(frozen=True)
class NotesOptions:
    """Options of the token scheme ``notes``.

    Args:
        resolution: grid steps per quarter note, 1 to 96: 4 are sixteenths, 12 hold triplets too.
    """

    resolution: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.resolution <= 96:
            raise ValueError("resolution must lie in 1..96")


class NotesTokenizer(Tokenizer):
    """Tune <-> tokens of the scheme ``notes``.

    Args:
        options: see `NotesOptions`.
    """

    Options = NotesOptions
    kind = "notes"

    def __init__(self, options: NotesOptions) -> None:
        self.options, self.resolution = options, options.resolution
        self.vocabulary = ("start", "end", "rest", "hold", *(f"pitch {pitch}" for pitch in range(128)))

    def quantised(self, tune: Tune) -> Tune:
        return self.decode(self.encode(tune), tune)

    def encode(self, tune: Tune, ended: bool = True) -> np.ndarray:
        melody = top_line(tune.rescaled(self.resolution))
        until = int(melody["end"].max(initial=0)) if ended else self.join(tune)
        steps = np.full(until, REST, np.int64)
        for start, end, pitch in zip(*(melody[name].tolist() for name in ("start", "end", "pitch")), strict=True):
            steps[start:end] = HOLD
            steps[start : start + 1] = PITCH + pitch
        return np.concatenate([[START], steps, [END] if ended else []]).astype(np.int64)

    def pitched(self, tokens: np.ndarray) -> np.ndarray:
        return tokens >= PITCH

    def decoder(self, prompt: Tune | None = None) -> Decoder:
        return _NotesDecoder(self, prompt)


def top_line(tune: Tune) -> np.ndarray:
    """The highest notes of a tune, ``[notes]`` of dtype `NOTE`; a note ends when a higher one begins."""
    notes = tune.melodic_notes
    notes = notes[np.lexsort((-notes["end"], -notes["pitch"], notes["start"]))]
    starts, ends, pitches = (notes[name].tolist() for name in ("start", "end", "pitch"))
    line: list[int] = []
    for index, (start, pitch) in enumerate(zip(starts, pitches, strict=True)):
        if line:
            last = line[-1]
            if start == starts[last] or (start < ends[last] and pitch < pitches[last]):
                continue
            ends[last] = min(ends[last], start)
        line.append(index)
    notes["end"] = ends
    return notes[line]


class _NotesDecoder(Decoder):
    """Decoder of the scheme ``notes``; the melody joins the prompt's first melodic part."""

    def __init__(self, tokenizer: NotesTokenizer, prompt: Tune | None) -> None:
        super().__init__()
        self.tokenizer, self.bar = tokenizer, 0
        self.notes: list[tuple[int, int, int]] = []  # start, end, pitch
        self.sounding = False
        parts = prompt.parts if prompt is not None else ()
        self.part = next((index for index, part in enumerate(parts) if not part.drums), len(parts))
        self.parts = parts if self.part < len(parts) else (*parts, Part())
        own = np.zeros(0, NOTE) if prompt is None else prompt.notes[prompt.notes["part"] == self.part]
        self.velocity = int(np.median(own["velocity"])) if len(own) else DEFAULT_VELOCITY
        empty = Tune(np.zeros(0, NOTE), self.parts, tokenizer.resolution)
        scaled = empty if prompt is None else prompt.rescaled(tokenizer.resolution)
        self.clock = replace(empty, tempos=scaled.tempos, meters=scaled.meters)
        self.meter = 0  # index of the current meter

    def push(self, token: int) -> None:
        if self.ended or token == START:
            return
        if token == END:
            self.ended = True
            return
        if token >= PITCH:
            self.notes.append((self.tick, self.tick + 1, token - PITCH))
        elif token == HOLD and self.sounding:
            start, _, pitch = self.notes[-1]
            self.notes[-1] = (start, self.tick + 1, pitch)
        self.sounding = token >= PITCH or (token == HOLD and self.sounding)
        self.tick += 1
        self.seconds = float(self.clock.seconds_at(self.tick))
        meters = self.clock.meters
        changed = self.meter + 1 < len(meters) and self.tick >= meters[self.meter + 1, 0]
        self.meter += changed
        numerator, denominator = meters[self.meter, 1:].tolist()
        if changed or self.tick - self.bar_start >= bar_ticks(numerator, denominator, self.tokenizer.resolution):
            self.bar, self.bar_start = self.bar + 1, self.tick

    def allowed(self) -> np.ndarray:
        mask = np.ones(self.tokenizer.size, bool)
        mask[START], mask[HOLD] = False, self.sounding
        return mask

    def tune(self) -> Tune:
        notes = np.zeros(len(self.notes), NOTE)
        for name, column in (("start", 0), ("end", 1), ("pitch", 2)):
            notes[name] = [note[column] for note in self.notes]
        notes["velocity"], notes["part"] = self.velocity, self.part
        return replace(self.clock, notes=notes)
