"""Tune: the notes of a MIDI file as arrays, and its clock (tempos, meters, bar lines). Knows no MIDI
library.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

NOTE = np.dtype(
    [("start", np.int64), ("end", np.int64), ("pitch", np.int16), ("velocity", np.int16), ("part", np.int16)]
)
DEFAULT_TEMPO = 500_000  # microseconds a quarter note, 120 a minute: what a file without a tempo means
DEFAULT_METER = (4, 4)


@dataclass(frozen=True)
class Part:
    """One instrument's line.

    Args:
        program: General MIDI program, 0..127.
        drums: whether it plays on the percussion channel.
        name: track name, for the eye.
        track: index of its track in the file that it came from.
        channel: MIDI channel 0..15 in that file.
    """

    program: int = 0
    drums: bool = False
    name: str = ""
    track: int | None = None
    channel: int | None = None


def _table(columns: int) -> np.ndarray:
    return np.zeros((0, columns), np.int64)


@dataclass(frozen=True, eq=False)
class Tune:
    """Notes with their clock. Times are ticks.

    Args:
        notes: ``[notes]`` of dtype `NOTE`, ordered by start, part and falling pitch; in one part no two notes
            of one pitch overlap (`tidy` makes it so). Ends are exclusive.
        parts: what plays; ``notes["part"]`` are indices of it.
        ticks_per_quarter: resolution of all times.
        tempos: ``[changes, 2]`` of (tick, microseconds a quarter note), rising ticks, the first at 0.
        meters: ``[changes, 3]`` of (tick, numerator, denominator), rising ticks, the first at 0. Each begins
            a bar.
        pedals: ``[presses, 3]`` of (start, end, part): the sustain pedal is down.
        controllers: ``[changes, 4]`` of (tick, channel, controller, value), rising ticks: what the file that the tune
            comes from sets its channels to, as `audiogen.tunes.midi.channel_state` numbers it. It is played
            and written for the parts of that channel; tokens do not hold it.
    """

    notes: np.ndarray
    parts: tuple[Part, ...]
    ticks_per_quarter: int
    tempos: np.ndarray = field(default_factory=lambda: np.array([[0, DEFAULT_TEMPO]]))
    meters: np.ndarray = field(default_factory=lambda: np.array([[0, *DEFAULT_METER]]))
    pedals: np.ndarray = field(default_factory=lambda: _table(3))
    controllers: np.ndarray = field(default_factory=lambda: _table(4))

    @cached_property
    def end(self) -> int:
        """Tick at which the last note ends."""
        return int(self.notes["end"].max(initial=0))

    @property
    def seconds(self) -> float:
        """Time from tick 0 to the end of the last note."""
        return float(self.seconds_at(self.end))

    def seconds_at(self, ticks: np.ndarray | int) -> np.ndarray:
        """Seconds from tick 0, of each tick."""
        times, rates = self._clock
        index = np.searchsorted(self.tempos[:, 0], ticks, side="right") - 1
        return times[index] + (ticks - self.tempos[index, 0]) * rates[index]

    def ticks_at(self, seconds: np.ndarray | float) -> np.ndarray:
        """The tick that is nearest to each time, int64."""
        times, rates = self._clock
        index = np.maximum(np.searchsorted(times, seconds, side="right") - 1, 0)
        return np.rint(self.tempos[index, 0] + (seconds - times[index]) / rates[index]).astype(np.int64)

    @cached_property
    def _clock(self) -> tuple[np.ndarray, np.ndarray]:
        """Seconds at each tempo change and seconds a tick from there on."""
        rates = self.tempos[:, 1] / (1e6 * self.ticks_per_quarter)
        times = np.concatenate([[0.0], np.cumsum(np.diff(self.tempos[:, 0]) * rates[:-1])])
        return times, rates

    def bar_lines(self, until: int | None = None) -> np.ndarray:
        """Ticks at which bars begin, from 0 to the last one before ``until`` (default: the end), rising."""
        until = self.end if until is None else until
        starts = self.meters[:, 0]
        stops = np.append(starts[1:], until)
        pieces = [
            np.arange(start, min(stop, until), bar_ticks(int(num), int(den), self.ticks_per_quarter))
            for start, stop, num, den in zip(starts, stops, self.meters[:, 1], self.meters[:, 2], strict=True)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int64)

    def rescaled(self, ticks_per_quarter: int) -> Tune:
        """The same music on another resolution: each time to the nearest tick, no note or pedal shorter than
        one.
        """
        old, new = self.ticks_per_quarter, ticks_per_quarter

        def scaled(ticks: np.ndarray) -> np.ndarray:
            return (2 * ticks * new + old) // (2 * old)

        notes = self.notes.copy()
        notes["start"] = scaled(notes["start"])
        notes["end"] = np.maximum(scaled(notes["end"]), notes["start"] + 1)
        pedals = self.pedals.copy()
        pedals[:, :2] = scaled(pedals[:, :2])
        pedals[:, 1] = np.maximum(pedals[:, 1], pedals[:, 0] + 1)
        tempos, meters = self.tempos.copy(), self.meters.copy()
        tempos[:, 0], meters[:, 0] = scaled(tempos[:, 0]), scaled(meters[:, 0])
        return replace(
            self,
            notes=tidy(notes),
            ticks_per_quarter=new,
            tempos=latest(tempos),
            meters=latest(meters),
            pedals=tidy_pedals(pedals),
            controllers=_at_ticks(self.controllers, scaled(self.controllers[:, 0])),
        )

    def transposed(self, semitones: int) -> Tune:
        """The same music higher (or lower); drums stay. Notes that would leave 0..127 move by octaves less.

        `transposable` tells by how much a tune can move as a whole.
        """
        notes = self.notes.copy()
        pitch = notes["pitch"] + np.where(self._melodic, semitones, 0)
        pitch -= 12 * np.maximum(np.ceil((pitch - 127) / 12), 0).astype(np.int16)
        pitch += 12 * np.maximum(np.ceil(-pitch / 12), 0).astype(np.int16)
        notes["pitch"] = pitch
        return replace(self, notes=tidy(notes))

    def transposable(self) -> tuple[int, int]:
        """Fewest and most semitones by which every note can move within 0..127."""
        pitches = self.notes["pitch"][self._melodic]
        return (-int(pitches.min()), 127 - int(pitches.max())) if len(pitches) else (0, 0)

    @property
    def _melodic(self) -> np.ndarray:
        return ~np.array([part.drums for part in self.parts], bool)[self.notes["part"]]

    def at_tempo(self, factor: float) -> Tune:
        """The same notes ``factor`` times as fast."""
        tempos = self.tempos.copy()
        tempos[:, 1] = np.maximum(np.rint(tempos[:, 1] / factor), 1)
        return replace(self, tempos=tempos)

    def steady(self) -> Tune:
        """The same music in real time, at its first tempo throughout."""
        plain = replace(self, tempos=self.tempos[:1])
        notes, pedals, meters = self.notes.copy(), self.pedals.copy(), self.meters.copy()
        for name in ("start", "end"):
            notes[name] = plain.ticks_at(self.seconds_at(notes[name]))
        notes["end"] = np.maximum(notes["end"], notes["start"] + 1)
        pedals[:, :2] = plain.ticks_at(self.seconds_at(pedals[:, :2]))
        meters[:, 0] = plain.ticks_at(self.seconds_at(meters[:, 0]))
        controllers = _at_ticks(self.controllers, plain.ticks_at(self.seconds_at(self.controllers[:, 0])))
        return replace(
            plain, notes=tidy(notes), meters=latest(meters), pedals=tidy_pedals(pedals), controllers=controllers
        )

    def shifted(self, ticks: int) -> Tune:
        """The same music later, or earlier by as much as lies before its first note.

        The tempo, the meter and the controllers that hold where the shifted tune begins are set at tick 0.
        """
        notes, pedals = self.notes.copy(), self.pedals.copy()
        notes["start"] += ticks
        notes["end"] += ticks
        pedals[:, :2] += ticks
        return replace(
            self,
            notes=notes,
            pedals=pedals,
            tempos=_moved(self.tempos, ticks),
            meters=_moved(self.meters, ticks),
            controllers=_at_ticks(self.controllers, np.maximum(self.controllers[:, 0] + ticks, 0)),
        )

    def between(self, start: int, stop: int) -> Tune:
        """The notes that begin within ``start`` (inclusive) to ``stop`` (exclusive), at their own ticks, cut
        at ``stop``.

        Tempos, meters and controllers are kept as they are.
        """
        notes = self.notes[(self.notes["start"] >= start) & (self.notes["start"] < stop)].copy()
        notes["end"] = np.minimum(notes["end"], stop)
        pedals = self.pedals[(self.pedals[:, 0] >= start) & (self.pedals[:, 0] < stop)].copy()
        pedals[:, 1] = np.minimum(pedals[:, 1], stop)
        return replace(self, notes=notes, pedals=pedals)


def bar_ticks(numerator: int, denominator: int, ticks_per_quarter: int) -> int:
    """Length of one bar, at least one tick."""
    return max(1, round(4 * ticks_per_quarter * numerator / denominator))


def tidy(notes: np.ndarray) -> np.ndarray:
    """Order notes and part those that collide.

    In one part, of notes with one pitch and one start the longest is kept (of equals, the loudest), and a
    note still sounding when its pitch is struck again ends there.
    """
    if not len(notes):
        return notes
    order = np.lexsort((-notes["velocity"], -notes["end"], notes["start"], notes["pitch"], notes["part"]))
    notes = notes[order]
    same = (notes["part"][1:] == notes["part"][:-1]) & (notes["pitch"][1:] == notes["pitch"][:-1])
    twins = np.append(False, same & (notes["start"][1:] == notes["start"][:-1]))
    notes = notes[~twins]
    same = (notes["part"][1:] == notes["part"][:-1]) & (notes["pitch"][1:] == notes["pitch"][:-1])
    struck = np.where(same, notes["start"][1:], np.iinfo(np.int64).max)
    notes["end"][:-1] = np.minimum(notes["end"][:-1], struck)
    return notes[np.lexsort((-notes["pitch"], notes["part"], notes["start"]))]


def tidy_pedals(pedals: np.ndarray) -> np.ndarray:
    """Presses ``[presses, 3]`` in order; those of one part that overlap or touch become one."""
    merged: list[list[int]] = []
    for start, end, part in sorted(pedals.tolist(), key=lambda press: (press[2], press[0])):
        if merged and merged[-1][2] == part and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end, part])
    return np.array(sorted(merged), np.int64).reshape(-1, 3)


def latest(changes: np.ndarray) -> np.ndarray:
    """Of several changes on one tick (first column) the last one, in order of ticks."""
    changes = changes[np.argsort(changes[:, 0], kind="stable")]
    return changes[np.append(np.diff(changes[:, 0]) > 0, True)]


def in_order(changes: np.ndarray) -> np.ndarray:
    """Changes in order of ticks (first column); those of one tick keep theirs."""
    return changes[np.argsort(changes[:, 0], kind="stable")]


def _at_ticks(changes: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    return np.column_stack([ticks, changes[:, 1:]])


def _moved(changes: np.ndarray, ticks: int) -> np.ndarray:
    moved = changes.copy()
    moved[:, 0] = np.maximum(moved[:, 0] + ticks, 0)
    moved[0, 0] = 0
    return latest(moved)


def joined(prompt: Tune, tail: Tune) -> Tune:
    """A prompt and what follows it as one tune. What the prompt sets after its last note is left out.

    Args:
        tail: as `Tokenizer.tail` gives it: on the prompt's resolution, all after its end, with its parts first.
    """
    pedals = prompt.pedals[prompt.pedals[:, 0] < prompt.end].copy()
    pedals[:, 1] = np.minimum(pedals[:, 1], prompt.end)
    tempos, meters, controllers = (
        changes[changes[:, 0] <= prompt.end] for changes in (prompt.tempos, prompt.meters, prompt.controllers)
    )
    return Tune(
        np.concatenate([prompt.notes, tail.notes]),
        tail.parts,
        prompt.ticks_per_quarter,
        np.concatenate([tempos, tail.tempos[1:]]),
        np.concatenate([meters, tail.meters[1:]]),
        np.concatenate([pedals, tail.pedals]),
        in_order(np.concatenate([controllers, tail.controllers])),
    )


def augmented(tune: Tune, random: np.random.Generator, semitones: int = 6, tempo: float = 0.1) -> Tune:
    """A tune in another key and tempo, for training.

    Args:
        random: source of the draw.
        semitones: farthest transposition each way, as far as every note stays within 0..127.
        tempo: largest relative change of the tempo each way (log-uniform).
    """
    lowest, highest = tune.transposable()
    shift = int(random.integers(max(-semitones, lowest), min(semitones, highest) + 1))
    factor = float(np.exp(random.uniform(-1, 1) * np.log1p(tempo)))
    return tune.transposed(shift).at_tempo(factor)
