"""Vocabulary and grammar of the token scheme ``events``: what tokens mean, in which order they stand, what may follow.

========================  ==================================================================================
Token                     Meaning
========================  ==================================================================================
start, end                beginning and end of a tune
bar                       go to the next bar line
later                     go to the next page of the bar; a page is 8 quarter notes
position 1 ... page - 1   go to this step of the page
meter 4/4                 the bar that begins here has this meter; a meter within a bar ends that bar
tempo 120                 quarter notes per minute
part 0                    what follows belongs to this part
program 0 ... 127, drums  General MIDI program of the part
velocity 1 ...            loudness level of the part's notes
pedal on, pedal off       sustain pedal of the part
pitch 60                  a note begins; its duration follows
tie                       the duration is a page longer
duration 1 ... page       duration of the note, less its ties, in steps
========================  ==================================================================================

A tune is "start"; for each part "part" and "program"; then, bar by bar and position by position: "meter", "tempo", and
for each part its pedal and its notes from the highest to the lowest. Part, velocity, tempo and meter are written only
where they change. The vocabulary is saved with each Run: its names and their order never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from audiogen.tunes.tune import Tune

PAGE_QUARTERS = 8  # quarter notes that one position or duration token can reach
MAX_TIES = 63
MAX_NUMERATOR, DENOMINATORS = 24, (1, 2, 4, 8, 16, 32)
MIN_TEMPO, MAX_TEMPO = 10, 300  # quarter notes per minute
MICROSECONDS_PER_MINUTE = 6e7
UNSET = (-1, 128)
"""`GrammarState.cursor` before any note of a position: all parts and pitches lie ahead."""


class Event(NamedTuple):
    """The meaning of a token.

    Args:
        kind: first word of the token's name.
        value: int; (numerator, denominator) of a meter; "drums"; "on" or "off" of a pedal; None.
    """

    kind: str
    value: Any = None


def parse(name: str) -> Event:
    """The event that a token's name stands for: ``"pitch 60"`` -> ``Event("pitch", 60)``."""
    kind, _, value = name.partition(" ")
    if "/" in value:
        numerator, denominator = value.split("/")
        return Event(kind, (int(numerator), int(denominator)))
    return Event(kind, int(value) if value.isdigit() else value or None)


def event_names(page: int, velocities: int, parts: int) -> tuple[str, ...]:
    """Names of all tokens of the scheme, in the order of the vocabulary.

    Args:
        page: steps per page.
        velocities: number of loudness levels.
        parts: number of parts that can be distinguished.
    """
    return (
        *("start", "end", "bar", "later", "tie", "pedal on", "pedal off"),
        *(f"position {step}" for step in range(1, page)),
        *(f"meter {top}/{bottom}" for bottom in DENOMINATORS for top in range(1, MAX_NUMERATOR + 1)),
        *(f"tempo {tempo}" for tempo in range(MIN_TEMPO, MAX_TEMPO + 1)),
        *(f"part {part}" for part in range(parts)),
        *(f"program {program}" for program in (*range(128), "drums")),
        *(f"velocity {level}" for level in range(1, velocities + 1)),
        *(f"pitch {pitch}" for pitch in range(128)),
        *(f"duration {steps}" for steps in range(1, page + 1)),
    )


class Vocabulary:
    """Token names, parsed once.

    Args:
        names: of any scheme; empty names have the kind "".

    Attributes:
        events: the `Event` of each token.
        by_kind: kind -> its tokens, rising.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.events = [parse(name) for name in names]
        self._tokens = {event: token for token, event in enumerate(self.events)}
        kinds = np.array([event.kind for event in self.events])
        self.by_kind = {str(kind): np.flatnonzero(kinds == kind) for kind in dict.fromkeys(kinds)}

    def __len__(self) -> int:
        return len(self.events)

    def token(self, kind: str, value: Any = None) -> int:
        """The token of an event.

        Raises:
            KeyError: there is none.
        """
        return self._tokens[Event(kind, value)]

    def tokens(self, kind: str) -> np.ndarray:
        """All tokens of a kind, rising; empty if there are none."""
        return self.by_kind.get(kind, np.zeros(0, np.int64))

    def values(self, kind: str) -> list[Any]:
        """The values of `tokens`."""
        return [self.events[token].value for token in self.tokens(kind)]

    def is_kind(self, tokens: np.ndarray, kind: str) -> np.ndarray:
        """Which of the tokens are of a kind, bool."""
        return np.isin(tokens, self.tokens(kind))

    @property
    def page(self) -> int:
        """Steps per page."""
        return len(self.tokens("duration"))


def velocity_to_level(velocity: int, levels: int) -> int:
    """MIDI velocity 1..127 -> value of a "velocity" token, 1..levels."""
    return round(velocity * levels / 127)


def level_to_velocity(level: int, levels: int) -> int:
    """The inverse of `velocity_to_level`."""
    return round(level * 127 / levels)


def split_duration(steps: int, page: int) -> tuple[int, int]:
    """A duration as (number of "tie" tokens, value of the "duration" token)."""
    ties, rest = divmod(steps - 1, page)
    return ties, rest + 1


class TimedEvent(NamedTuple):
    """An event of a tune, before it is written as tokens.

    Args:
        tick: of the scheme's grid.
        rank: order among the events of one tick.
        kind: "meter", "tempo", "pedal" or "note".
        part: that it belongs to; -1 for all.
        value: as of `Event`; of a note (pitch, duration, velocity).
    """

    tick: int
    rank: int
    kind: str
    part: int
    value: Any


def timed_events(grid: Tune) -> list[TimedEvent]:
    """The events of a tune on the scheme's grid, in the order of the grammar; bar lines are not among them."""
    events = [TimedEvent(tick, 0, "meter", -1, (top, bottom)) for tick, top, bottom in grid.meters.tolist()]
    events += [
        TimedEvent(tick, 1, "tempo", -1, round(MICROSECONDS_PER_MINUTE / tempo)) for tick, tempo in grid.tempos.tolist()
    ]
    for start, end, part in grid.pedals.tolist():
        events += [
            TimedEvent(end, 3 * part + 2, "pedal", part, "off"),
            TimedEvent(start, 3 * part + 3, "pedal", part, "on"),
        ]
    columns = (grid.notes[name].tolist() for name in ("start", "end", "pitch", "velocity", "part"))
    events += [
        TimedEvent(start, 3 * part + 4, "note", part, (pitch, end - start, velocity))
        for start, end, pitch, velocity, part in zip(*columns, strict=True)
    ]
    return sorted(events, key=lambda event: event[:2])  # stable: chords stay in falling order


class GrammarState(Protocol):
    """What a decoder knows of the tokens so far, as far as it decides which tokens may follow."""

    tick: int
    """Now, in steps."""
    bar: int
    """Index of the bar; -1 before the first, while parts are declared."""
    bar_start: int
    """Step at which the bar began."""
    last_kind: str
    """Kind of the last token."""
    part: int
    """The current part."""
    programs: list[Any]
    """Of each declared part, None if still missing."""
    pending_pitch: int | None
    """A pitch without its duration."""
    ties: int
    """Of the pending pitch."""
    cursor: tuple[int, int]
    """Part and pitch of the last note at this tick: notes at one tick go on to later parts and lower pitches."""
    pedals_set: dict[int, str]
    """Part -> pedal state that was set at this tick."""
    pedal_starts: dict[int, int]
    """Part -> tick since which its pedal is down."""
    part_ends: dict[int, int]
    """Part -> tick at which its last note ends."""
    monophonic: set[int]
    """Parts in which no note may begin while another sounds."""
    gapless_from: int | None
    """Once notes end after this tick, some note must always sound; None if all parts may rest."""
    constant: set[str]
    """Those of "tempo" and "meter" that may not change."""

    @property
    def bar_length(self) -> int:
        """Length of the bar in steps."""


class Grammar:
    """Which tokens may follow the ones so far.

    Args:
        vocabulary: of the scheme ``events``.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary, self.page = vocabulary, vocabulary.page
        self._positions = np.array(vocabulary.values("position"))
        self._tokens = vocabulary.by_kind
        self._pedal_states = vocabulary.values("pedal")

    def allowed_next(self, state: GrammarState) -> np.ndarray:
        """Mask of the tokens that may follow, ``[size]`` bool; at least one is set."""
        mask, tokens = np.zeros(len(self.vocabulary), bool), self._tokens
        if state.pending_pitch is not None:
            mask[tokens["duration"]] = True
            mask[tokens["tie"]] = state.ties < MAX_TIES
            return mask
        declared = state.last_kind == "part" and state.programs[state.part] is None
        if state.bar < 0 or declared:  # the header: parts and their programs
            mask[tokens["program"]] = declared
            if not declared:
                mask[tokens["part"][len(state.programs) : len(state.programs) + 1]] = True
                mask[tokens["bar"]] = bool(state.programs)
            return mask
        if state.last_kind == "velocity":
            self._allow_pitches(state, mask)
            return mask
        if state.last_kind != "part":
            self._allow_moves(state, mask)
            parts = tokens["part"][: len(state.programs)]
            mask[parts] = [part > state.cursor[0] and not is_busy(state, part) for part in range(len(parts))]
            mask[parts[state.part : state.part + 1]] = False
        if state.cursor == UNSET and not state.pedals_set and state.last_kind not in ("tempo", "part"):
            mask[tokens["tempo"]] = "tempo" not in state.constant
        if self._allow_pitches(state, mask):
            mask[tokens["velocity"]] = True
        if state.cursor < (state.part, 0) and state.pedals_set.get(state.part) != "on":
            change = "off" if state.part in state.pedal_starts else "on"
            mask[tokens["pedal"]] = [value == change for value in self._pedal_states]
        return mask

    def _allow_pitches(self, state: GrammarState, mask: np.ndarray) -> bool:
        """Allow the pitches that the current part may begin at this tick; returns whether there are any."""
        part, pitch = state.cursor
        below = 128 if state.part > part else pitch if state.part == part else 0
        below = 0 if is_busy(state, state.part) else below
        mask[self._tokens["pitch"][:below]] = True
        return below > 0

    def _allow_moves(self, state: GrammarState, mask: np.ndarray) -> None:
        """Allow the tokens that advance time, a meter, and the end."""
        tokens, next_bar, latest = self._tokens, state.bar_start + state.bar_length, _latest_tick(state)
        page_start = state.tick - (state.tick - state.bar_start) % self.page
        mask[tokens["end"]] = True
        mask[tokens["bar"]] = next_bar <= latest
        mask[tokens["later"]] = page_start + self.page < next_bar and page_start + self.page <= latest
        ticks = page_start + self._positions
        ahead = (ticks > state.tick) & (ticks < min(next_bar, page_start + self.page))
        mask[tokens["position"]] = ahead & (ticks <= latest)
        moved = state.last_kind in ("bar", "position", "later")
        mask[tokens["meter"]] = moved and "meter" not in state.constant


def is_busy(state: GrammarState, part: int) -> bool:
    """Whether a monophonic part has a sounding note."""
    return part in state.monophonic and state.part_ends[part] > state.tick


def _latest_tick(state: GrammarState) -> float:
    """The last tick that may be moved to: where all notes have ended, if not all parts may rest."""
    end = max(state.part_ends.values(), default=0)
    return np.inf if state.gapless_from is None or end <= state.gapless_from else end
