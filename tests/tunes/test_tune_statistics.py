"""Note statistics with known values, distances between sets of tunes, likelihood, and note copying."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audiogen.errors import InputError
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.metrics.note_likelihood import pooled
from audiogen.tunes.metrics.tune_statistics import (
    HISTOGRAMS,
    SCALARS,
    distances,
    durations,
    groove_consistency,
    intervals,
    note_density,
    pitch_class_entropy,
    polyphony,
    scale_consistency,
)
from audiogen.tunes.tune import Part, Tune
from tests.tune_fixtures import melody, tune, wandering


def test_pitch_class_entropy() -> None:
    assert pitch_class_entropy(melody([60, 72, 48])) == 0
    assert pitch_class_entropy(melody(list(range(60, 72)))) == pytest.approx(np.log2(12))


def test_scale_consistency() -> None:
    assert scale_consistency(melody([60, 62, 64, 65, 67, 69, 71])) == 1
    assert scale_consistency(melody([60, 62, 64, 65, 67, 69, 71, 61])) == pytest.approx(7 / 8)


def test_groove_consistency() -> None:
    assert groove_consistency(melody([60] * 16)) == 1
    full = [(96 * bar + 24 * beat, 96 * bar + 24 * beat + 12, 60) for bar in (0, 2) for beat in range(4)]
    assert groove_consistency(tune([*full, (96, 108, 60)])) == pytest.approx(1 - 3 / 48)  # 48 positions per bar


def test_groove_ignores_bars_of_different_length() -> None:
    waltz = melody([60, 60, 60, 60, 62, 64, 65], meters=[[0, 4, 4], [96, 3, 4]])
    assert groove_consistency(waltz) == 1
    long = melody([60, 60], meters=[[0, 24, 2], [9600, 1, 8]])
    assert groove_consistency(long) == 1


def test_polyphony_is_a_mean_over_sounding_time() -> None:
    chord = [(0, 24, 60), (0, 24, 64), (0, 12, 67)]
    assert polyphony(tune(chord)) == pytest.approx(2.5)
    assert polyphony(tune([*chord, (1000, 1024, 60)])) == pytest.approx((2.5 + 1) / 2)
    unison = tune([(0, 24, 60, 80, 0), (0, 24, 60, 80, 1)], parts=2)
    assert polyphony(unison) == 1


def test_histograms() -> None:
    line = melody([60, 62, 64, 66, 68, 70, 72, 74])
    assert note_density(line)[4] == 1
    assert intervals(line)[24 + 2] == 1
    assert durations(line)[4] == 1
    assert intervals(melody([0, 127]))[-1] == 1
    assert durations(tune([(0, 24 * 20, 60)]))[-1] == 1


def test_intervals_are_between_top_notes_of_a_part() -> None:
    chords = tune([(0, 24, 60), (0, 24, 67), (24, 48, 62), (24, 48, 69), (0, 24, 40, 80, 1), (24, 48, 45, 80, 1)], 2)
    assert intervals(chords)[24 + 2] == pytest.approx(0.5)
    assert intervals(chords)[24 + 5] == pytest.approx(0.5)


@pytest.mark.parametrize("name", [*SCALARS, *HISTOGRAMS])
def test_statistics_do_not_depend_on_key_resolution_drums_or_a_late_start(name: str) -> None:
    measure = {**SCALARS, **HISTOGRAMS}[name]
    plain = wandering(1, parts=2)
    late = plain.notes.copy()
    late["start"] += 96 * 7
    late["end"] += 96 * 7
    beat = plain.notes[:5].copy()
    beat["part"], beat["pitch"] = 2, 120
    drummed = np.concatenate([plain.notes, beat])
    variants = [
        plain.transposed(5),
        plain.rescaled(480),
        replace(plain, notes=late),
        replace(plain, notes=drummed, parts=(*plain.parts, Part(drums=True))),
    ]
    for variant in variants:
        assert measure(variant) == pytest.approx(measure(plain))


@pytest.fixture(scope="module")
def held_out() -> list[Tune]:
    return [wandering(seed) for seed in range(40)]


def test_tunes_of_one_kind_have_a_ratio_near_one(held_out: list[Tune]) -> None:
    found = distances([wandering(seed) for seed in range(100, 140)], held_out)
    ratios = [distance.ratio for distance in found.values() if distance.ratio is not None]
    assert 0.6 < np.mean(ratios) < 1.4
    assert max(ratios) < 2


def test_each_fault_shows_in_its_statistic(held_out: list[Tune]) -> None:
    wide = distances([wandering(seed, low=30, high=100) for seed in range(100, 120)], held_out)
    assert wide["pitch_range"].ratio > 5
    assert wide["durations"].ratio < 2
    fast = [replace(one, notes=_halved(one.notes)) for one in held_out]
    assert distances(fast, held_out)["note_density"].ratio > 5
    wrong = [replace(one, notes=_mistuned(one.notes)) for one in held_out]
    assert distances(wrong, held_out)["scale_consistency"].ratio is None  # held-out tunes never leave their scale


def _halved(notes: np.ndarray) -> np.ndarray:
    notes = notes.copy()
    notes["start"], notes["end"] = notes["start"] // 2, notes["end"] // 2
    return notes


def _mistuned(notes: np.ndarray) -> np.ndarray:
    notes = notes.copy()
    notes["pitch"][::3] += 1
    return notes


def test_distances_need_tunes(held_out: list[Tune]) -> None:
    with pytest.raises(InputError, match="too few"):
        distances(held_out, held_out[:3])
    with pytest.raises(InputError, match="too few"):
        distances([replace(held_out[0], notes=held_out[0].notes[:0])], held_out)


def test_likelihood_pools_notes_and_seconds() -> None:
    tunes = [melody([60] * 10), melody([60] * 30)]  # 120 quarter notes per minute
    found = pooled([20.0, 60.0], tunes)
    assert (found.per_note, found.per_second) == (2.0, 4.0)


def pasted(source: Tune, first: int, count: int, shift: int, seed: int) -> Tune:
    """A tune with ``count`` notes of another in its middle, in another key."""
    own, paste = wandering(seed, 60), source.notes[first : first + count].copy()
    start = int(own.notes["end"][-1])
    paste["end"] += start - paste["start"][0]
    paste["start"] += start - paste["start"][0]
    paste["pitch"] += shift
    after = wandering(seed + 1, 60).notes.copy()
    after["start"] += paste["end"][-1]
    after["end"] += paste["end"][-1]
    return replace(own, notes=np.concatenate([own.notes, paste, after]))


@pytest.mark.parametrize(("count", "shift"), [(20, 0), (20, 5), (37, -7), (64, 12)])
def test_a_copied_run_is_found_in_any_key(count: int, shift: int) -> None:
    training = [wandering(seed, 200) for seed in range(30)]
    run = NoteMatchIndex(training).longest(pasted(training[17], 50, count, shift, 500))
    assert count <= run.notes <= count + 2  # a neighbour may fit by chance
    assert run.source == 17
    assert 58 <= run.start <= 60


def test_rhythm_must_match_unless_disabled() -> None:
    source = wandering(0, 100)
    slower = replace(source, notes=_halved(source.rescaled(12).rescaled(24).notes))
    assert NoteMatchIndex([source]).longest(slower).notes < 20
    assert NoteMatchIndex([source], rhythm=False).longest(slower).notes == 100


def test_runs_do_not_cross_tunes_or_parts() -> None:
    line = [60, 67, 61, 72, 58, 71, 59, 74]
    index = NoteMatchIndex([melody(line[:4]), melody(line[4:])])
    assert index.longest(melody(line)).notes == 4
    assert index.longest(melody([60])).notes == 0
    assert NoteMatchIndex([]).longest(melody(line)).notes == 0


def test_runs_agree_with_brute_force() -> None:
    random = np.random.default_rng(3)
    lines = [random.integers(0, 3, 60).tolist() for _ in range(12)]
    tunes = [melody([60 + step for step in line]) for line in lines]
    index = NoteMatchIndex(tunes[:8])
    steps = [tuple(np.diff(line)) for line in lines]
    known = {one[i : i + n] for one in steps[:8] for n in range(1, 60) for i in range(60 - n)}
    for tune_, own in zip(tunes[8:], steps[8:], strict=True):
        longest = max(n for n in range(1, 60) for i in range(60 - n) if own[i : i + n] in known)
        assert index.longest(tune_).notes == longest + 1


def test_a_large_index_is_searched_quickly() -> None:
    training = [wandering(seed, 3000) for seed in range(8)]
    index = NoteMatchIndex(training)
    assert index.lengths([wandering(900 + seed) for seed in range(20)]).max() < 30
