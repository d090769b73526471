"""A set of takes for a random container: equally loud, and mutually different.

The takes of one prompt are made of the same material, so a passage may come back in another take. Each pair is compared
by the fraction of half-second windows of one that repeat a passage of the other (`metrics.copying`), and by the median
similarity of the windows' best matches. Segments of the prompt, as long as the takes and compared in the same way, say
how alike real ones are.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording, open_blocks
from audiogen.errors import InputError
from audiogen.jobs.loudness_target import (
    TOLERANCE,
    Level,
    Loudness,
    amplified,
    highest_bed,
    loudness_of,
    measured_loudness,
    missed_loudness,
)
from audiogen.jobs.request import MIN_LOUDNESS, Request
from audiogen.jobs.tail_check import MAX_REPEATED
from audiogen.metrics.copying import HOP_SECONDS, WINDOW_SECONDS, RepetitionDetector
from audiogen.sound.prompt_analysis import MATERIAL_SECONDS

COMPARED_SECONDS = 30.0  # of the beginning of each take
MIN_COMPARED_SECONDS = 1.0  # of each segment of the prompt, and of each take
MAX_SEGMENTS = 8  # of the prompt
BED_DB = 3.0  # above the highest bed of the prompt's segments; theirs, equally loud, exceed it by 2 dB in waves
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

    def __str__(self) -> str:
        return f"similarity {self.similarity:.2f}, {self.repeated:.0%} repeated"


@dataclass(frozen=True)
class SetReport:
    """How different the takes of a set are.

    Args:
        nearest: the pair whose takes are most alike.
        real: the nearest pair of segments of the prompt, named by their position; None if it is too short.
        leave_out: takes without which no two are alike; none where no two are.
    """

    nearest: Pair
    real: Pair | None
    leave_out: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The report in JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        first, second = self.nearest.takes
        text = f"nearest pair: {first} and {second}, {self.nearest}"
        return text if self.real is None else f"{text}; of two segments of the recording: {self.real}"


def request_for_set(prompt: Recording, request: Request) -> Request:
    """The request of each take: the tail alone, as loud as the prompt unless a loudness is requested."""
    loudness = loudness_of(prompt) if request.loudness is None else request.loudness
    if loudness is not None:
        loudness = round(min(max(loudness, MIN_LOUDNESS), 0.0), 2)
    return replace(request, tail_only=True, loudness=loudness)


def levels_of_set(prompt: Recording, takes: Mapping[str, Loudness], target: float, requested: bool) -> list[Level]:
    """The levels of takes at one loudness: the target, or the highest below it that the true peak of each permits.

    Equal loudness is that of textures and events. A take that happens to hold no event would be lifted by tens of dB:
    where its bed would exceed the highest of the prompt's segments of its length by `BED_DB`, it stays quieter,
    amplified by no more than the others are in the median.

    Args:
        prompt: of the takes.
        takes: name -> loudness.
        target: LUFS.
        requested: whether a user has set the target, and is to know whether it is met.

    Warns:
        AudioWarning: takes stay quieter; the target is missed.
    """
    beds = _highest_beds(prompt, target, {take.seconds for take in takes.values()})
    quiet = {
        name: take
        for name, take in takes.items()
        if take.lufs is not None and target > take.lufs and take.bed + target - take.lufs > beds[take.seconds]
    }
    reached = {name: take.level_at(target) for name, take in takes.items() if name not in quiet}
    common = min((level.lufs for level in reached.values() if level.lufs is not None), default=target)
    levels = {name: take.level_at(common) for name, take in takes.items() if name not in quiet}
    if requested and common < target - TOLERANCE:
        warnings.warn(f"the set: {missed_loudness(common, target)}", AudioWarning, stacklevel=2)
    if quiet:
        gains = [level.gain_db for level in levels.values() if level.lufs is not None]
        own = loudness_of(prompt)
        usual = float(np.median(gains)) if gains else 0.0 if own is None else target - own
        levels |= {name: take.level(min(usual, take.level_at(common).gain_db)) for name, take in quiet.items()}
        below = {
            name: common - lufs
            for name in quiet
            if (lufs := levels[name].lufs) is not None and lufs < common - TOLERANCE
        }
        if below:
            others = "other takes" if gains else "recording"
            which = f"{', '.join(below)}: up to {max(below.values()):.0f} LU quieter than the {others}"
            cause = "for want of events: amplified further, the sound between events would be louder than it ever is"
            warnings.warn(f"{which}, {cause}; try longer takes (--seconds)", AudioWarning, stacklevel=2)
    return [levels[name] for name in takes]


def _highest_beds(prompt: Recording, target: float, lengths: Iterable[float]) -> dict[float, float]:
    """How loud the bed of takes of each length may be at a loudness, LUFS."""
    prompt = prompt.last(MATERIAL_SECONDS)
    own = loudness_of(prompt)
    if own is None:
        return dict.fromkeys(lengths, math.inf)
    return {seconds: highest_bed(prompt, seconds) + target - own + BED_DB for seconds in lengths}


def equally_loud(prompt: Recording, takes: Sequence[Recording], target: float, requested: bool) -> list[Recording]:
    """Takes at one loudness in LUFS; see `levels_of_set`."""
    measured = {f"take {number}": measured_loudness(take) for number, take in enumerate(takes, 1)}
    levels = levels_of_set(prompt, measured, target, requested)
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
    pairs = _pairs(detector, list(takes), sounds)
    segments = _segments(prompt, min(sound.length for sound in sounds))
    real = None
    if len(segments) > 1:
        names = [f"segment {number}" for number in range(1, len(segments) + 1)]
        real = _nearest(_pairs(detector, names, segments))
    limit = (real.repeated if real else 0.0) + max(MAX_REPEATED, MAX_WINDOWS * _one_window(sounds))
    nearest, leave_out = _nearest(pairs), _in_all([pair.takes for pair in pairs if pair.repeated > limit], list(takes))
    if leave_out:
        first, second = nearest.takes
        text = f"{first} and {second} are alike: {nearest.repeated:.0%} of one is repeated in the other"
        cure = f"leave out {', '.join(leave_out)}, and no two are; or try a longer prompt, or another --seed"
        warnings.warn(f"{text}; {cure}", AudioWarning, stacklevel=2)
    return SetReport(nearest, real, leave_out)


def _in_all(pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> tuple[str, ...]:
    """Few of all names, of which each pair holds one: at each step that of most pairs, of several the last."""
    chosen: list[str] = []
    while pairs:
        counts = Counter(take for pair in pairs for take in pair)
        worst = max(counts, key=lambda take: (counts[take], names.index(take)))
        chosen.append(worst)
        pairs = [pair for pair in pairs if worst not in pair]
    return tuple(sorted(chosen, key=names.index))


def _one_window(sounds: Sequence[Recording]) -> float:
    """One half second as a fraction of those that are compared of the shortest sound."""
    return HOP_SECONDS / (min(sound.seconds for sound in sounds) - WINDOW_SECONDS + HOP_SECONDS)


def _pairs(detector: RepetitionDetector, names: Sequence[str], sounds: Sequence[Recording]) -> list[Pair]:
    return [_pair(detector, (names[a], names[b]), sounds[a], sounds[b]) for a, b in combinations(range(len(sounds)), 2)]


def _nearest(pairs: Sequence[Pair]) -> Pair:
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
