"""Tunes that the tests of rewards and planners share: a prompt in G, a good tail, and tails that try to cheat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from audiogen.tunes.tune import NOTE, Part, Tune, tidy

QUARTER = 24
EIGHTH = QUARTER // 2
BAR = 4 * QUARTER

QUESTION = [
    [67, 71, 74, 71, 67, 71, 74, 71],
    [72, 76, 79, 76, 72, 71, 69, 67],
    [74, 71, 67, 71, 74, 72, 71, 69],
    [67, 71, 74, 71, 69, 69, 69, 69],
]
"""Eighth notes of four bars in G that end on A; the A of the last two beats is a half note."""
REPLY = [*QUESTION[:2], [78, 76, 71, 69, 74, 72, 69, 66], [67, 71, 69, 66, 67, 67, 67, 67]]
"""Begins like the question, and ends on G."""
DEVELOPMENT = [
    [74, 78, 81, 78, 74, 73, 71, 69],
    [71, 74, 79, 74, 71, 69, 67, 66],
    [72, 71, 69, 72, 76, 74, 72, 71],
    [69, 71, 72, 69, 66, 66, 66, 66],
]


def melody(bars: list[list[int]], start: int = 0) -> Tune:
    """Eight eighth notes a bar; four equal last ones are one half note."""
    rows = []
    for index, bar in enumerate(bars):
        held = len(bar) == 8 and len(set(bar[4:])) == 1
        for step, pitch in enumerate(bar[:5] if held else bar):
            tick = start + index * BAR + step * EIGHTH
            rows.append((tick, tick + (4 * EIGHTH if held and step == 4 else EIGHTH), pitch, 80, 0))
    return replace(EMPTY, notes=tidy(np.array(rows, NOTE)))


def notes(rows: list[tuple[int, int, int]]) -> Tune:
    """A tune of (start, end, pitch)."""
    return replace(EMPTY, notes=tidy(np.array([(start, end, pitch, 80, 0) for start, end, pitch in rows], NOTE)))


EMPTY = Tune(np.zeros(0, NOTE), (Part(),), QUARTER)
PROMPT = melody(QUESTION)
BARS = 12
GOOD = melody([*DEVELOPMENT, *QUESTION[:2], [78, 76, 74, 72, 71, 69, 67, 66], DEVELOPMENT[3], *REPLY], start=4 * BAR)

SCALE = [67, 69, 71, 72, 74, 76, 78, 79]
CHEATS = {
    "silence": EMPTY,
    "one short note": notes([(4 * BAR, 4 * BAR + EIGHTH, 67)]),
    "one note without end": notes([(4 * BAR, 16 * BAR, 67)]),
    "one pitch all the time": melody([[67] * 8] * 12, start=4 * BAR),
    "one note a bar": notes([(bar * BAR, (bar + 1) * BAR, (67, 71, 74)[bar % 3]) for bar in range(4, 16)]),
    "scale up and down": melody([SCALE, SCALE[::-1]] * 6, start=4 * BAR),
    "copy of the prompt": melody(QUESTION * 3, start=4 * BAR),
    "music, then silence": melody([*DEVELOPMENT, *QUESTION[:1]], start=4 * BAR),
}
"""Tails of `PROMPT` that some reward might like too well."""
