"""What a reward judges: a tail with the prompt that it continues, and what several rules need to know of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from audiogen.tunes.metrics.note_histograms import histogram
from audiogen.tunes.tokens.notes_tokenizer import top_line
from audiogen.tunes.tune import Tune, bar_ticks

STEPS = 12  # positions per quarter note: sixteenths and triplets
USUAL_ONSETS, USUAL_PITCHES, USUAL_COVERAGE = 2.0, 4.0, 0.5
"""What is enough without a prompt: onsets per bar, different pitches (perplexity), fraction of the time with notes."""
ENOUGH = 0.5
"""Fraction of the prompt's onsets, pitches and coverage that is enough."""


@dataclass(frozen=True)
class Bar:
    """One bar of a line.

    Args:
        notes: of the line that begin in the bar: pairs of position (`STEPS` per quarter note) and pitch.
    """

    notes: tuple[tuple[int, int], ...]

    @property
    def positions(self) -> frozenset[int]:
        """Positions of the onsets."""
        return frozenset(position for position, _ in self.notes)


@dataclass(frozen=True, eq=False)
class Passage:
    """A tail in the context of its prompt.

    Args:
        tail: the notes to judge, as `Tokenizer.tail` returns them: times count from the start of the prompt.
        prompt: the tune before it, at the same resolution; None for a whole tune.
        stop: tick at which the passage ends, rests included; None for the end of the last note.
        goal: tick at which the tail will end, where it is known; None for `end`.
    """

    tail: Tune
    prompt: Tune | None = None
    stop: int | None = None
    goal: int | None = None

    @property
    def start(self) -> int:
        """Tick at which the tail begins."""
        return 0 if self.prompt is None else self.prompt.end

    @cached_property
    def end(self) -> int:
        """Tick at which the tail ends, at least one tick after its start."""
        return max(self.tail.end if self.stop is None else self.stop, self.start + 1)

    @property
    def finished(self) -> bool:
        """Whether the tail is complete, and not still being searched for."""
        return self.goal is None or self.end >= self.goal

    @property
    def bars_to_come(self) -> int:
        """Number of bars from the end to the goal."""
        if self.goal is None:
            return 0
        return max(-(-(self.goal - self.end) // int(self.bar_lines[-1] - self.bar_lines[-2])), 0)

    @cached_property
    def notes(self) -> np.ndarray:
        """Notes of the tail without drums, of dtype `NOTE`."""
        return self.tail.melodic_notes

    @cached_property
    def line(self) -> np.ndarray:
        """Its highest notes."""
        return top_line(self.tail)

    @cached_property
    def bass(self) -> np.ndarray:
        """Its lowest notes: one for each onset of the part that plays lowest."""
        parts = np.unique(self.notes["part"])
        lowest = min(parts, key=lambda part: float(self.notes["pitch"][self.notes["part"] == part].mean()), default=0)
        return self.notes[self.notes["part"] == lowest]

    @cached_property
    def bar_lines(self) -> np.ndarray:
        """Ticks at which the bars of prompt and tail begin, and the line at or after `end`."""
        meters = self.tail.meters
        if self.prompt is not None:
            before = self.prompt.meters[self.prompt.meters[:, 0] <= self.prompt.end]
            meters = np.concatenate([before, meters[1:]])
        return _bar_lines(self.tail, meters, self.end)

    @cached_property
    def first_bar(self) -> int:
        """Index of the first bar line at or after the start: bars of the tail count from there."""
        return int(np.searchsorted(self.bar_lines, self.start))

    @cached_property
    def bars(self) -> list[Bar]:
        """The bars of the tail's top line; notes before the first bar line are left out."""
        return _cut(self.line, self.bar_lines, self.tail.ticks_per_quarter)[self.first_bar :]

    @property
    def prompt_bars(self) -> list[Bar]:
        """The bars of the prompt's top line, from the first one that has an onset on its downbeat."""
        return [] if self.prompt is None else _facts(self.prompt).bars

    @cached_property
    def substance(self) -> float:
        """How far the tail is music of the prompt's kind at all, 0..1, by which every rule is multiplied.

        The product of four fractions, each limited to 1: onsets in each bar, different pitches, time with notes
        (all relative to `ENOUGH` of the prompt's), and parts that play. Silence gives 0, one note for all bars little.
        """
        if not len(self.notes):
            return 0.0
        facts = _facts(self.prompt) if self.prompt is not None else None
        if facts is None or not facts.parts:
            facts = PromptFacts([], USUAL_ONSETS, USUAL_PITCHES, USUAL_COVERAGE, 1)
        variety = (_perplexity(self.notes["pitch"]) - 1) / (facts.pitches - 1) if facts.pitches > 1 else 1.0
        coverage = _covered(self.notes) / (self.end - self.start) / facts.coverage
        parts = len(np.unique(self.notes["part"])) / facts.parts
        return self._activity(facts.onsets) * min(variety, 1.0) * min(coverage, 1.0) * min(parts, 1.0)

    def _activity(self, enough: float) -> float:
        """Mean over bars of the fraction of enough onsets; one is enough for the last bar of a finished tail."""
        edges = np.unique(np.concatenate([[self.start], self.bar_lines[self.first_bar :], [self.end]]))
        index = np.searchsorted(edges, np.unique(self.notes["start"]), side="right") - 1
        counts = np.bincount(index.clip(0, len(edges) - 2), minlength=len(edges) - 1)
        whole = np.diff(edges) / max(int(np.diff(edges).max()), 1)  # an incomplete bar needs fewer
        wanted = np.maximum(enough * whole, 1e-9)
        if self.finished:
            wanted[-1] = min(wanted[-1], 1.0)
        return float(np.average(np.minimum(counts / wanted, 1.0), weights=whole))


@dataclass(frozen=True)
class PromptFacts:
    """What of a prompt its tails are compared with.

    Args:
        bars: of its top line, from the first one that has an onset on its downbeat.
        onsets: per bar that are enough.
        pitches: their perplexity that is enough, at least 1.
        coverage: fraction of the time with notes that is enough.
        parts: number of parts that play melodic notes; 0 for a prompt without notes.
    """

    bars: list[Bar]
    onsets: float
    pitches: float
    coverage: float
    parts: int


@lru_cache(maxsize=64)
def _facts(prompt: Tune) -> PromptFacts:
    """Those of a prompt, which are the same for all its tails; prompts are compared by identity."""
    notes = prompt.melodic_notes
    if not len(notes):
        return PromptFacts([], 0.0, 0.0, 0.0, 0)
    lines = _bar_lines(prompt, prompt.meters[prompt.meters[:, 0] <= prompt.end], prompt.end)
    bars = _cut(top_line(prompt), lines, prompt.ticks_per_quarter)
    begun = next((index for index, bar in enumerate(bars) if 0 in bar.positions), 0)
    first = int(notes["start"].min())
    number = len(lines) - 1 - (int(np.searchsorted(lines, first, side="right")) - 1)
    return PromptFacts(
        bars[begun:],
        ENOUGH * len(np.unique(notes["start"])) / max(number, 1),
        1 + ENOUGH * (_perplexity(notes["pitch"]) - 1),
        ENOUGH * _covered(notes) / (prompt.end - first),
        len(np.unique(notes["part"])),
    )


def _bar_lines(tune: Tune, meters: np.ndarray, end: int) -> np.ndarray:
    """Bar lines of some meters up to the first one at or after ``end``."""
    beyond = end + bar_ticks(int(meters[-1, 1]), int(meters[-1, 2]), tune.ticks_per_quarter)
    lines = replace(tune, meters=meters).bar_lines(beyond)
    return lines[: int(np.searchsorted(lines, end)) + 1]


def _cut(line: np.ndarray, lines: np.ndarray, ticks_per_quarter: int) -> list[Bar]:
    """The bars between bar lines, with the notes of a line that begin in them."""
    index = np.searchsorted(lines, line["start"], side="right") - 1
    positions = (line["start"] - lines[index]) * STEPS // ticks_per_quarter
    bars: list[list[tuple[int, int]]] = [[] for _ in range(len(lines) - 1)]
    for bar, position, pitch in zip(index.tolist(), positions.tolist(), line["pitch"].tolist(), strict=True):
        if bar < len(bars):
            bars[bar].append((position, pitch))
    return [Bar(tuple(notes)) for notes in bars]


def bar_line_after(prompt: Tune, bars: int) -> int:
    """The tick ``bars`` whole bars after the bar in which a prompt ends, in the meter in which it ends."""
    tick, numerator, denominator = prompt.meters[prompt.meters[:, 0] <= max(prompt.end, 0)][-1].tolist()
    length = bar_ticks(numerator, denominator, prompt.ticks_per_quarter)
    return tick + (-(-(prompt.end - tick) // length) + bars) * length


def _perplexity(pitches: np.ndarray) -> float:
    """Number of equally frequent pitches with the same entropy."""
    fractions = histogram(pitches.astype(np.int64), 128)
    present = fractions[fractions > 0]
    return float(np.exp(-(present * np.log(present)).sum()))


def _covered(notes: np.ndarray) -> int:
    """Ticks at which a note sounds."""
    order = np.argsort(notes["start"], kind="stable")
    ends = np.maximum.accumulate(notes["end"][order])
    begun = notes["start"][order]
    gaps = np.maximum(begun[1:] - ends[:-1], 0).sum()
    return int(ends[-1] - begun[0] - gaps)
