"""Small tunes for tests."""

from __future__ import annotations

import numpy as np

from audiogen.tunes.tune import NOTE, Part, Tune, tidy

TICKS = 24


def tune(rows: list[tuple[int, ...]], parts: int | tuple[Part, ...] = 1, ticks: int = TICKS, **clock) -> Tune:
    """A tune from rows of (start, end, pitch[, velocity[, part]])."""
    notes = np.array([(*row, 80, 0)[:5] if len(row) == 3 else (*row, 0)[:5] for row in rows], NOTE)
    parts = tuple(Part(channel=index) for index in range(parts)) if isinstance(parts, int) else parts
    changes = {name: np.array(table, np.int64) for name, table in clock.items()}
    return Tune(tidy(notes), parts, ticks, **changes)


def melody(pitches: list[int], length: int = TICKS, start: int = 0, **clock) -> Tune:
    """A tune of successive notes of one length."""
    return tune([(start + length * i, start + length * (i + 1), pitch) for i, pitch in enumerate(pitches)], **clock)


def wandering(seed: int, notes: int = 120, parts: int = 1, low: int = 55, high: int = 80) -> Tune:
    """A random walk in G major, from eighth to half notes; parts are independent."""
    random = np.random.default_rng(seed)
    scale = [pitch for pitch in range(low, high) if pitch % 12 in (0, 2, 4, 6, 7, 9, 11)]
    rows = []
    for part in range(parts):
        degree, now = int(random.integers(len(scale))), 0
        draws = random.integers((-2, 0, 60), (3, 5, 100), (notes, 3))
        for step, length, velocity in draws.tolist():
            degree = min(max(degree + int(step), 0), len(scale) - 1)
            end = now + (12, 12, 24, 24, 48)[length]
            rows.append((now, end, scale[degree], int(velocity), part))
            now = end
    return tune(rows, parts)


def rich() -> Tune:
    """Everything that the scheme events represents: drums, chords, pedal, changes of tempo and meter within a bar."""
    parts = (Part(40, channel=0), Part(0, drums=True, channel=9), Part(0, channel=1))
    rows = [
        (0, 12, 60, 90, 0),
        (0, 24, 64, 90, 0),
        (12, 36, 60, 30, 0),
        (0, 1, 36, 127, 1),
        (48, 49, 36, 1, 1),
    ]
    rows += [(96, 96 + 700, 40, 64, 2), (109, 120, 72, 64, 2), (109, 110, 71, 65, 2), (2000, 2024, 60, 7, 0)]
    return tune(
        rows,
        parts,
        tempos=[[0, 500_000], [50, 600_000], [96, 1_000_000]],
        meters=[[0, 4, 4], [96, 6, 8], [150, 3, 4], [222, 24, 2]],
        pedals=[[10, 40, 0], [42, 43, 0], [96, 300, 2]],
    )


def same(first: Tune, second: Tune) -> bool:
    """Whether two tunes have equal notes, programs, tempos, meters and pedals."""
    return (
        np.array_equal(first.notes, second.notes)
        and [(p.program, p.drums) for p in first.parts] == [(p.program, p.drums) for p in second.parts]
        and first.ticks_per_quarter == second.ticks_per_quarter
        and all(np.array_equal(getattr(first, n), getattr(second, n)) for n in ("tempos", "meters", "pedals"))
    )


def overlaps(tune: Tune) -> int:
    """Number of notes that begin while their pitch still sounds in their part."""
    notes = tune.notes[np.lexsort((tune.notes["start"], tune.notes["pitch"], tune.notes["part"]))]
    alike = (np.diff(notes["part"]) == 0) & (np.diff(notes["pitch"]) == 0)
    return int((alike & (notes["start"][1:] < notes["end"][:-1])).sum())
