"""Rewards of repetition and form: bars that return, a phrase that answers another, sections such as AABA."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, groupby

from audiogen.errors import InputError
from audiogen.tunes.rewards.base import Rule
from audiogen.tunes.rewards.passage import Bar, Passage

ENOUGH_REPEATED, TOO_MUCH_REPEATED = 0.2, 0.75
"""Fractions of repeated bars between which the reward is full. Of bars 9 to 16 of real fiddle tunes, half repeat."""
LOOPS = (1, 2, 3, 4)  # bars that repeat at once are stuck
STUCK_RUN = 4  # notes of one pitch in a row, from the fourth on
UNLIKE_OPENING, ALIKE_OPENING, DIFFERENT_CLOSING = 0.35, 0.6, 0.25
"""Similarity of openings that is worth nothing (rhythm alone makes 1/3) and that which is enough; enough difference of
closings."""
ALIKE_SECTIONS, DIFFERENT_SECTIONS = 0.7, 0.4


def bar_similarity(first: Bar, second: Bar) -> float:
    """Similarity of two bars, 0..1: a third of the Jaccard index of their onsets, two thirds of that of their notes."""
    if not first.notes and not second.notes:
        return 1.0
    onsets = _jaccard(first.positions, second.positions)
    return (onsets + 2 * _jaccard(frozenset(first.notes), frozenset(second.notes))) / 3


def phrase_similarity(first: Sequence[Bar], second: Sequence[Bar]) -> float:
    """Mean similarity of the bars of two phrases, bar by bar, 0..1; 0 without bars."""
    pairs = list(zip(first, second, strict=False))
    return sum(bar_similarity(*pair) for pair in pairs) / len(pairs) if pairs else 0.0


def _jaccard(first: frozenset, second: frozenset) -> float:
    return len(first & second) / max(len(first | second), 1)


class Repetition(Rule):
    """Bars return, but neither all of them nor at once.

    The fraction of bars that equal an earlier one of tail or prompt is best between `ENOUGH_REPEATED` and
    `TOO_MUCH_REPEATED`, and worth nothing at 0 and at 1. The fraction of bars that are stuck is subtracted: those with
    which the last one to four bars equal as many just before them (`LOOPS`), so that a loop is stuck from the end of
    its second turn on, and those with `STUCK_RUN` onsets of a pitch (Jaques et al. 2017 reward motifs and penalise
    repeated notes and high autocorrelation at short lags; repetition in music: Huron 2006, "Sweet Anticipation",
    chapter 13).
    """

    kind = "repetition"

    def judge(self, passage: Passage) -> float:
        bars, earlier = passage.bars, list(passage.prompt_bars)
        if not bars:
            return 0.0
        returning = stuck = 0
        for bar in bars:
            returning += bool(bar.notes) and bar in earlier
            earlier.append(bar)
            again = any(earlier[-size:] == earlier[-2 * size : -size] for size in LOOPS)
            stuck += bool(bar.notes) and (again or _is_stuck(bar))
        fraction = returning / len(bars)
        rise = fraction / ENOUGH_REPEATED
        fall = (1 - fraction) / (1 - TOO_MUCH_REPEATED)
        return min(rise, fall, 1.0) - stuck / len(bars)


def _is_stuck(bar: Bar) -> bool:
    return any(len(list(run)) >= STUCK_RUN for _, run in groupby(pitch for _, pitch in bar.notes))


class Answer(Rule):
    """The last phrase answers the first one: it begins like it and ends otherwise.

    Phrases are of four bars, or as many as the argument says. The opening half is compared with that of the first
    phrase of the prompt (of the tune, without a prompt), and is worth 0 to 1 at a similarity of `UNLIKE_OPENING` to
    `ALIKE_OPENING`; the closing half must differ by `DIFFERENT_CLOSING`, so that a copy answers nothing (antecedent and
    consequent of a period: Caplin 1998, "Classical Form", chapter 4). Of a tail of known length that is not complete,
    those bars of the last phrase count that there are.
    """

    kind = "answer"

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        if argument and not (argument.isdecimal() and 2 <= int(argument) <= 64):
            raise InputError(self.name, "it is no number of bars", "write a number from 2 to 64, such as answer:4")
        self.length = int(argument or 4)

    def judge(self, passage: Passage) -> float:
        length, half = self.length, self.length // 2
        bars, to_come = passage.bars, passage.bars_to_come
        question = (passage.prompt_bars or bars[:-length])[:length]
        begun = len(bars) + to_come - length
        reply = bars[begun:] if begun >= 0 else []
        if len(question) < length or not reply:
            return 0.0
        opening = phrase_similarity(question[:half], reply[:half])
        closing = phrase_similarity(question[half:], reply[half:])
        like = (opening - UNLIKE_OPENING) / (ALIKE_OPENING - UNLIKE_OPENING)
        return min(max(like, 0.0), 1.0) * min((1 - closing) / DIFFERENT_CLOSING, 1.0)


class Form(Rule):
    """Sections that are named by one letter are alike, and those named by different ones are not.

    The argument is the form of prompt and tail together, ``AABA`` by default; its sections are of equal length in
    bars. The value is the similarity of sections of one letter (full at `ALIKE_SECTIONS`) times the difference of those
    of two (full at `DIFFERENT_SECTIONS`), each averaged over pairs with at least one section that the tail adds to; 0
    if the tail completes no section.
    """

    kind = "form"
    at_end = True

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        if argument and not (argument.isalpha() and argument.isascii() and 2 <= len(argument) <= 16):
            raise InputError(self.name, "it is no form", "write a letter for each section, such as form:AABA")
        self.letters = argument.upper() or "AABA"

    def judge(self, passage: Passage) -> float:
        before, bars = len(passage.prompt_bars), [*passage.prompt_bars, *passage.bars]
        size = len(bars) // len(self.letters)
        if len(self.letters) * size <= before:
            return 0.0  # all sections were given
        sections = [bars[index * size : (index + 1) * size] for index in range(len(self.letters))]
        alike, different = [], []
        for first, second in combinations(range(len(sections)), 2):
            if (second + 1) * size <= before:
                continue  # both were given
            similarity = phrase_similarity(sections[first], sections[second])
            if self.letters[first] == self.letters[second]:
                alike.append(min(similarity / ALIKE_SECTIONS, 1.0))
            else:
                different.append(min((1 - similarity) / DIFFERENT_SECTIONS, 1.0))
        return _mean(alike) * _mean(different)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 1.0
