"""The expressive scheme: bars, positions, parts, pitches with durations, velocities, tempos, meters and the
pedal.

After REMI (Huang & Yang 2020, "Pop Music Transformer", arXiv 2002.00212), with three differences. State is
said only when it changes (part, velocity, tempo, meter), so a tune of even loudness pays nothing for
loudness. Durations are exact on the grid up to 512 quarter notes, long ones as ties. Each sequence has a
meaning, and `Decoder.allowed` knows the grammar.

The order of a tune: start; for each part: part, program; then bar by bar, position by position: tempo; and
for each part its pedal, then its notes from the highest to the lowest.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from audiogen.audio import AudioWarning
from audiogen.tunes.tokens.events_decoder import EventsDecoder
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune, bar_ticks, last_per_tick, tidy, tidy_pedals

PAGE = 8
"""Quarter notes that one position or duration token reaches; "later" and "tie" go beyond."""
TIES = 63
NUMERATORS, DENOMINATORS = 24, (1, 2, 4, 8, 16, 32)
SLOWEST, FASTEST = 10, 300


@dataclass(frozen=True)
class EventsOptions:
    """Args:
    resolution: grid steps a quarter note, a multiple of 8. 24 holds 32nds and triplets; 48 suits
        performances.
    velocities: levels of loudness, 1..127; 127 keeps them exactly.
    parts: most parts told apart. Further ones join the first part of their program.
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
    """See the module."""

    Options = EventsOptions
    kind = "events"

    def __init__(self, options: EventsOptions) -> None:
        self.options, self.resolution = options, options.resolution
        self.page = PAGE * options.resolution
        names = ["start", "end", "bar", "later", "tie", "pedal on", "pedal off"]
        names += [f"position {step}" for step in range(1, self.page)]
        names += [f"meter {top}/{bottom}" for bottom in DENOMINATORS for top in range(1, NUMERATORS + 1)]
        names += [f"tempo {tempo}" for tempo in range(SLOWEST, FASTEST + 1)]
        names += [f"part {part}" for part in range(options.parts)]
        names += [f"program {program}" for program in [*range(128), "drums"]]
        names += [f"velocity {level}" for level in range(1, options.velocities + 1)]
        names += [f"pitch {pitch}" for pitch in range(128)]
        names += [f"duration {steps}" for steps in range(1, self.page + 1)]
        self.vocabulary = tuple(names)
        self.ids = {name: index for index, name in enumerate(names)}

    def quantised(self, tune: Tune) -> Tune:
        parts, moved = self._folded(tune)
        grid = replace(tune, notes=tune.notes.copy(), pedals=tune.pedals.copy()).rescaled(self.resolution)
        notes, pedals, meters = grid.notes, grid.pedals, grid.meters
        levels = self.options.velocities
        notes["part"], pedals[:, 2] = moved[notes["part"]], moved[pedals[:, 2]]
        notes["velocity"] = np.rint(np.maximum(np.rint(notes["velocity"] * levels / 127), 1) * 127 / levels)
        notes["end"] = np.minimum(notes["end"], notes["start"] + (TIES + 1) * self.page)
        tempos = np.clip(np.rint(6e7 / grid.tempos[:, 1]), SLOWEST, FASTEST).astype(np.int64)
        changed = np.append(True, np.diff(tempos) != 0)
        bottom = np.clip(meters[:, 2], DENOMINATORS[0], DENOMINATORS[-1])
        meters[:, 1] = np.clip(np.rint(meters[:, 1] * bottom / meters[:, 2]), 1, NUMERATORS)
        meters[:, 2] = bottom
        end = int(notes["end"].max(initial=0))
        tempos = np.column_stack([grid.tempos[:, 0], np.rint(6e7 / tempos).astype(np.int64)])[changed]
        return Tune(
            notes=tidy(notes),
            parts=parts,
            ticks_per_quarter=self.resolution,
            tempos=tempos[tempos[:, 0] <= max(end, 0)],
            meters=self._told(last_per_tick(meters[meters[:, 0] <= end])),
            pedals=tidy_pedals(pedals[pedals[:, 0] <= end]),
        )

    def _told(self, meters: np.ndarray) -> np.ndarray:
        """Without the changes that change nothing: the same meter again, on a bar line."""
        kept = [meters[0]]
        for change in meters[1:]:
            bar = bar_ticks(int(kept[-1][1]), int(kept[-1][2]), self.resolution)
            if (change[1:] != kept[-1][1:]).any() or (change[0] - kept[-1][0]) % bar:
                kept.append(change)
        return np.array(kept)

    def _folded(self, tune: Tune) -> tuple[tuple, np.ndarray]:
        """The parts that are told apart, and for each of the tune's parts which of them it is."""
        most = self.options.parts
        kept = tune.parts[:most]
        moved = np.arange(len(tune.parts))
        for index, part in enumerate(tune.parts[most:], most):
            alike = [other for other, one in enumerate(kept) if (one.program, one.drums) == (part.program, part.drums)]
            if not alike:
                text = f"{len(tune.parts)} parts are more than {most}: {part.name or index} changes its program"
                warnings.warn(text, AudioWarning, stacklevel=4)
            moved[index] = alike[0] if alike else most - 1
        return tuple(replace(part, program=0 if part.drums else part.program) for part in kept), moved

    def encode(self, tune: Tune, ended: bool = True) -> np.ndarray:
        grid = self.quantised(tune)
        writer = _Writer(self, grid)
        until = grid.end if ended else self.join(tune)
        rows: list[tuple[int, int, tuple]] = [
            (tick, 0, ("bar",)) for tick in grid.bar_lines(until + (not ended)).tolist()
        ]
        rows += [(tick, 1, (f"tempo {round(6e7 / tempo)}",)) for tick, tempo in grid.tempos.tolist()]
        for start, end, part in grid.pedals.tolist():
            rows += [(end, 3 * part + 2, ("off",)), (start, 3 * part + 3, ("on",))]
        columns = (grid.notes[name].tolist() for name in ("start", "end", "pitch", "velocity", "part"))
        rows += [
            (start, 3 * part + 4, (end - start, pitch, velocity))
            for start, end, pitch, velocity, part in zip(*columns, strict=True)
        ]
        for tick, rank, row in sorted(rows, key=lambda row: row[:2]):  # stable: notes stay from high to low
            if tick <= until:
                writer.write(tick, rank, row)
        return np.array(writer.finish(None if ended else until), np.int64)

    def pitched(self, tokens: np.ndarray) -> np.ndarray:
        parts, drums = self._ids("part"), []
        part, drum = 0, self.ids["program drums"]
        for token in tokens[(tokens == drum) | (parts.start <= tokens) & (tokens < parts.stop)].tolist():
            if token == drum:
                drums.append(part)
            else:
                part = token - parts.start
        said = np.where((parts.start <= tokens) & (tokens < parts.stop), np.arange(len(tokens)), 0)
        playing = tokens[np.maximum.accumulate(said)] - parts.start  # the part that was said last
        pitches = self._ids("pitch")
        return (pitches.start <= tokens) & (tokens < pitches.stop) & ~np.isin(playing, drums)

    def at_tempo(self, tokens: np.ndarray, factor: float) -> np.ndarray:
        tempos = self._ids("tempo")
        faster = np.rint((tokens.astype(np.int64) - tempos.start + SLOWEST) * factor).clip(SLOWEST, FASTEST) - SLOWEST
        told = (tempos.start <= tokens) & (tokens < tempos.stop)
        return np.where(told, tempos.start + faster.astype(np.int64), tokens)

    def _ids(self, kind: str) -> range:
        """The tokens of one kind, which stand together in the vocabulary."""
        found = [index for index, name in enumerate(self.vocabulary) if name.startswith(kind + " ")]
        return range(found[0], found[-1] + 1)

    def decoder(self, prompt: Tune | None = None) -> EventsDecoder:
        return EventsDecoder(self.vocabulary, self.resolution, self.page, None if prompt is None else prompt.parts)


class _Writer:
    """Writes what the rows of `EventsTokenizer.encode` say, and only what has changed."""

    def __init__(self, scheme: EventsTokenizer, grid: Tune) -> None:
        self.scheme, self.tokens = scheme, [scheme.ids["start"]]
        self.meters = {tick: (top, bottom) for tick, top, bottom in grid.meters.tolist()}
        self.bar = self.bar_length = self.now = 0
        self.part = -1
        self.velocities: dict[int, int] = {}
        for index, part in enumerate(grid.parts):
            self._part(index)
            self._say(f"program {'drums' if part.drums else part.program}")

    def write(self, tick: int, rank: int, row: tuple) -> None:
        if rank == 0:
            self._bar(tick)
            return
        self._move(tick)
        if rank == 1:
            self._say(row[0])
            return
        self._part((rank - 2) // 3)
        if len(row) == 1:
            self._say(f"pedal {row[0]}")
            return
        duration, pitch, velocity = row
        if self.velocities.get(self.part) != velocity:
            self._say(f"velocity {round(velocity * self.scheme.options.velocities / 127)}")
            self.velocities[self.part] = velocity
        ties, rest = divmod(duration - 1, self.scheme.page)
        self._say(f"pitch {pitch}", *["tie"] * ties, f"duration {rest + 1}")

    def finish(self, until: int | None) -> list[int]:
        if until is None:
            self._say("end")
        else:
            self._move(until)
        return self.tokens

    def _say(self, *names: str) -> None:
        self.tokens += [self.scheme.ids[name] for name in names]

    def _part(self, part: int) -> None:
        if part != self.part:
            self._say(f"part {part}")
            self.part = part

    def _bar(self, tick: int) -> None:
        if tick == self.bar + self.bar_length:
            self._say("bar")
        else:  # a meter that begins within a bar ends that bar
            self._move(tick)
        self.bar = self.now = tick
        if tick in self.meters:
            top, bottom = self.meters[tick]
            self._say(f"meter {top}/{bottom}")
            self.bar_length = bar_ticks(top, bottom, self.scheme.resolution)

    def _move(self, tick: int) -> None:
        if tick == self.now:
            return
        page = (tick - self.bar) // self.scheme.page
        step = (tick - self.bar) % self.scheme.page
        self._say(*["later"] * (page - (self.now - self.bar) // self.scheme.page))
        if step:
            self._say(f"position {step}")
        self.now = tick
