"""Score features computed from ``events`` tokens: position in the bar, sounding notes, next note end, phrase.

They follow from the tokens by addition, which a network would have to learn from examples. Here the sums are computed,
and their results are inputs of the network (as metre and other voices are in Hadjeres et al. 2017, "DeepBach", arXiv
1612.01010).
"""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.tunes.tokens.grammar import PAGE_QUARTERS, Vocabulary
from audiogen.tunes.tune import bar_ticks

MAX_STEPS = 192
"""Positions in a bar and remaining durations beyond this are not distinguished."""
PITCHES, MAX_INTERVAL = 128, 24  # MAX_INTERVAL in semitones each way
NOW, BAR_LENGTH, PART, CURSOR, PITCH, TIES, BARS, FIRST_BAR, VOICES = range(9)
"""Columns of the state: steps since the bar began; its length; the current part; the last part with an onset at this
position; the pitch without a duration; its ties; number of bars begun, and before the first downbeat; from `VOICES` on,
`VOICE` columns per voice."""
LAST, LOWEST, HIGHEST, PREVIOUS, END, VOICE = range(6)
"""Columns of a voice: its last, lowest and highest pitch, the pitch before the last, and the end of the last note."""
OWN_ANCHORS = 3
"""Pitches of the current part from which intervals to its next one are measured: last, lowest and highest."""
WAITING = 3
"""Column of the features that holds the next part whose note has ended."""
PHRASE_BARS, MAX_PHRASES = 8, 8


class ScoreTracker:
    """Tracks position, parts and sounding notes token by token, in a batch of sequences.

    Features, each 0 where unknown or absent: the current part; the position in the bar; the position at which the next
    note ends; the next part whose note has ended; the last interval of the current part, and those from its last pitch
    to its lowest and highest; for each voice its pitch, its remaining duration, and its interval from the last pitch of
    the current part; the bar of the phrase, and the phrase, counted from the first bar with a note on its downbeat.

    Args:
        vocabulary: of the scheme ``events``.
        voices: number of parts whose notes are tracked, the first ones.

    Attributes:
        sizes: number of values of each feature.
        anchors: number of pitches from which intervals to the next one are measured.
        pitches: tokens of kind "pitch", ``[128]``.
        reach: for each token, how far it advances time compared with others; -1 for tokens that do not, ``[size]``.

    Raises:
        InputError: the vocabulary is that of another scheme.
    """

    def __init__(self, vocabulary: Vocabulary, voices: int) -> None:
        if not {"bar", "position", "part", "pitch", "duration"} <= vocabulary.by_kind.keys():
            raise InputError("model.voices", "voices are tracked in tokens of the scheme events only", "set it to 0")
        self.vocabulary, self.voices, self.anchors = vocabulary, voices, OWN_ANCHORS + voices
        self.page = vocabulary.page
        self.pitches = torch.from_numpy(vocabulary.tokens("pitch"))
        reach = {"later": self.page, "bar": self.page + 1}
        self.reach = torch.tensor(
            [value if kind == "position" else reach.get(kind, -1) for kind, value in vocabulary.events]
        )
        intervals = 2 * MAX_INTERVAL + 2
        each = [PITCHES + 1, MAX_STEPS + 2, intervals]
        self.sizes = [voices + 2, MAX_STEPS + 2, MAX_STEPS + 2, voices + 1, *[intervals] * OWN_ANCHORS, *each * voices]
        self.sizes += [PHRASE_BARS + 1, MAX_PHRASES + 1]

    def start(self, batch: int) -> Tensor:
        """State before the first token, ``[batch, columns]`` int64."""
        state = torch.full((batch, VOICES + VOICE * self.voices), -1)
        state[:, NOW], state[:, BAR_LENGTH], state[:, TIES] = 0, self.page // 2, 0
        state[:, BARS] = 0
        return state

    def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Compute the features after each of the tokens ``[batch, time]``.

        Returns:
            Features ``[batch, time, len(sizes)]`` int64; anchors ``[batch, time, anchors]``: the last, lowest and
            highest pitch of the current part, and the sounding pitch of each other voice; the first token on the way to
            the next note end, ``[batch, time]``, -1 if there is none; bar, position in it and current part,
            ``[batch, time, 3]``; the state after the last token.
        """
        rows = state.tolist()
        values = [[self._after(token, row) for token in line] for line, row in zip(tokens.tolist(), rows, strict=True)]
        anchors, due, positions, features = (
            torch.tensor(values)
            .view(*tokens.shape, self.anchors + 4 + len(self.sizes))
            .split([self.anchors, 1, 3, len(self.sizes)], dim=-1)
        )
        return features, anchors, due[..., 0], positions, torch.tensor(rows)

    def _after(self, token: int, row: list[int]) -> list[int]:
        """Update one row of the state with a token; returns all values of `read`."""
        kind, value = self.vocabulary.events[token]
        if kind == "pitch":
            row[PITCH], row[TIES] = value, 0
        elif kind == "tie":
            row[TIES] += 1
        elif kind == "duration":
            self._begin_note(row, row[TIES] * self.page + value)
        elif kind == "part":
            row[PART] = value
        elif kind == "position":
            self._move(row, row[NOW] - row[NOW] % self.page + value)
        elif kind == "later":
            self._move(row, row[NOW] - row[NOW] % self.page + self.page)
        elif kind == "bar":
            self._begin_bar(row, row[BAR_LENGTH])
        elif kind == "meter":
            self._begin_bar(row, row[NOW])
            numerator, denominator = value
            row[BAR_LENGTH] = bar_ticks(numerator, denominator, self.page // PAGE_QUARTERS)
        return self._values(row)

    def _begin_note(self, row: list[int], duration: int) -> None:
        if row[FIRST_BAR] < 0 == row[NOW]:
            row[FIRST_BAR] = row[BARS]
        if 0 <= row[PART] < self.voices and row[PITCH] >= 0:
            voice, pitch = VOICES + VOICE * row[PART], row[PITCH]
            last, lowest, highest = row[voice : voice + OWN_ANCHORS]
            lowest = pitch if lowest < 0 else min(lowest, pitch)
            row[voice : voice + VOICE] = pitch, lowest, max(highest, pitch), last, row[NOW] + duration
        row[CURSOR], row[PITCH] = row[PART], -1

    def _move(self, row: list[int], now: int) -> None:
        row[NOW], row[CURSOR] = now, -1

    def _begin_bar(self, row: list[int], steps: int) -> None:
        """Begin a bar ``steps`` after the last bar line; positions and note ends are relative to it from here on."""
        self._move(row, 0)
        row[BARS] += steps > 0
        for end in range(VOICES + END, len(row), VOICE):
            row[end] = max(row[end] - steps, 0)

    def _values(self, row: list[int]) -> list[int]:
        pitches, ends = row[VOICES::VOICE], row[VOICES + END :: VOICE]
        remaining = [max(end - row[NOW], 0) for end in ends]
        sounding = [steps for steps in remaining if steps]
        end = row[NOW] + min(sounding) if sounding else -1
        due = end % row[BAR_LENGTH] if sounding else -1
        silent = [voice for voice in range(self.voices) if pitches[voice] >= 0 == remaining[voice]]
        waiting = next((voice for voice in silent if voice > row[CURSOR]), -1)
        tracked = 0 <= row[PART] < self.voices
        own, lowest, highest, previous = row[VOICES + VOICE * row[PART] :][:END] if tracked else [-1] * END
        others = [pitch if remaining[voice] and voice != row[PART] else -1 for voice, pitch in enumerate(pitches)]
        values = [
            own,
            lowest,
            highest,
            *others,
            self._token_towards(end, row) if sounding else -1,
            row[BARS],
            row[NOW],
            row[PART],
            min(row[PART], self.voices) + 1,
            min(row[NOW], MAX_STEPS) + 1,
        ]
        values += [min(due, MAX_STEPS) + 1, waiting + 1, interval_index(previous, own), interval_index(own, lowest)]
        values.append(interval_index(own, highest))
        for pitch, steps in zip(pitches, remaining, strict=True):
            values += [pitch + 1, min(steps, MAX_STEPS) + 1, interval_index(own, pitch)]
        bars = row[BARS] - row[FIRST_BAR]
        phrase, bar = divmod(bars, PHRASE_BARS) if row[FIRST_BAR] >= 0 else (-1, -1)
        return [*values, bar + 1, min(phrase, MAX_PHRASES - 1) + 1]

    def _token_towards(self, end: int, row: list[int]) -> int:
        """The first token on the way to a later position."""
        if end >= row[BAR_LENGTH]:
            return self.vocabulary.token("bar")
        page, step = divmod(end, self.page)
        later = page > row[NOW] // self.page
        return self.vocabulary.token("later") if later else self.vocabulary.token("position", step)


def interval_index(one: int, other: int) -> int:
    """Interval between two pitches, clipped, as 1 (falling) to 2 * MAX_INTERVAL + 1 (rising); 0 if one is unknown."""
    return 0 if one < 0 or other < 0 else min(max(other - one, -MAX_INTERVAL), MAX_INTERVAL) + MAX_INTERVAL + 1
