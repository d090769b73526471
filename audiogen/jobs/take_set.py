"""A set of takes for a random container: equally loud, and mutually different.

The takes of one prompt are made of the same material, so a passage may come back in another take. Each pair is compared
by the fraction of half-second windows of one that repeat a passage of the other (`metrics.copying`), and by the median
similarity of the windows' best matches. Segments of the prompt, as long as the takes and compared in the same way, say
how alike real ones are.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording, open_blocks
from audiogen.errors import InputError
from audiogen.jobs.loudness_target import Level, amplified, level_at, loudness_of, lowered
from audiogen.jobs.request import MIN_LOUDNESS, Request
from audiogen.jobs.tail_check import MAX_REPEATED
from audiogen.metrics.copying import HOP_SECONDS, WINDOW_SECONDS, RepetitionDetector
from audiogen.sound.prompt_analysis import MATERIAL_SECONDS

COMPARED_SECONDS = 30.0  # of the beginning of each take
MIN_COMPARED_SECONDS = 1.0  # of each segment of the prompt, and of each take
MAX_SEGMENTS = 8  # of the prompt
MAX_WINDOWS = 1.5  # half seconds that short takes may share, since one is found by chance


@dataclass(frozen=True)
class Pair:
    """How alike two takes are.

    Args:
        takes: their names.
        repeated: fraction of the half-second windows of one that repeat a passage of the other.
        similarity: median over windows of the correlation with the best match, -1 to 1.
    """

    takes: tuple[str, str]
    repeated: float
    similarity: float


@dataclass(frozen=True)
class SetReport:
    """How different the takes of a set are.

    Args:
        nearest: the pair whose takes are most alike.
        real: the nearest pair of segments of the prompt, named by their position; None if it is too short.
    """

    nearest: Pair
    real: Pair | None

    def as_json(self) -> dict[str, Any]:
        """The report in JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        first, second = self.nearest.takes
        text = f"nearest pair: {first} and {second}, similarity {self.nearest.similarity:.2f}"
        text += f", {self.nearest.repeated:.0%} repeated"
        return text if self.real is None else f"{text} (in the prompt: {self.real.similarity:.2f})"


def request_for_set(prompt: Recording, request: Request) -> Request:
    """The request of each take: the tail alone, as loud as the prompt unless a loudness is requested."""
    loudness = loudness_of(prompt) if request.loudness is None else request.loudness
    if loudness is not None:
        loudness = round(min(max(loudness, MIN_LOUDNESS), 0.0), 2)
    return replace(request, tail_only=True, loudness=loudness)


def at_one_loudness(levels: Sequence[Level]) -> list[Level]:
    """The levels of takes of a set: those of the least loud, which its true peak keeps lowest."""
    common = min((level.lufs for level in levels if level.lufs is not None), default=0.0)
    return [level if level.lufs is None else lowered(level, level.lufs - common) for level in levels]


def equally_loud(takes: Sequence[Recording], target: float) -> list[Recording]:
    """Takes at one loudness: the target in LUFS, or the highest below it that the true peak of each permits."""
    levels = at_one_loudness([level_at(take, target) for take in takes])
    return [amplified(take, level.gain_db) for take, level in zip(takes, levels, strict=True)]


def compare_takes(prompt: Recording, outs: Sequence[Path]) -> SetReport | None:
    """`compare_sounds` of the files of a set."""
    return compare_sounds(prompt, {out.name: _beginning(out) for out in outs})


def compare_sounds(prompt: Recording, takes: Mapping[str, Recording]) -> SetReport | None:
    """Compare each pair of takes.

    Args:
        prompt: of the takes.
        takes: name -> take.

    Returns:
        None for fewer than two takes, and if they or the prompt are too short.

    Warns:
        AudioWarning: of the nearest pair, much more is repeated than of any two segments of the prompt.
    """
    prompt = prompt.last(MATERIAL_SECONDS)
    try:
        detector = RepetitionDetector(prompt)
    except InputError:  # shorter than a window
        return None
    sounds = list(takes.values())
    if len(sounds) < 2 or min(sound.seconds for sound in sounds) < MIN_COMPARED_SECONDS:
        return None
    nearest = _nearest(detector, list(takes), sounds)
    segments = _segments(prompt, min(sound.length for sound in sounds))
    real = None
    if len(segments) > 1:
        names = [f"segment {number}" for number in range(1, len(segments) + 1)]
        real = _nearest(detector, names, segments)
    report = SetReport(nearest, real)
    if nearest.repeated > (real.repeated if real else 0.0) + max(MAX_REPEATED, MAX_WINDOWS * _one_window(sounds)):
        first, second = nearest.takes
        text = f"{first} and {second} are alike: {nearest.repeated:.0%} of one is repeated in the other"
        warnings.warn(f"{text}; try a longer prompt, or another --seed", AudioWarning, stacklevel=2)
    return report


def _one_window(sounds: Sequence[Recording]) -> float:
    """One half second as a fraction of those that are compared of the shortest sound."""
    return HOP_SECONDS / (min(sound.seconds for sound in sounds) - WINDOW_SECONDS + HOP_SECONDS)


def _nearest(detector: RepetitionDetector, names: Sequence[str], sounds: Sequence[Recording]) -> Pair:
    pairs = [
        _pair(detector, (names[a], names[b]), sounds[a], sounds[b]) for a, b in combinations(range(len(sounds)), 2)
    ]
    return max(pairs, key=lambda pair: (pair.repeated, pair.similarity))


def _pair(detector: RepetitionDetector, names: tuple[str, str], first: Recording, second: Recording) -> Pair:
    matches = [detector.between(first, second), detector.between(second, first)]
    similarity = max(float(np.median(each.similarity)) for each in matches)
    return Pair(names, max(each.fraction for each in matches), similarity)


def _segments(prompt: Recording, length: int) -> list[Recording]:
    """Segments of a prompt, end to end: of a length, or shorter ones if that gives two."""
    length = min(length, prompt.length // 2)
    if length < MIN_COMPARED_SECONDS * prompt.sample_rate:
        return []
    count = min(prompt.length // length, MAX_SEGMENTS)
    return [prompt.cut(index * length, (index + 1) * length) for index in range(count)]


def _beginning(path: Path) -> Recording:
    with open_blocks(path, COMPARED_SECONDS) as blocks:
        return Recording(next(iter(blocks)), blocks.sample_rate)
