"""Tune: notes as arrays, with parts, tempos, meters, pedals and controllers. Independent of MIDI libraries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

NOTE = np.dtype(
    [("start", np.int64), ("end", np.int64), ("pitch", np.int16), ("velocity", np.int16), ("part", np.int16)]
)
DEFAULT_TEMPO = 500_000  # microseconds per quarter note, 120 BPM: of a MIDI file without a tempo
DEFAULT_METER = (4, 4)


@dataclass(frozen=True)
class Part:
    """One instrument.

    Args:
        program: General MIDI program, 0..127.
        drums: whether it is on the percussion channel.
        name: track name, for display.
        track: index of its track in the file that it was read from.
        channel: its MIDI channel in that file, 0..15.
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
    """Notes and their clock. All times are ticks.

    Args:
        notes: ``[notes]`` of dtype `NOTE`, ordered by start, part and falling pitch. Ends are exclusive. Notes of
            one pitch in one part do not overlap (`tidy`).
        parts: instruments, indexed by ``notes["part"]``.
        ticks_per_quarter: resolution.
        tempos: ``[changes, 2]`` of (tick, microseconds per quarter note), rising ticks, the first at 0.
        meters: ``[changes, 3]`` of (tick, numerator, denominator), rising ticks, the first at 0. Each change
            begins a bar.
        pedals: ``[presses, 3]`` of (start, end, part): when the sustain pedal is down.
        controllers: ``[changes, 4]`` of (tick, channel, controller, value), rising ticks, numbered as in
            `audiogen.tunes.midi.controllers`. Channels are those of the file that the tune was read from. Rendering
            and MIDI files keep controllers; tokens do not.
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
        """Seconds from tick 0 to the end of the last note."""
        return float(self.seconds_at(self.end))

    def seconds_at(self, ticks: np.ndarray | int) -> np.ndarray:
        """Time of each tick, seconds from tick 0."""
        times, rates = self._clock
        index = np.searchsorted(self.tempos[:, 0], ticks, side="right") - 1
        return times[index] + (ticks - self.tempos[index, 0]) * rates[index]

    def ticks_at(self, seconds: np.ndarray | float) -> np.ndarray:
        """The tick nearest to each time in seconds, int64."""
        times, rates = self._clock
        index = np.maximum(np.searchsorted(times, seconds, side="right") - 1, 0)
        return np.rint(self.tempos[index, 0] + (seconds - times[index]) / rates[index]).astype(np.int64)

    @cached_property
    def _clock(self) -> tuple[np.ndarray, np.ndarray]:
        """Time of each tempo change in seconds, and seconds per tick from there on."""
        rates = self.tempos[:, 1] / (1e6 * self.ticks_per_quarter)
        times = np.concatenate([[0.0], np.cumsum(np.diff(self.tempos[:, 0]) * rates[:-1])])
        return times, rates

    def bar_lines(self, until: int | None = None) -> np.ndarray:
        """Ticks at which bars begin, rising, from 0 to the last one before ``until`` (default: `end`)."""
        until = self.end if until is None else until
        starts = self.meters[:, 0]
        stops = np.append(starts[1:], until)
        sections = [
            np.arange(start, min(stop, until), bar_ticks(int(num), int(den), self.ticks_per_quarter))
            for start, stop, num, den in zip(starts, stops, self.meters[:, 1], self.meters[:, 2], strict=True)
        ]
        return np.concatenate(sections) if sections else np.zeros(0, np.int64)

    def rescaled(self, ticks_per_quarter: int) -> Tune:
        """The tune at another resolution: times are rounded, notes and pedals last at least one tick."""
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
            tempos=last_per_tick(tempos),
            meters=last_per_tick(meters),
            pedals=tidy_pedals(pedals),
            controllers=_at_ticks(self.controllers, scaled(self.controllers[:, 0])),
        )

    def transposed(self, semitones: int) -> Tune:
        """The tune in another key; drums are not transposed.

        Notes beyond 0..127 are shifted back by octaves; within `transposition_range` there are none.
        """
        notes = self.notes.copy()
        pitch = notes["pitch"] + np.where(self._is_melodic, semitones, 0)
        pitch -= 12 * np.maximum(np.ceil((pitch - 127) / 12), 0).astype(np.int16)
        pitch += 12 * np.maximum(np.ceil(-pitch / 12), 0).astype(np.int16)
        notes["pitch"] = pitch
        return replace(self, notes=tidy(notes))

    def transposition_range(self) -> tuple[int, int]:
        """Lowest and highest transposition, in semitones, that keeps every note within 0..127."""
        pitches = self.melodic_notes["pitch"]
        return (-int(pitches.min()), 127 - int(pitches.max())) if len(pitches) else (0, 0)

    @property
    def melodic_notes(self) -> np.ndarray:
        """All notes but those of drums."""
        return self.notes[self._is_melodic]

    @property
    def _is_melodic(self) -> np.ndarray:
        return ~np.array([part.drums for part in self.parts], bool)[self.notes["part"]]

    def at_tempo(self, factor: float) -> Tune:
        """The tune played ``factor`` times as fast."""
        tempos = self.tempos.copy()
        tempos[:, 1] = np.maximum(np.rint(tempos[:, 1] / factor), 1)
        return replace(self, tempos=tempos)

    def at_constant_tempo(self) -> Tune:
        """The same music in real time, written in its first tempo throughout."""
        plain = replace(self, tempos=self.tempos[:1])
        notes, pedals, meters = self.notes.copy(), self.pedals.copy(), self.meters.copy()
        for name in ("start", "end"):
            notes[name] = plain.ticks_at(self.seconds_at(notes[name]))
        notes["end"] = np.maximum(notes["end"], notes["start"] + 1)
        pedals[:, :2] = plain.ticks_at(self.seconds_at(pedals[:, :2]))
        meters[:, 0] = plain.ticks_at(self.seconds_at(meters[:, 0]))
        controllers = _at_ticks(self.controllers, plain.ticks_at(self.seconds_at(self.controllers[:, 0])))
        return replace(
            plain, notes=tidy(notes), meters=last_per_tick(meters), pedals=tidy_pedals(pedals), controllers=controllers
        )

    def shifted(self, ticks: int) -> Tune:
        """The tune shifted in time, earlier by at most the rest before its first note.

        Tempo, meter and controllers of a negative tick are set at tick 0.
        """
        notes, pedals = self.notes.copy(), self.pedals.copy()
        notes["start"] += ticks
        notes["end"] += ticks
        pedals[:, :2] += ticks
        return replace(
            self,
            notes=notes,
            pedals=pedals,
            tempos=_shifted(self.tempos, ticks),
            meters=_shifted(self.meters, ticks),
            controllers=_at_ticks(self.controllers, np.maximum(self.controllers[:, 0] + ticks, 0)),
        )

    def between(self, start: int, stop: int) -> Tune:
        """Only the notes and pedals that begin in ``start`` (inclusive) to ``stop`` (exclusive), ended by ``stop``.

        Times, tempos, meters and controllers are unchanged.
        """
        notes = self.notes[(self.notes["start"] >= start) & (self.notes["start"] < stop)].copy()
        notes["end"] = np.minimum(notes["end"], stop)
        pedals = self.pedals[(self.pedals[:, 0] >= start) & (self.pedals[:, 0] < stop)].copy()
        pedals[:, 1] = np.minimum(pedals[:, 1], stop)
        return replace(self, notes=notes, pedals=pedals)


def bar_ticks(numerator: int, denominator: int, ticks_per_quarter: int) -> int:
    """Length of one bar in ticks, at least 1."""
    return max(1, round(4 * ticks_per_quarter * numerator / denominator))


def tidy(notes: np.ndarray) -> np.ndarray:
    """Sort notes and remove overlaps of one pitch in one part.

    Of notes with the same start the longest is kept (of equally long ones, the loudest). A note that still sounds
    at the next onset of its pitch ends there.
    """
    if not len(notes):
        return notes
    order = np.lexsort((-notes["velocity"], -notes["end"], notes["start"], notes["pitch"], notes["part"]))
    notes = notes[order]
    same = (notes["part"][1:] == notes["part"][:-1]) & (notes["pitch"][1:] == notes["pitch"][:-1])
    duplicates = np.append(False, same & (notes["start"][1:] == notes["start"][:-1]))
    notes = notes[~duplicates]
    same = (notes["part"][1:] == notes["part"][:-1]) & (notes["pitch"][1:] == notes["pitch"][:-1])
    next_onset = np.where(same, notes["start"][1:], np.iinfo(np.int64).max)
    notes["end"][:-1] = np.minimum(notes["end"][:-1], next_onset)
    return notes[np.lexsort((-notes["pitch"], notes["part"], notes["start"]))]


def tidy_pedals(pedals: np.ndarray) -> np.ndarray:
    """Sort pedal presses ``[presses, 3]`` and merge those of one part that overlap or touch."""
    merged: list[list[int]] = []
    for start, end, part in sorted(pedals.tolist(), key=lambda press: (press[2], press[0])):
        if merged and merged[-1][2] == part and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end, part])
    return np.array(sorted(merged), np.int64).reshape(-1, 3)


def last_per_tick(changes: np.ndarray) -> np.ndarray:
    """Changes sorted by tick (first column); of several on one tick, only the last one."""
    changes = sorted_by_tick(changes)
    return changes[np.append(np.diff(changes[:, 0]) > 0, True)]


def sorted_by_tick(changes: np.ndarray) -> np.ndarray:
    """Changes sorted by tick (first column); those on one tick keep their order."""
    return changes[np.argsort(changes[:, 0], kind="stable")]


def _at_ticks(changes: np.ndarray, ticks: np.ndarray) -> np.ndarray:
    return np.column_stack([ticks, changes[:, 1:]])


def _shifted(changes: np.ndarray, ticks: int) -> np.ndarray:
    shifted = changes.copy()
    shifted[:, 0] = np.maximum(shifted[:, 0] + ticks, 0)
    shifted[0, 0] = 0
    return last_per_tick(shifted)


def joined(prompt: Tune, tail: Tune) -> Tune:
    """A prompt and its tail as one tune. Settings of the prompt after its last note are dropped.

    Args:
        prompt: the beginning.
        tail: as returned by `Tokenizer.tail`: at the prompt's resolution, after its end, with its parts first.
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
        sorted_by_tick(np.concatenate([controllers, tail.controllers])),
    )
