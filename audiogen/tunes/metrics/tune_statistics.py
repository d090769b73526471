"""Statistics of notes (pitch-class entropy, polyphony, note density, ...), and distances between sets of tunes.

No value of a statistic is good in itself; one like that of real tunes is. A distance between generated and held-out
tunes is therefore given together with its floor, the distance between two random halves of the held-out tunes
(ratio 1.0: as close as real tunes are to each other).

Definitions after MusPy (Dong et al. 2020, arXiv 2008.01951), C-RNN-GAN (Mogren 2016, arXiv 1611.09904), the
Jazz Transformer (Wu & Yang 2020, arXiv 2008.01307) and Yang & Lerch (2018, "On the evaluation of generative
models in music"). Drums are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audiogen.errors import InputError
from audiogen.tunes.metrics import note_histograms
from audiogen.tunes.metrics.note_histograms import histogram
from audiogen.tunes.tune import Tune, bar_ticks

SCALE = (0, 2, 4, 5, 7, 9, 11)  # major; natural minor scales have the same pitch classes
GROOVE_STEPS = 12  # positions per quarter note: sixteenths and triplets
DURATION_STEPS = 4  # per quarter note
MAX_NOTES = 32  # per bar
MAX_INTERVAL = 24  # semitones each way
MAX_QUARTERS = 8  # of durations


def pitch_class_entropy(tune: Tune) -> float:
    """Shannon entropy of the pitch classes, bits, 0..log2(12) (MusPy)."""
    fractions = note_histograms.pitch_classes(tune.melodic_notes)
    present = fractions[fractions > 0]
    return float(-(present * np.log2(present)).sum()) + 0.0


def scale_consistency(tune: Tune) -> float:
    """Largest fraction of notes that lie in one major or minor scale, 0..1 (Mogren 2016)."""
    counts = np.bincount(tune.melodic_notes["pitch"] % 12, minlength=12)
    return float(max(np.roll(counts, -key)[list(SCALE)].sum() for key in range(12)) / counts.sum())


def groove_consistency(tune: Tune) -> float:
    """1 - mean difference of the onset patterns of neighbouring bars of equal length, 0..1 (Wu & Yang 2020; MusPy).

    A position differs if a note begins there in only one of the two bars. 1 if there are no two such bars.
    """
    bars, positions, lengths = _onset_grid(tune)
    onsets = np.unique(np.stack([bars, positions]), axis=1)
    neighbours = (np.diff(lengths) == 0).nonzero()[0]
    counts = np.bincount(onsets[0], minlength=len(lengths))
    width = int(positions.max()) + 1
    keys = onsets[0] * width + onsets[1]
    repeated = keys[np.isin(keys + width, keys)]
    common = np.bincount(repeated // width, minlength=len(lengths))
    differences = counts[neighbours] + counts[neighbours + 1] - 2 * common[neighbours]
    steps = lengths[neighbours]
    return 1.0 - float((differences / np.maximum(steps, 1)).mean()) if len(neighbours) else 1.0


def polyphony(tune: Tune) -> float:
    """Mean number of different pitches that sound while any does, at least 1 (MusPy)."""
    notes = tune.melodic_notes
    notes = notes[np.lexsort((notes["start"], notes["pitch"]))]
    offset = notes["pitch"].astype(np.int64) * (int(notes["end"].max()) + 1)
    sounding = _union_length(notes["start"] + offset, notes["end"] + offset)
    return sounding / _union_length(notes["start"], notes["end"])


def pitch_range(tune: Tune) -> float:
    """Highest minus lowest pitch, semitones."""
    return float(np.ptp(tune.melodic_notes["pitch"]))


def note_density(tune: Tune) -> np.ndarray:
    """Fractions of bars by the number of notes that begin in them, ``[33]``: 0, 1, ... 32 or more."""
    bars, _, lengths = _onset_grid(tune)
    return histogram(np.bincount(bars, minlength=len(lengths)), MAX_NOTES + 1)


def intervals(tune: Tune) -> np.ndarray:
    """Fractions of the intervals between successive top notes of a part, ``[49]``: -24 or less ... 24 or more."""
    notes = tune.melodic_notes
    lines = [notes[notes["part"] == part] for part in np.unique(notes["part"])]
    tops = [line["pitch"][np.append(True, np.diff(line["start"]) > 0)] for line in lines]  # chords go downwards
    return note_histograms.intervals(tops, MAX_INTERVAL)


def durations(tune: Tune) -> np.ndarray:
    """Fractions of durations in sixteenth notes, ``[33]``: 0, 1, ... 32 or more (Yang & Lerch 2018)."""
    return note_histograms.durations(tune.melodic_notes, tune.ticks_per_quarter, DURATION_STEPS, MAX_QUARTERS)


SCALARS: dict[str, Callable[[Tune], float]] = {
    "pitch_class_entropy": pitch_class_entropy,
    "scale_consistency": scale_consistency,
    "groove_consistency": groove_consistency,
    "polyphony": polyphony,
    "pitch_range": pitch_range,
}
"""Statistics with one value per tune that has notes."""
HISTOGRAMS: dict[str, Callable[[Tune], np.ndarray]] = {
    "note_density": note_density,
    "intervals": intervals,
    "durations": durations,
}
"""Statistics that are a relative histogram per tune that has notes."""


@dataclass(frozen=True)
class Distance:
    """Distance of generated tunes to held-out ones in one statistic.

    Args:
        value: earth mover's distance, in the statistic's unit or in bins.
        floor: the same between two halves of the held-out tunes.
        mean: mean of the statistic over the generated tunes; None for histograms.
        reference: its mean over the held-out tunes; None for histograms.
    """

    value: float
    floor: float
    mean: float | None
    reference: float | None

    @property
    def ratio(self) -> float | None:
        """Distance divided by its floor, 1.0 for real tunes; None if only the generated tunes differ at all."""
        if self.floor > 0:
            return self.value / self.floor
        return 1.0 if self.value == 0 else None


def distances(tunes: Sequence[Tune], held_out: Sequence[Tune], draws: int = 200, seed: int = 0) -> dict[str, Distance]:
    """The `Distance` to held-out tunes in each of `SCALARS` and `HISTOGRAMS`.

    The distance between samples shrinks with their size. Distance and floor are therefore both means over random
    subsets of one size: half of the held-out tunes, or all generated ones where these are fewer.

    Args:
        tunes: generated; if they are tails, ``held_out`` should have the same length.
        held_out: at least four, not used for training.
        draws: number of random subsets.
        seed: random seed.

    Raises:
        InputError: too few tunes with notes.
    """
    tunes, held_out = ([tune for tune in group if len(tune.melodic_notes)] for group in (tunes, held_out))
    size = min(len(tunes), len(held_out) // 2)
    if len(held_out) < 4 or not tunes:
        cause = f"{len(tunes)} tunes and {len(held_out)} held-out ones are too few to compare"
        raise InputError("tunes", cause, "give at least one tune and four held-out ones with notes")
    random = np.random.default_rng(seed)
    subsets = [random.permutation(len(tunes))[:size] for _ in range(draws)]
    halves = [random.permutation(len(held_out))[: 2 * size].reshape(2, size) for _ in range(draws)]
    result = {}
    for name in (*SCALARS, *HISTOGRAMS):
        scalar = name in SCALARS
        statistic: Callable[[Tune], object] = SCALARS[name] if scalar else HISTOGRAMS[name]
        mine, real = (np.array([statistic(tune) for tune in group], float) for group in (tunes, held_out))
        gap = _scalar_gap if scalar else _histogram_gap
        pairs = list(zip(subsets, halves, strict=True))
        result[name] = Distance(
            value=float(np.mean([gap(mine[subset], real[half[0]]) for subset, half in pairs])),
            floor=float(np.mean([gap(real[half[1]], real[half[0]]) for _, half in pairs])),
            mean=float(mine.mean()) if scalar else None,
            reference=float(real.mean()) if scalar else None,
        )
    return result


def _scalar_gap(first: np.ndarray, second: np.ndarray) -> float:
    """Earth mover's distance between two samples of equal size."""
    return float(np.abs(np.sort(first) - np.sort(second)).mean())


def _histogram_gap(first: np.ndarray, second: np.ndarray) -> float:
    """Earth mover's distance, in bins, between the mean histograms of two sets ``[tunes, bins]``."""
    return float(np.abs(np.cumsum(first.mean(axis=0) - second.mean(axis=0))).sum())


def _onset_grid(tune: Tune) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bar and position of each onset, ``[notes]`` each, and the lengths ``[bars]`` of the bars.

    Positions and lengths are in `GROOVE_STEPS` per quarter note; bars count from that of the first note to that of
    the last.
    """
    starts = tune.melodic_notes["start"]
    end = int(starts.max())
    numerator, denominator = tune.meters[np.searchsorted(tune.meters[:, 0], end, side="right") - 1, 1:].tolist()
    last_bar = bar_ticks(int(numerator), int(denominator), tune.ticks_per_quarter)
    lines = tune.bar_lines(end + last_bar + 1)  # up to the end of the last bar
    bars = np.searchsorted(lines, starts, side="right") - 1
    positions = (starts - lines[bars]) * GROOVE_STEPS // tune.ticks_per_quarter
    lengths = np.diff(lines) * GROOVE_STEPS // tune.ticks_per_quarter
    first = int(bars.min())
    return bars - first, positions, lengths[first : int(bars.max()) + 1]


def _union_length(starts: np.ndarray, ends: np.ndarray) -> int:
    """Length of the union of intervals."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    gaps = np.maximum(starts[1:] - ends[:-1], 0).sum()
    return int(ends[-1] - starts[0] - gaps)
