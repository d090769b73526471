"""Decoder of the token scheme ``events``: tokens in any order -> Tune."""

from __future__ import annotations

import numpy as np

from audiogen.tunes.tokens.grammar import (
    MAX_TIES,
    MICROSECONDS_PER_MINUTE,
    UNSET,
    Grammar,
    Vocabulary,
    level_to_velocity,
)
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

DEFAULT_VELOCITY = 80


class EventsDecoder(Decoder):
    """Reads any sequence of tokens; what the grammar does not allow is read as the nearest thing that makes sense.

    A position that is not ahead is one in the next bar, a pitch without a duration is no note, and a second program
    of a part is ignored. The attributes of `GrammarState` are updated by each token.

    Args:
        vocabulary: of the scheme.
        grammar: of that vocabulary.
        resolution: grid steps per quarter note.
        parts: of the prompt, for their names, tracks and channels; their programs are in the tokens.
    """

    def __init__(
        self, vocabulary: Vocabulary, grammar: Grammar, resolution: int, parts: tuple[Part, ...] | None
    ) -> None:
        super().__init__()
        self.vocabulary, self.grammar, self.resolution = vocabulary, grammar, resolution
        self.page, self.prompt_parts = vocabulary.page, parts or ()
        self.velocity_levels = len(vocabulary.tokens("velocity"))
        self.programs: list[int | str | None] = []
        self.part = 0
        self.velocities: dict[int, int] = {}  # part -> velocity
        self.meter, self.tempo = DEFAULT_METER, MICROSECONDS_PER_MINUTE / DEFAULT_TEMPO
        self.notes: list[tuple[int, int, int, int, int]] = []  # columns as of `NOTE`
        self.tempos: list[tuple[int, int]] = [(0, DEFAULT_TEMPO)]
        self.meters: list[tuple[int, int, int]] = [(0, *DEFAULT_METER)]
        self.presses: list[tuple[int, int, int]] = []
        self.pedal_starts: dict[int, int] = {}
        self.pending_pitch: int | None = None
        self.ties = 0
        self.last_kind = "start"
        self.cursor = UNSET
        self.pedals_set: dict[int, str] = {}
        self.part_ends: dict[int, int] = {}
        self.monophonic: set[int] = set()
        self.gapless_from: int | None = None
        self.constant: set[str] = set()

    def constrain_to_prompt(self) -> None:
        notes = np.array(sorted(self.notes)).reshape(-1, 5)
        rests = notes[1:, 0] > np.maximum.accumulate(notes[:, 1])[:-1]
        self.gapless_from = max(self.part_ends.values()) if len(notes) and not rests.any() else None
        changed = {"tempo": self.tempos[-1][0] > 0, "meter": self.meters[-1][0] > 0}
        self.constant = {kind for kind, has_changed in changed.items() if not has_changed}
        by_part = {part: np.array(sorted(note for note in self.notes if note[4] == part)) for part in self.part_ends}
        self.monophonic = {part for part, own in by_part.items() if not (own[1:, 0] < own[:-1, 1]).any()}

    @property
    def bar_length(self) -> int:
        """Length of the current bar in steps."""
        return bar_ticks(*self.meter, self.resolution)

    def allowed(self) -> np.ndarray:
        return self.grammar.allowed_next(self)

    def push(self, token: int) -> None:
        kind, value = self.vocabulary.events[token]
        if self.ended or kind == "start":
            return
        if kind not in ("tie", "duration"):
            self.pending_pitch = None
        getattr(self, f"_read_{kind}")(value)
        self.last_kind = kind

    def _read_end(self, _: None) -> None:
        self.ended = True

    def _read_bar(self, _: None) -> None:
        self._advance(self.bar_start + self.bar_length if self.bar >= 0 else 0)

    def _read_later(self, _: None) -> None:
        self._advance(self.bar_start + ((self.tick - self.bar_start) // self.page + 1) * self.page)

    def _read_position(self, step: int) -> None:
        tick = self.tick - (self.tick - self.bar_start) % self.page + step
        self._advance(tick if tick > self.tick else self.bar_start + self.bar_length + step)

    def _read_meter(self, meter: tuple[int, int]) -> None:
        self.bar = max(self.bar, 0)
        if self.tick > self.bar_start:
            self.bar, self.bar_start = self.bar + 1, self.tick
        self.meter = meter
        self.meters.append((self.tick, *meter))

    def _read_tempo(self, tempo: int) -> None:
        self.tempo = tempo
        self.tempos.append((self.tick, round(MICROSECONDS_PER_MINUTE / tempo)))

    def _read_part(self, part: int) -> None:
        self.part = part
        self.programs += [None] * (part + 1 - len(self.programs))

    def _read_program(self, program: int | str) -> None:
        self._read_part(self.part)
        if self.programs[self.part] is None:
            self.programs[self.part] = program

    def _read_velocity(self, level: int) -> None:
        self.velocities[self.part] = level_to_velocity(level, self.velocity_levels)

    def _read_pitch(self, pitch: int) -> None:
        self._read_part(self.part)
        self.pending_pitch, self.ties = pitch, 0
        self.cursor = (self.part, pitch)

    def _read_tie(self, _: None) -> None:
        self.ties = min(self.ties + 1, MAX_TIES)

    def _read_duration(self, steps: int) -> None:
        if self.pending_pitch is not None:
            end = self.tick + self.ties * self.page + steps
            velocity = self.velocities.get(self.part, DEFAULT_VELOCITY)
            self.notes.append((self.tick, end, self.pending_pitch, velocity, self.part))
            self.part_ends[self.part] = max(end, self.part_ends.get(self.part, 0))
        self.pending_pitch = None

    def _read_pedal(self, state: str) -> None:
        self._read_part(self.part)
        self.pedals_set[self.part] = state
        if state == "on":
            self.pedal_starts.setdefault(self.part, self.tick)
        elif (start := self.pedal_starts.pop(self.part, self.tick)) < self.tick:
            self.presses.append((start, self.tick, self.part))

    def _advance(self, tick: int) -> None:
        """Go to a later tick, across all bar lines before it."""
        self.bar = max(self.bar, 0)
        self.seconds += (tick - self.tick) * 60 / (self.tempo * self.resolution)
        if tick > self.tick:
            self.cursor, self.pedals_set = UNSET, {}
        self.tick = tick
        bars = (tick - self.bar_start) // self.bar_length
        self.bar, self.bar_start = self.bar + bars, self.bar_start + bars * self.bar_length

    def tune(self) -> Tune:
        notes = np.array(self.notes, np.int64).reshape(-1, 5)
        table = np.zeros(len(notes), NOTE)
        for column, name in enumerate(NOTE.names or ()):
            table[name] = notes[:, column]
        held = [(start, self.tick, part) for part, start in self.pedal_starts.items() if start < self.tick]
        return Tune(
            notes=tidy(table),
            parts=tuple(self._part_of(index, program) for index, program in enumerate(self.programs)),
            ticks_per_quarter=self.resolution,
            tempos=last_per_tick(np.array(self.tempos)),
            meters=last_per_tick(np.array(self.meters)),
            pedals=tidy_pedals(np.array(self.presses + held, np.int64).reshape(-1, 3)),
        )

    def _part_of(self, index: int, program: int | str | None) -> Part:
        given = self.prompt_parts[index] if index < len(self.prompt_parts) else Part()
        drums = program == "drums"
        return Part(0 if drums or program is None else int(program), drums, given.name, given.track, given.channel)
