"""What the tokens of the scheme ``events`` say about the music at each moment, worked out instead of learned.

Where in the bar a token stands, which notes sound and when the next of them ends follows from the tokens by
addition; a network would have to learn the sums from examples. Here they are done, and a network is fed what comes
out (as Hadjeres et al. 2017, "DeepBach", arXiv 1612.01010, feed the metre and the other voices).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from audiogen.errors import InputError

LONGEST = 192
"""Steps beyond which places in a bar and remaining lengths are alike."""
PITCHES, WIDEST = 128, 24  # WIDEST interval, semitones each way
NOW, BAR, PART, REACHED, PITCH, TIES, BARS, FIRST, VOICES = range(9)
"""Columns of the state: steps since the bar began, its length, the part that speaks, the last part that has struck a
note at this moment, the pitch that waits for its length, its ties, the bars begun, those before the first full one;
then of each voice its `VOICE`."""
LAST, LOWEST, HIGHEST, BEFORE, END, VOICE = range(6)
"""Of a voice: its last pitch, its lowest and highest so far, the one before the last, and when the last one ends."""
OWN = 3
"""Pitches of the part that speaks which its next one is measured from: the last, the lowest and the highest."""
WAITING = 3
"""Of the facts: the one that says which part's note has ended."""
PHRASE, MOST_PHRASES = 8, 8
"""Bars, and phrases beyond which they are alike."""


class ScoreTracker:
    """Follows the tokens of tunes. In each column of its facts, 0 is what is not known or not there.

    Columns: the part that speaks; the place in the bar; the place at which the next note ends; the next part
    whose note has ended; the last interval of the part that speaks, and those from its last pitch to its lowest
    and highest; then of each voice its pitch, how long it still sounds, and its interval to the last pitch of the
    part that speaks; at last the bar of the phrase, and the phrase, counted from the first bar with a note on its one.

    Args:
        vocabulary: names of the tokens, of the scheme ``events``.
        voices: parts whose notes are followed: the first ones.

    Raises:
        InputError: the vocabulary is that of another scheme.
    """

    def __init__(self, vocabulary: Sequence[str], voices: int) -> None:
        meanings = [name.partition(" ") for name in vocabulary]
        self.kinds = [kind for kind, _, _ in meanings]
        if not {"bar", "position", "part", "pitch", "duration"} <= set(self.kinds):
            raise InputError("model.voices", "voices are followed in tokens of the scheme events only", "set it to 0")
        self.voices, self.anchors = voices, OWN + voices
        self.page = self.kinds.count("duration")
        self.values = [self._value(kind, value) for kind, _, value in meanings]
        self.tokens = {name: index for index, name in enumerate(vocabulary)}
        self.pitches = torch.tensor([index for index, kind in enumerate(self.kinds) if kind == "pitch"])
        self.reach = torch.tensor(list(map(self._reach, self.kinds, self.values)))
        intervals = 2 * WIDEST + 2
        each = [PITCHES + 1, LONGEST + 2, intervals]
        self.sizes = [voices + 2, LONGEST + 2, LONGEST + 2, voices + 1, *[intervals] * OWN, *each * voices]
        self.sizes += [PHRASE + 1, MOST_PHRASES + 1]

    def _value(self, kind: str, value: str) -> int:
        if kind == "meter":
            top, bottom = value.split("/")
            return max(1, round(self.page * int(top) / (2 * int(bottom))))  # a page is eight quarter notes
        return int(value) if value.isdigit() else 0

    def _reach(self, kind: str, value: int) -> int:
        """How far a token moves on among those that can be said at one place, -1 for one that does not move."""
        return {"position": value, "later": self.page, "bar": self.page + 1}.get(kind, -1)

    def start(self, batch: int) -> Tensor:
        """The state before the first token, ``[batch, columns]`` int64."""
        state = torch.full((batch, VOICES + VOICE * self.voices), -1)
        state[:, NOW], state[:, BAR], state[:, TIES] = 0, self.page // 2, 0
        state[:, BARS] = 0
        return state

    def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What is known after each of the tokens ``[batch, time]``.

        Returns:
            Facts ``[batch, time, len(sizes)]`` int64; pitches that the next one is measured from, ``[batch, time,
            anchors]``: the last, lowest and highest of the part that speaks, and what sounds in each other voice; the
            token that leads to where the next note ends, ``[batch, time]``, -1 where there is none; the bar, the place
            in it and the part that speaks, ``[batch, time, 3]``; the state after the last token.
        """
        rows = state.tolist()
        told = [[self._after(token, row) for token in line] for line, row in zip(tokens.tolist(), rows, strict=True)]
        anchors, due, places, facts = (
            torch.tensor(told)
            .view(*tokens.shape, self.anchors + 4 + len(self.sizes))
            .split([self.anchors, 1, 3, len(self.sizes)], dim=-1)
        )
        return facts, anchors, due[..., 0], places, torch.tensor(rows)

    def _after(self, token: int, row: list[int]) -> list[int]:
        kind, value = self.kinds[token], self.values[token]
        if kind == "pitch":
            row[PITCH], row[TIES] = value, 0
        elif kind == "tie":
            row[TIES] += 1
        elif kind == "duration":
            self._strike(row, row[TIES] * self.page + value)
        elif kind == "part":
            row[PART] = value
        elif kind == "position":
            self._move(row, row[NOW] - row[NOW] % self.page + value)
        elif kind == "later":
            self._move(row, row[NOW] - row[NOW] % self.page + self.page)
        elif kind == "bar":
            self._begin(row, row[BAR])
        elif kind == "meter":
            self._begin(row, row[NOW])
            row[BAR] = value
        return self._facts(row)

    def _strike(self, row: list[int], length: int) -> None:
        if row[FIRST] < 0 == row[NOW]:
            row[FIRST] = row[BARS]
        if 0 <= row[PART] < self.voices and row[PITCH] >= 0:
            voice, pitch = VOICES + VOICE * row[PART], row[PITCH]
            last, lowest, highest = row[voice : voice + OWN]
            lowest = pitch if lowest < 0 else min(lowest, pitch)
            row[voice : voice + VOICE] = pitch, lowest, max(highest, pitch), last, row[NOW] + length
        row[REACHED], row[PITCH] = row[PART], -1

    def _move(self, row: list[int], now: int) -> None:
        row[NOW], row[REACHED] = now, -1

    def _begin(self, row: list[int], steps: int) -> None:
        """A bar begins: from here on, places are counted from ``steps`` after the last bar's beginning."""
        self._move(row, 0)
        row[BARS] += steps > 0
        for end in range(VOICES + END, len(row), VOICE):
            row[end] = max(row[end] - steps, 0)

    def _facts(self, row: list[int]) -> list[int]:
        pitches, ends = row[VOICES::VOICE], row[VOICES + END :: VOICE]
        left = [max(end - row[NOW], 0) for end in ends]
        sounding = [length for length in left if length]
        end = row[NOW] + min(sounding) if sounding else -1
        due = end % row[BAR] if sounding else -1
        silent = [voice for voice in range(self.voices) if pitches[voice] >= 0 == left[voice]]
        waiting = next((voice for voice in silent if voice > row[REACHED]), -1)
        known = 0 <= row[PART] < self.voices
        own, lowest, highest, before = row[VOICES + VOICE * row[PART] :][:END] if known else [-1] * END
        others = [pitch if left[voice] and voice != row[PART] else -1 for voice, pitch in enumerate(pitches)]
        facts = [
            own,
            lowest,
            highest,
            *others,
            self._towards(end, row) if sounding else -1,
            row[BARS],
            row[NOW],
            row[PART],
            min(row[PART], self.voices) + 1,
            min(row[NOW], LONGEST) + 1,
        ]
        facts += [min(due, LONGEST) + 1, waiting + 1, interval(before, own), interval(own, lowest)]
        facts.append(interval(own, highest))
        for pitch, length in zip(pitches, left, strict=True):
            facts += [pitch + 1, min(length, LONGEST) + 1, interval(own, pitch)]
        phrase, bar = divmod(row[BARS] - row[FIRST], PHRASE) if row[FIRST] >= 0 else (-1, -1)
        return [*facts, bar + 1, min(phrase, MOST_PHRASES - 1) + 1]

    def _towards(self, end: int, row: list[int]) -> int:
        """The token that comes first on the way to a place after the present one."""
        if end >= row[BAR]:
            return self.tokens["bar"]
        page, step = divmod(end, self.page)
        return self.tokens["later" if page > row[NOW] // self.page else f"position {step}"]


def interval(one: int, other: int) -> int:
    """From one pitch to another, 1 (far down) to 2 * WIDEST + 1 (far up); 0 where one is not known."""
    return 0 if one < 0 or other < 0 else min(max(other - one, -WIDEST), WIDEST) + WIDEST + 1
