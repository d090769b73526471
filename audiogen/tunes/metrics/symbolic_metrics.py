"""How alike two sets of tunes are: statistics of notes, each as a distance to held-out tunes.

A high scale consistency is not good in itself; one like that of real tunes is. So each measure is taken of
each tune, and what counts is how far the generated tunes' values lie from the held-out ones', in units of
how far two random halves of the held-out tunes lie from each other (1.0 = as close as real tunes are).

Definitions after MusPy (Dong et al. 2020, arXiv 2008.01951), C-RNN-GAN (Mogren 2016, arXiv 1611.09904), the
Jazz Transformer (Wu & Yang 2020, arXiv 2008.01307) and Yang & Lerch (2018, "On the evaluation of generative
models in music"). Drums are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from audiogen.errors import InputError
from audiogen.tunes.tune import Tune, bar_ticks

SCALE = (0, 2, 4, 5, 7, 9, 11)  # major; natural minor scales have the same pitch classes
GROOVE_STEPS = 12  # places a quarter note: sixteenths and triplets
MOST_NOTES, FARTHEST, LONGEST = 32, 24, 8


@dataclass(frozen=True)
class Likelihood:
    """Args:
    nats: negative log-likelihood of all tokens.
    notes: that those tokens hold.
    seconds: that they last.
    """

    nats: float
    notes: int
    seconds: float

    @property
    def per_note(self) -> float:
        """Nats a note: comparable between token schemes that hold the same notes with the same detail."""
        return self.nats / self.notes

    @property
    def per_second(self) -> float:
        """Nats a second of music."""
        return self.nats / self.seconds


def likelihood(nats: Iterable[float], tunes: Sequence[Tune]) -> Likelihood:
    """Pool the negative log-likelihoods of whole tunes.

    Args:
        nats: of each tune, summed over all its tokens but the first.
        tunes: what each sequence of tokens holds (`Tokenizer.quantised`).
    """
    notes = sum(len(tune.notes) for tune in tunes)
    return Likelihood(float(sum(nats)), notes, float(sum(tune.seconds for tune in tunes)))


def melodic(tune: Tune) -> np.ndarray:
    """The notes that no drum plays."""
    return tune.notes[~np.array([part.drums for part in tune.parts], bool)[tune.notes["part"]]]


def pitch_class_entropy(tune: Tune) -> float:
    """Shannon entropy of the pitch classes, bits, 0..log2(12) (MusPy)."""
    share = np.bincount(melodic(tune)["pitch"] % 12, minlength=12) / len(melodic(tune))
    return float(-(share[share > 0] * np.log2(share[share > 0])).sum()) + 0.0


def scale_consistency(tune: Tune) -> float:
    """Largest share of notes that lie in one major or minor scale, 0..1 (Mogren 2016)."""
    counts = np.bincount(melodic(tune)["pitch"] % 12, minlength=12)
    return float(max(np.roll(counts, -key)[list(SCALE)].sum() for key in range(12)) / counts.sum())


def groove_consistency(tune: Tune) -> float:
    """1 - mean difference of the onset patterns of neighbouring bars of one length, 0..1 (Wu & Yang 2020;
    MusPy).

    A place differs if a note begins there in one of the two bars only. 1 where there are no two bars.
    """
    bars, places, lengths = _bars(tune)
    struck = np.unique(np.stack([bars, places]), axis=1)
    neighbours = (np.diff(lengths) == 0).nonzero()[0]
    counts = np.bincount(struck[0], minlength=len(lengths))
    width = int(places.max()) + 1
    keys = struck[0] * width + struck[1]
    kept = keys[np.isin(keys + width, keys)]
    common = np.bincount(kept // width, minlength=len(lengths))
    differences = counts[neighbours] + counts[neighbours + 1] - 2 * common[neighbours]
    steps = lengths[neighbours]
    return 1.0 - float((differences / np.maximum(steps, 1)).mean()) if len(neighbours) else 1.0


def polyphony(tune: Tune) -> float:
    """Mean number of different pitches sounding while any sounds, at least 1 (MusPy)."""
    notes = melodic(tune)
    notes = notes[np.lexsort((notes["start"], notes["pitch"]))]
    offset = notes["pitch"].astype(np.int64) * (int(notes["end"].max()) + 1)
    sounding = _covered(notes["start"] + offset, notes["end"] + offset)
    return sounding / _covered(notes["start"], notes["end"])


def pitch_range(tune: Tune) -> float:
    """Highest minus lowest pitch, semitones."""
    return float(np.ptp(melodic(tune)["pitch"]))


def note_density(tune: Tune) -> np.ndarray:
    """Shares of bars by the notes that begin in them, ``[33]``: 0, 1, ... 32 or more."""
    bars, _, lengths = _bars(tune)
    counts = np.bincount(bars, minlength=len(lengths)).clip(max=MOST_NOTES)
    return np.bincount(counts, minlength=MOST_NOTES + 1) / len(counts)


def intervals(tune: Tune) -> np.ndarray:
    """Shares of the steps from one top note of a part to its next, ``[49]``: -24 or less ... 24 or more
    semitones.
    """
    steps: list[np.ndarray] = [np.zeros(0, np.int64)]
    notes = melodic(tune)
    for part in np.unique(notes["part"]):
        line = notes[notes["part"] == part]
        top = line[np.append(True, np.diff(line["start"]) > 0)]  # notes go from high to low
        steps.append(np.diff(top["pitch"].astype(np.int64)))
    counts = np.bincount(np.concatenate(steps).clip(-FARTHEST, FARTHEST) + FARTHEST, minlength=2 * FARTHEST + 1)
    return counts / max(counts.sum(), 1)


def durations(tune: Tune) -> np.ndarray:
    """Shares of note lengths, ``[33]``: in quarters of a quarter note, 0, 1, ... 32 or more (Yang & Lerch
    2018).
    """
    notes = melodic(tune)
    steps = np.rint(4 * (notes["end"] - notes["start"]) / tune.ticks_per_quarter).astype(np.int64)
    return np.bincount(steps.clip(max=4 * LONGEST), minlength=4 * LONGEST + 1) / len(notes)


SCALARS: dict[str, Callable[[Tune], float]] = {
    "pitch_class_entropy": pitch_class_entropy,
    "scale_consistency": scale_consistency,
    "groove_consistency": groove_consistency,
    "polyphony": polyphony,
    "pitch_range": pitch_range,
}
HISTOGRAMS: dict[str, Callable[[Tune], np.ndarray]] = {
    "note_density": note_density,
    "intervals": intervals,
    "durations": durations,
}


@dataclass(frozen=True)
class Distance:
    """Args:
    value: between the tunes and held-out ones: the earth mover's distance, in the measure's unit or in bins.
    floor: between two halves of the held-out tunes.
    mean: of the measure over the tunes; None for histograms.
    reference: its mean over the held-out tunes; None for histograms.
    """

    value: float
    floor: float
    mean: float | None
    reference: float | None

    @property
    def ratio(self) -> float | None:
        """1.0 = as close as real tunes are; None where those do not differ at all and the tunes do."""
        if self.floor > 0:
            return self.value / self.floor
        return 1.0 if self.value == 0 else None


def distances(tunes: Sequence[Tune], held_out: Sequence[Tune], draws: int = 200, seed: int = 0) -> dict[str, Distance]:
    """Every measure of `SCALARS` and `HISTOGRAMS` as a distance to held-out tunes.

    Both the distance and its floor are means over random draws of equally many tunes on either side, as large
    as half of the held-out ones allow: the distance between samples shrinks with their size.

    Args:
        tunes: generated ones; where they are tails, ``held_out`` should be as long.
        held_out: at least four, from no training.

    Raises:
        InputError: too few tunes with notes.
    """
    tunes, held_out = ([tune for tune in group if len(melodic(tune))] for group in (tunes, held_out))
    size = min(len(tunes), len(held_out) // 2)
    if len(held_out) < 4 or not tunes:
        cause = f"{len(tunes)} tunes and {len(held_out)} held-out ones are too few to compare"
        raise InputError("tunes", cause, "give a tune and four held-out ones at least, with notes")
    random = np.random.default_rng(seed)
    ours = [random.permutation(len(tunes))[:size] for _ in range(draws)]
    halves = [random.permutation(len(held_out))[: 2 * size].reshape(2, size) for _ in range(draws)]
    found = {}
    for name in (*SCALARS, *HISTOGRAMS):
        scalar = name in SCALARS
        measure: Callable[[Tune], object] = SCALARS[name] if scalar else HISTOGRAMS[name]
        mine, real = (np.array([measure(tune) for tune in group], float) for group in (tunes, held_out))
        gap = _scalar_gap if scalar else _histogram_gap
        pairs = list(zip(ours, halves, strict=True))
        found[name] = Distance(
            value=float(np.mean([gap(mine[drawn], real[half[0]]) for drawn, half in pairs])),
            floor=float(np.mean([gap(real[half[1]], real[half[0]]) for _, half in pairs])),
            mean=float(mine.mean()) if scalar else None,
            reference=float(real.mean()) if scalar else None,
        )
    return found


def _scalar_gap(first: np.ndarray, second: np.ndarray) -> float:
    """Earth mover's distance of two equally large samples."""
    return float(np.abs(np.sort(first) - np.sort(second)).mean())


def _histogram_gap(first: np.ndarray, second: np.ndarray) -> float:
    """Earth mover's distance, in bins, of two mean histograms ``[tunes, bins]``: each tune weighs the
    same.
    """
    return float(np.abs(np.cumsum(first.mean(axis=0) - second.mean(axis=0))).sum())


def _bars(tune: Tune) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bar and place in it (of `GROOVE_STEPS` a quarter note) of each onset, and the bars' lengths in places.

    From the bar of the first note to that of the last.
    """
    starts = melodic(tune)["start"]
    end = int(starts.max())
    held = tune.meters[np.searchsorted(tune.meters[:, 0], end, side="right") - 1, 1:].tolist()
    lines = tune.bar_lines(
        end + bar_ticks(int(held[0]), int(held[1]), tune.ticks_per_quarter) + 1
    )  # to the end of the last bar
    bars = np.searchsorted(lines, starts, side="right") - 1
    places = (starts - lines[bars]) * GROOVE_STEPS // tune.ticks_per_quarter
    lengths = np.diff(lines) * GROOVE_STEPS // tune.ticks_per_quarter
    first = int(bars.min())
    return bars - first, places, lengths[first : int(bars.max()) + 1]


def _covered(starts: np.ndarray, ends: np.ndarray) -> int:
    """Length of the union of intervals."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    gaps = np.maximum(starts[1:] - ends[:-1], 0).sum()
    return int(ends[-1] - starts[0] - gaps)
