"""Token scheme ``events``: bars, positions, parts, pitches with durations, velocities, tempos, meters and the pedal.

After REMI (Huang & Yang 2020, "Pop Music Transformer", arXiv 2002.00212), with three differences. State is written
only where it changes (part, velocity, tempo, meter), so that a tune of constant loudness needs no velocity tokens.
Durations are exact on the grid up to 512 quarter notes, long ones by ties. Every sequence of tokens can be decoded.
See `audiogen.tunes.tokens.grammar` for the tokens and their order.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning
from audiogen.tunes.tokens.events_decoder import EventsDecoder
from audiogen.tunes.tokens.grammar import (
    DENOMINATORS,
    MAX_NUMERATOR,
    MAX_TEMPO,
    MAX_TIES,
    MICROSECONDS_PER_MINUTE,
    MIN_TEMPO,
    PAGE_QUARTERS,
    Grammar,
    TimedEvent,
    Vocabulary,
    event_names,
    split_duration,
    timed_events,
    velocity_to_level,
)
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Part, Tune, bar_ticks, last_per_tick, tidy, tidy_pedals


@dataclass(frozen=True)
class EventsOptions:
    """Options of the token scheme ``events``.

    Args:
        resolution: grid steps per quarter note, a multiple of 8 up to 96. 24 holds 32nds and triplets; 48 suits
            performances.
        velocities: number of loudness levels, 1 to 127; 127 keeps velocities exactly.
        parts: maximum number of parts, 1 to 64. Further parts join the first one with their program.
    """

    resolution: int = 24
    velocities: int = 127
    parts: int = 16

    def __post_init__(self) -> None:
        if self.resolution not in range(8, 97, 8):
            raise ValueError("resolution must be a multiple of 8 up to 96")
        if not 1 <= self.velocities <= 127 or not 1 <= self.parts <= 64:
            raise ValueError("velocities must lie in 1..127 and parts in 1..64")


class EventsTokenizer(Tokenizer):
    """Tune <-> tokens of the scheme ``events``.

    Args:
        options: see `EventsOptions`.
    """

    Options = EventsOptions
    kind = "events"

    def __init__(self, options: EventsOptions) -> None:
        self.options, self.resolution = options, options.resolution
        self.page = PAGE_QUARTERS * options.resolution
        self.vocabulary = event_names(self.page, options.velocities, options.parts)
        self.events = Vocabulary(self.vocabulary)
        self.grammar = Grammar(self.events)

    def quantised(self, tune: Tune) -> Tune:
        parts, new_parts = self._merge_parts(tune)
        grid = replace(tune, notes=tune.notes.copy(), pedals=tune.pedals.copy()).rescaled(self.resolution)
        notes, pedals, meters = grid.notes, grid.pedals, grid.meters
        levels = self.options.velocities
        notes["part"], pedals[:, 2] = new_parts[notes["part"]], new_parts[pedals[:, 2]]
        notes["velocity"] = np.rint(np.maximum(np.rint(notes["velocity"] * levels / 127), 1) * 127 / levels)
        notes["end"] = np.minimum(notes["end"], notes["start"] + (MAX_TIES + 1) * self.page)
        tempos = np.rint(MICROSECONDS_PER_MINUTE / grid.tempos[:, 1])
        tempos = np.clip(tempos, MIN_TEMPO, MAX_TEMPO).astype(np.int64)
        changed = np.append(True, np.diff(tempos) != 0)
        bottom = np.clip(meters[:, 2], DENOMINATORS[0], DENOMINATORS[-1])
        meters[:, 1] = np.clip(np.rint(meters[:, 1] * bottom / meters[:, 2]), 1, MAX_NUMERATOR)
        meters[:, 2] = bottom
        end = int(notes["end"].max(initial=0))
        periods = np.rint(MICROSECONDS_PER_MINUTE / tempos).astype(np.int64)
        changes = np.column_stack([grid.tempos[:, 0], periods])[changed]
        return Tune(
            notes=tidy(notes),
            parts=parts,
            ticks_per_quarter=self.resolution,
            tempos=changes[changes[:, 0] <= max(end, 0)],
            meters=self._effective(last_per_tick(meters[meters[:, 0] <= end])),
            pedals=tidy_pedals(pedals[pedals[:, 0] <= end]),
        )

    def _effective(self, meters: np.ndarray) -> np.ndarray:
        """The meters without those that change nothing: the same meter again, on a bar line."""
        kept = [meters[0]]
        for change in meters[1:]:
            bar = bar_ticks(int(kept[-1][1]), int(kept[-1][2]), self.resolution)
            if (change[1:] != kept[-1][1:]).any() or (change[0] - kept[-1][0]) % bar:
                kept.append(change)
        return np.array(kept)

    def _merge_parts(self, tune: Tune) -> tuple[tuple[Part, ...], np.ndarray]:
        """At most ``options.parts`` parts, and for each of the tune's parts the index of the one that it joins."""
        most = self.options.parts
        kept = tune.parts[:most]
        new = np.arange(len(tune.parts))
        for index, part in enumerate(tune.parts[most:], most):
            alike = [other for other, one in enumerate(kept) if (one.program, one.drums) == (part.program, part.drums)]
            if not alike:
                text = f"{len(tune.parts)} parts are more than {most}: {part.name or index} changes its program"
                warnings.warn(text, AudioWarning, stacklevel=4)
            new[index] = alike[0] if alike else most - 1
        return tuple(replace(part, program=0 if part.drums else part.program) for part in kept), new

    def encode(self, tune: Tune, ended: bool = True) -> np.ndarray:
        grid = self.quantised(tune)
        until = grid.end if ended else self.join(tune)
        bars = [TimedEvent(tick, -1, "bar", -1, None) for tick in grid.bar_lines(until + (not ended)).tolist()]
        encoder = _Encoder(self, grid)
        for event in sorted([*bars, *timed_events(grid)], key=lambda event: event[:2]):
            if event.tick <= until:
                encoder.write(event)
        return np.array(encoder.finish(None if ended else until), np.int64)

    def pitched(self, tokens: np.ndarray) -> np.ndarray:
        is_part, first = self.events.is_kind(tokens, "part"), self.events.token("part", 0)
        part, drums = 0, []
        drum_program = self.events.token("program", "drums")
        for token in tokens[(tokens == drum_program) | is_part].tolist():
            if token == drum_program:
                drums.append(part)
            else:
                part = token - first
        last_part_token = np.maximum.accumulate(np.where(is_part, np.arange(len(tokens)), 0))
        return self.events.is_kind(tokens, "pitch") & ~np.isin(tokens[last_part_token] - first, drums)

    def at_tempo(self, tokens: np.ndarray, factor: float) -> np.ndarray:
        is_tempo, first = self.events.is_kind(tokens, "tempo"), self.events.token("tempo", MIN_TEMPO)
        tempos = np.rint((tokens.astype(np.int64) - first + MIN_TEMPO) * factor).clip(MIN_TEMPO, MAX_TEMPO)
        return np.where(is_tempo, first + (tempos - MIN_TEMPO).astype(np.int64), tokens)

    def decoder(self, prompt: Tune | None = None) -> EventsDecoder:
        parts = None if prompt is None else prompt.parts
        return EventsDecoder(self.events, self.grammar, self.resolution, parts)


class _Encoder:
    """Writes timed events as tokens; part, velocity and meter only where they change."""

    def __init__(self, scheme: EventsTokenizer, grid: Tune) -> None:
        self.scheme, self.tokens = scheme, [scheme.events.token("start")]
        self.meters = {tick: (top, bottom) for tick, top, bottom in grid.meters.tolist()}
        self.bar_start = self.bar_length = self.now = 0
        self.part = -1
        self.velocities: dict[int, int] = {}
        for index, part in enumerate(grid.parts):
            self._set_part(index)
            self._add("program", "drums" if part.drums else part.program)

    def write(self, event: TimedEvent) -> None:
        """Write one event; meters are written with the bars that they begin."""
        if event.kind == "bar":
            self._begin_bar(event.tick)
        elif event.kind != "meter":
            self._move(event.tick)
            if event.part >= 0:
                self._set_part(event.part)
            if event.kind == "note":
                self._write_note(*event.value)
            else:
                self._add(event.kind, event.value)

    def finish(self, until: int | None) -> list[int]:
        """All tokens, with the end token, or up to the position of a tick instead."""
        if until is None:
            self._add("end")
        else:
            self._move(until)
        return self.tokens

    def _add(self, kind: str, value: Any = None) -> None:
        self.tokens.append(self.scheme.events.token(kind, value))

    def _write_note(self, pitch: int, duration: int, velocity: int) -> None:
        if self.velocities.get(self.part) != velocity:
            self._add("velocity", velocity_to_level(velocity, self.scheme.options.velocities))
            self.velocities[self.part] = velocity
        ties, steps = split_duration(duration, self.scheme.page)
        self._add("pitch", pitch)
        for _ in range(ties):
            self._add("tie")
        self._add("duration", steps)

    def _set_part(self, part: int) -> None:
        if part != self.part:
            self._add("part", part)
            self.part = part

    def _begin_bar(self, tick: int) -> None:
        if tick == self.bar_start + self.bar_length:
            self._add("bar")
        else:  # a meter within a bar ends that bar
            self._move(tick)
        self.bar_start = self.now = tick
        if tick in self.meters:
            self._add("meter", self.meters[tick])
            self.bar_length = bar_ticks(*self.meters[tick], self.scheme.resolution)

    def _move(self, tick: int) -> None:
        if tick == self.now:
            return
        page, step = divmod(tick - self.bar_start, self.scheme.page)
        for _ in range(page - (self.now - self.bar_start) // self.scheme.page):
            self._add("later")
        if step:
            self._add("position", step)
        self.now = tick
