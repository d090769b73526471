"""Rewards of a melody: its range, and leaps that are resolved."""

from __future__ import annotations

import re

import numpy as np

from audiogen.errors import InputError
from audiogen.tunes.rewards.base import Rule
from audiogen.tunes.rewards.passage import Passage
from audiogen.tunes.rewards.tonality import pitch_class

LEAP = 8  # semitones: more than a fifth
TOO_FAR = 16  # semitones, a tenth: no reversal makes up for it
BEYOND_PROMPT = 4  # semitones, a third: how far the range of a prompt is extended either way


def parse_pitch(text: str, subject: str) -> int:
    """A MIDI pitch from a note name: C4 is 60.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(r"([A-Ga-g][#b]*)(-?\d+)", text.strip())
    if match is None:
        raise InputError(subject, f"{text!r} is no pitch", "write it as B5, F#4 or Bb3; C4 is the middle C")
    name, octave = match.groups()
    letter = pitch_class(name[0])
    assert letter is not None
    return 12 * (int(octave) + 1) + letter + name.count("#") - name[1:].count("b")


class InRange(Rule):
    """Notes lie in a range: 1 if all do, 1/2 if one does not, 1/3 if two do not.

    The range is the argument's, ``..B5``, ``G3..`` or ``G3..B5`` with both ends included, or else the prompt's and a
    third beyond it; without either there is none to keep to, and the value is 0. A rule, not a tendency: one note that
    cannot be played spoils a part.
    """

    kind = "range"

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        self.low: int | None = None
        self.high: int | None = None
        if argument:
            low, dots, high = argument.partition("..")
            if not dots or not (low or high):
                raise InputError(self.name, "it is no range", "write it as ..B5, G3.. or G3..B5")
            self.low = parse_pitch(low, self.name) if low else 0
            self.high = parse_pitch(high, self.name) if high else 127
            if self.low > self.high:
                raise InputError(self.name, "its lowest pitch is above its highest", "write it as G3..B5")

    def judge(self, passage: Passage) -> float:
        low, high = self.low, self.high
        if low is None or high is None:
            given = [] if passage.prompt is None else passage.prompt.melodic_notes["pitch"].tolist()
            if not given:
                return 0.0
            low, high = min(given) - BEYOND_PROMPT, max(given) + BEYOND_PROMPT
        own = passage.notes["pitch"]
        return 1 / (1 + int(((own < low) | (own > high)).sum()))


class LeapsResolved(Rule):
    """Leaps of more than a fifth turn back by a smaller interval; none is wider than a tenth.

    The fraction of leaps in the top line that do; 1 without leaps (post-skip reversal: Huron 2006, "Sweet
    Anticipation", chapter 5; the rule "leap resolved" of Jaques et al. 2017).
    """

    kind = "leaps"

    def judge(self, passage: Passage) -> float:
        steps = np.diff(passage.line["pitch"].astype(int))
        steps = steps[steps != 0]
        leaps = np.flatnonzero(np.abs(steps) >= LEAP)
        leaps = leaps[leaps < len(steps) - 1] if not passage.finished else leaps
        if not len(leaps):
            return 1.0
        after = np.append(steps, 0)[leaps + 1]
        turned = (np.sign(after) == -np.sign(steps[leaps])) & (np.abs(after) < np.abs(steps[leaps]))
        return float((turned & (np.abs(steps[leaps]) <= TOO_FAR)).mean())
