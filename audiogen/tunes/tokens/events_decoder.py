"""Reads the tokens of the scheme ``events``, in any order that a model may draw them in."""

from __future__ import annotations

import copy

import numpy as np

from audiogen.tunes.tokens.tokenizer import Decoder
from audiogen.tunes.tune import (
    DEFAULT_METER,
    DEFAULT_TEMPO,
    NOTE,
    Part,
    Tune,
    bar_ticks,
    last_per_tick,
    tidy,
    tidy_pedals,
)

START_VELOCITY = 80
MOST_TIES = 63


class EventsDecoder(Decoder):
    """What makes no sense is read as the nearest thing that does: a position that lies behind is one in the
    next bar, a pitch without a duration is no note, a program for a part that has one already is ignored.

    Args:
        vocabulary: of the scheme.
        resolution: grid steps a quarter note.
        page: steps that one position token reaches.
        parts: of the prompt, for their names; their programs are in the tokens.
    """

    def __init__(self, vocabulary: tuple[str, ...], resolution: int, page: int, parts: tuple[Part, ...] | None) -> None:
        super().__init__()
        self.resolution, self.page, self.known = resolution, page, parts or ()
        self.meanings = [_meaning(name) for name in vocabulary]
        kinds = np.array([kind for kind, _ in self.meanings])
        self.ids = {str(kind): np.flatnonzero(kinds == kind) for kind in dict.fromkeys(kinds)}
        self.values = {kind: [self.meanings[index][1] for index in ids] for kind, ids in self.ids.items()}
        self.levels = len(self.ids["velocity"])
        self.programs: list[int | str | None] = []
        self.part = 0
        self.velocities: dict[int, int] = {}
        self.meter, self.tempo = DEFAULT_METER, 6e7 / DEFAULT_TEMPO
        self.notes: list[tuple[int, int, int, int, int]] = []
        self.tempos: list[tuple[int, int]] = [(0, DEFAULT_TEMPO)]
        self.meters: list[tuple[int, int, int]] = [(0, *DEFAULT_METER)]
        self.presses: list[tuple[int, int, int]] = []
        self.down: dict[int, int] = {}
        self.pitch: int | None = None
        self.ties = 0
        self.last = "start"
        self.reached = (-1, 128)  # last part and pitch struck at this moment: the next lies behind them
        self.pedalled: dict[int, str] = {}
        self.ends: dict[int, int] = {}  # of each part: when its last note ends
        self.lines: set[int] = set()
        self.unbroken_from: int | None = None  # when what follows is to go on without rests; None: it may rest
        self.steady: set[str] = set()  # "tempo" and "meter", where they are not to change

    def branch(self) -> EventsDecoder:
        """Another decoder that has read the same tokens."""
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, list | dict) and name not in ("meanings", "ids", "values"):
                setattr(other, name, value.copy())
        return other

    def constrain_to_prompt(self) -> None:
        notes = np.array(sorted(self.notes)).reshape(-1, 5)
        rests = notes[1:, 0] > np.maximum.accumulate(notes[:, 1])[:-1]
        self.unbroken_from = max(self.ends.values()) if len(notes) and not rests.any() else None
        changed = {"tempo": self.tempos[-1][0] > 0, "meter": self.meters[-1][0] > 0}
        self.steady = {kind for kind, has in changed.items() if not has}
        chords = {part for part in self.ends for notes in [self._of(part)] if (notes[1:, 0] < notes[:-1, 1]).any()}
        self.lines = set(self.ends) - chords

    def _of(self, part: int) -> np.ndarray:
        """A part's notes so far, in the order of their beginnings."""
        return np.array(sorted(note for note in self.notes if note[4] == part))

    @property
    def bar_length(self) -> int:
        """Of the present bar, in steps."""
        return bar_ticks(*self.meter, self.resolution)

    def push(self, token: int) -> None:
        kind, value = self.meanings[token]
        if self.ended or kind == "start":
            return
        if kind not in ("tie", "duration"):
            self.pitch = None
        getattr(self, f"_{kind}")(value)
        self.last = kind

    def _end(self, _: None) -> None:
        self.ended = True

    def _bar(self, _: None) -> None:
        self._go(self.bar_start + self.bar_length if self.bar >= 0 else 0)
        if self.bar < 0:
            self.bar = 0

    def _later(self, _: None) -> None:
        self._go(self.bar_start + ((self.tick - self.bar_start) // self.page + 1) * self.page)

    def _position(self, step: int) -> None:
        target = self.tick - (self.tick - self.bar_start) % self.page + step
        if target <= self.tick:
            target = self.bar_start + self.bar_length + step
        self._go(target)

    def _meter(self, meter: tuple[int, int]) -> None:
        self.bar = max(self.bar, 0)
        if self.tick > self.bar_start:
            self.bar, self.bar_start = self.bar + 1, self.tick
        self.meter = meter
        self.meters.append((self.tick, *meter))

    def _tempo(self, tempo: int) -> None:
        self.tempo = tempo
        self.tempos.append((self.tick, round(6e7 / tempo)))

    def _part(self, part: int) -> None:
        self.part = part
        self.programs += [None] * (part + 1 - len(self.programs))

    def _program(self, program: int | str) -> None:
        self._part(self.part)
        if self.programs[self.part] is None:
            self.programs[self.part] = program

    def _velocity(self, level: int) -> None:
        self.velocities[self.part] = round(level * 127 / self.levels)

    def _pitch(self, pitch: int) -> None:
        self._part(self.part)
        self.pitch, self.ties = pitch, 0
        self.reached = (self.part, pitch)

    def _tie(self, _: None) -> None:
        self.ties = min(self.ties + 1, MOST_TIES)

    def _duration(self, steps: int) -> None:
        if self.pitch is not None:
            end = self.tick + self.ties * self.page + steps
            velocity = self.velocities.get(self.part, START_VELOCITY)
            self.notes.append((self.tick, end, self.pitch, velocity, self.part))
            self.ends[self.part] = max(end, self.ends.get(self.part, 0))
        self.pitch = None

    def _pedal(self, state: str) -> None:
        self._part(self.part)
        self.pedalled[self.part] = state
        if state == "on":
            self.down.setdefault(self.part, self.tick)
        elif (start := self.down.pop(self.part, self.tick)) < self.tick:
            self.presses.append((start, self.tick, self.part))

    def _go(self, tick: int) -> None:
        """Move on to a later moment, over as many bar lines as lie before it."""
        self.bar = max(self.bar, 0)
        self.seconds += (tick - self.tick) * 60 / (self.tempo * self.resolution)
        if tick > self.tick:
            self.reached, self.pedalled = (-1, 128), {}
        self.tick = tick
        bars = (tick - self.bar_start) // self.bar_length
        self.bar, self.bar_start = self.bar + bars, self.bar_start + bars * self.bar_length

    def allowed(self) -> np.ndarray:
        mask = np.zeros(len(self.meanings), bool)
        if self.pitch is not None:
            mask[self.ids["duration"]] = True
            mask[self.ids["tie"]] = self.ties < MOST_TIES
            return mask
        fresh = self.last == "part" and self.programs[self.part] is None
        if self.bar < 0 or fresh:  # the head: parts and their programs
            mask[self.ids["program"]] = fresh
            if not fresh:
                mask[self.ids["part"][len(self.programs) : len(self.programs) + 1]] = True
                mask[self.ids["bar"]] = bool(self.programs)
            return mask
        if self.last == "velocity":
            self._allow_pitches(mask)
            return mask
        if self.last != "part":
            self._allow_moves(mask)
            parts = self.ids["part"][: len(self.programs)]
            mask[parts] = [part > self.reached[0] and not self._taken(part) for part in range(len(parts))]
            mask[parts[self.part : self.part + 1]] = False
        if self.reached == (-1, 128) and not self.pedalled and self.last not in ("tempo", "part"):
            mask[self.ids["tempo"]] = "tempo" not in self.steady
        if self._allow_pitches(mask):
            mask[self.ids["velocity"]] = True
        said = self.pedalled.get(self.part)
        if self.reached < (self.part, 0) and said != "on":
            mask[self.ids["pedal"]] = [
                state == ("off" if self.part in self.down else "on") for state in self.values["pedal"]
            ]
        return mask

    def _allow_pitches(self, mask: np.ndarray) -> bool:
        part, pitch = self.reached
        below = 128 if self.part > part else pitch if self.part == part else 0
        below = 0 if self._taken(self.part) else below
        mask[self.ids["pitch"][:below]] = True
        return below > 0

    def _taken(self, part: int) -> bool:
        """Whether a part that sings one note at a time is singing one."""
        return part in self.lines and self.ends[part] > self.tick

    def _allow_moves(self, mask: np.ndarray) -> None:
        place, line = self.tick - self.bar_start, self.bar_start + self.bar_length
        begun, farthest = self.tick - place % self.page, self._farthest()
        mask[self.ids["end"]] = True
        mask[self.ids["bar"]] = line <= farthest
        mask[self.ids["later"]] = begun + self.page < line and begun + self.page <= farthest
        places = begun + np.array(self.values["position"])
        mask[self.ids["position"]] = (places > self.tick) & (places < min(line, begun + self.page))
        mask[self.ids["position"]] &= places <= farthest
        mask[self.ids["meter"]] = self.last in ("bar", "position", "later") and "meter" not in self.steady

    def _farthest(self) -> float:
        """The last moment that can be moved on to: where all notes have ended, if none may rest."""
        end = max(self.ends.values(), default=0)
        return np.inf if self.unbroken_from is None or end <= self.unbroken_from else end

    def tune(self) -> Tune:
        notes = np.array(self.notes, np.int64).reshape(-1, 5)
        table = np.zeros(len(notes), NOTE)
        for column, name in enumerate(NOTE.names or ()):
            table[name] = notes[:, column]
        held = [(start, self.tick, part) for part, start in self.down.items() if start < self.tick]
        return Tune(
            notes=tidy(table),
            parts=tuple(self._described(index, program) for index, program in enumerate(self.programs)),
            ticks_per_quarter=self.resolution,
            tempos=last_per_tick(np.array(self.tempos)),
            meters=last_per_tick(np.array(self.meters)),
            pedals=tidy_pedals(np.array(self.presses + held, np.int64).reshape(-1, 3)),
        )

    def _described(self, index: int, program: int | str | None) -> Part:
        known = self.known[index] if index < len(self.known) else Part()
        drums = program == "drums"
        return Part(0 if drums or program is None else int(program), drums, known.name, known.track, known.channel)


def _meaning(name: str) -> tuple[str, object]:
    """``"pitch 60"`` -> ``("pitch", 60)``."""
    kind, _, value = name.partition(" ")
    if "/" in value:
        top, bottom = value.split("/")
        return kind, (int(top), int(bottom))
    return kind, int(value) if value.isdigit() else value or None
