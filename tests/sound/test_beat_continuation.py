from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.rhythm.analysis import Rhythm, analyse_rhythm
from audiogen.rhythm.onsets import track_onsets
from audiogen.sound.beat_continuation import BEATS_PER_BAR, BeatContinuer
from audiogen.sound.beat_path import BeatPath
from audiogen.sound.controls import Controls
from tests.rhythm.signals import RATE, strokes
from tools.verbatim_runs import longest_verbatim_run

PERIOD, BAR = 0.4, 4


def song(seconds: float = 24.0) -> Recording:
    """Strokes with accents: a bar of four, no two bars quite alike."""
    times = np.arange(0.3, seconds - 0.1, PERIOD)
    loudness = np.array([1.0, 0.3, 0.6, 0.3])[np.arange(len(times)) % BAR]
    return strokes(times, loudness * np.random.default_rng(2).uniform(0.8, 1.2, len(times)), seconds)


def rhythm_of(recording: Recording) -> Rhythm:
    rhythm = analyse_rhythm(recording)
    assert rhythm is not None
    return rhythm


def tail_of(continuer: BeatContinuer, seconds: float, seed: int = 0, controls: Controls | None = None) -> np.ndarray:
    blocks: Iterator[np.ndarray] = continuer.tail(round(seconds * RATE), seed, controls=controls or Controls())
    return np.concatenate(list(blocks), axis=1)


def onsets_of(samples: np.ndarray) -> np.ndarray:
    """Seconds at which the strokes of a signal ``[1, time]`` set in: where its level first rises by far."""
    level = np.convolve(np.square(samples[0]), np.ones(64) / 64, mode="same")
    loud = level > 3e-4
    starts = np.flatnonzero(loud[1:] & ~loud[:-1])
    return starts[np.diff(starts, prepend=-RATE) > 0.2 * RATE] / RATE


@pytest.mark.parametrize("seconds", [20.0, 20.13, 20.27])
def test_the_beats_of_the_tail_fall_where_they_are_due(seconds: float) -> None:
    prompt = song(seconds)
    continuer = BeatContinuer(rhythm_of(prompt))
    whole = np.concatenate([prompt.samples, tail_of(continuer, 12.0)], axis=1)
    onsets = onsets_of(whole)
    late = onsets - (0.3 + PERIOD * np.round((onsets - 0.3) / PERIOD))
    late -= np.median(late[onsets < seconds])
    assert np.abs(late).max() < 0.03
    assert len(onsets) == pytest.approx((seconds + 12.0) / PERIOD, abs=2)


def test_accents_keep_their_place_in_the_bar() -> None:
    prompt = song(20.1)
    tail = tail_of(BeatContinuer(rhythm_of(prompt)), 12.0)
    track = track_onsets(np.concatenate([prompt.samples, tail], axis=1), RATE)
    first = np.arange(0.3, 32.0, BAR * PERIOD)
    accents, others = (
        np.array([track.levels[round((time + 0.02) * track.rate)].mean() for time in first + late])
        for late in (0.0, PERIOD)
    )
    count = min(len(accents), len(others)) - 1
    assert (accents[:count] > others[:count]).all()


def test_no_run_is_longer_than_allowed() -> None:
    rhythm = rhythm_of(song())
    for longest in (3, 7):
        units = np.array(list(islice(BeatPath(rhythm, longest, 0), 200)))
        jumps = np.flatnonzero(np.diff(units) != 1)
        assert np.diff(jumps).max() <= longest
        assert (units < rhythm.units).all()


def test_the_longest_run_is_given_in_bars_or_seconds() -> None:
    rhythm = rhythm_of(song())
    assert BeatContinuer(rhythm).longest == 2 * BAR - 1
    assert BeatContinuer(rhythm, "1 bar").longest == BAR - 1
    assert BeatContinuer(rhythm, "4.0").longest == 9


@pytest.mark.parametrize(("beats", "period"), [(3, 0.35), (3, 0.6), (4, 0.3), (4, 0.5), (5, 0.4), (7, 0.3)])
def test_by_default_no_passage_of_the_waveform_is_longer_than_two_bars(beats: int, period: float) -> None:
    times = np.arange(0.3, 28.9, period)
    loudness = np.where(np.arange(len(times)) % beats == 0, 1.0, 0.4)
    random = np.random.default_rng(beats)
    prompt = strokes(times, loudness * random.uniform(0.8, 1.2, len(times)), 29.0)
    # Beats that sound alike, but are not made of the same samples.
    prompt = Recording(prompt.samples + 3e-3 * random.standard_normal(prompt.samples.shape).astype(np.float32), RATE)
    rhythm = rhythm_of(prompt)
    tail = Recording(tail_of(BeatContinuer(rhythm), 24.0), RATE)
    assert rhythm.period < longest_verbatim_run(tail, prompt) <= 2 * (rhythm.bar or BEATS_PER_BAR) * rhythm.period


def test_a_tail_is_the_beginning_of_a_longer_one_and_seeds_differ() -> None:
    continuer = BeatContinuer(rhythm_of(song(20.2)))
    tail = tail_of(continuer, 6.0)
    np.testing.assert_array_equal(tail, tail_of(continuer, 9.0)[:, : tail.shape[1]])
    assert not np.array_equal(tail, tail_of(continuer, 6.0, seed=1))


def test_the_tails_of_a_set_prefer_beats_that_were_played_least() -> None:
    continuer = BeatContinuer(rhythm_of(song()))
    units = continuer.rhythm.units

    def shared(takes: list[list[int]]) -> float:
        """Of all pairs, how many beats both have, in the mean."""
        pairs = [(one, other) for k, one in enumerate(takes) for other in takes[:k]]
        return float(np.mean([len(set(one) & set(other)) for one, other in pairs]))

    def path(seed: int) -> list[int]:
        played: list[int] = []
        blocks = continuer.residual(seed, 1.0, Controls(), note=lambda place: played.append(place.unit))
        for _ in islice(blocks, 3 * BAR):
            pass
        return played

    alone = [path(seed) for seed in range(4)]
    continuer.keep_tails_distinct()
    takes = [path(seed) for seed in range(4)]
    assert takes[0] == alone[0]
    assert units > 3 * BAR
    assert shared(takes) < shared(alone) - 1


def test_level_is_applied() -> None:
    continuer = BeatContinuer(rhythm_of(song(20.2)))
    plain, louder = tail_of(continuer, 8.0), tail_of(continuer, 8.0, controls=Controls(level=-6.0))
    gain = 20 * np.log10(louder[:, 4 * RATE :].std() / plain[:, 4 * RATE :].std())
    assert gain == pytest.approx(-6.0, abs=0.1)


def test_identical_bars_do_not_extend_a_verbatim_run() -> None:
    bar = song(0.3 + 8 * BAR * PERIOD).samples
    length = round(4 * BAR * PERIOD * RATE)
    start = round(0.3 * RATE)
    repeated = np.concatenate([bar[:, :start], *[bar[:, start : start + length]] * 3], axis=1)
    rhythm = rhythm_of(Recording(repeated, RATE))
    units = list(islice(BeatPath(rhythm, 7, 0), 60))
    longest = 0
    runs = np.zeros(rhythm.units)
    for unit in units:
        runs = np.where(rhythm.identical[unit], np.concatenate([[0], runs[:-1]]) + 1, 0)
        longest = max(longest, int(runs.max()))
    assert longest <= 7
