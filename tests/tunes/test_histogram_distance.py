"""Histogram distance, and the choice of the take most like the prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audiogen.tunes import tune_continuation as module
from audiogen.tunes.metrics.histogram_distance import histogram_distance, histograms
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tune import Tune
from audiogen.tunes.tune_continuation import TuneContinuer
from tests.tune_fixtures import melody, rich, tune, wandering
from tests.tunes.test_tune_continuation import Anything, sampling

LINE = melody([60, 62, 64, 65, 67, 65, 64, 62])


def changed(**columns: object) -> Tune:
    notes = LINE.notes.copy()
    for name, change in columns.items():
        notes[name] = change(notes[name])  # type: ignore[operator]
    return replace(LINE, notes=notes)


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        (changed(pitch=lambda pitch: pitch + 6), {0, 1}),
        (changed(pitch=lambda pitch: pitch + 12), {1}),
        (changed(end=lambda end: end - 12), {2, 5}),
        (changed(start=lambda start: start + 6, end=lambda end: end + 6), {3}),
        (melody(sorted(LINE.notes["pitch"].tolist())), {4}),
        (tune([(start, end, pitch + low) for start, end, pitch, *_ in LINE.notes.tolist() for low in (0, -12)]), {5}),
    ],
    ids=["key", "register", "lengths", "places", "steps", "voices"],
)
def test_each_histogram_responds_to_its_own_change(other: Tune, differ: set[int]):
    pairs = zip(histograms(LINE), histograms(other), strict=True)
    apart = {index for index, (one, two) in enumerate(pairs) if np.abs(one - two).sum() > 0.2}
    assert differ <= apart
    assert 0 < histogram_distance(other, histograms(LINE)) < 7
    assert histogram_distance(LINE, histograms(LINE)) == 0


def test_simultaneous_intervals_are_measured_from_the_lowest_pitch():
    """A triad for three beats, then a fourth for one; the same in another key."""
    rows = [(0, 72, 48), (0, 72, 52), (0, 72, 55), (72, 96, 48), (72, 96, 53)]
    for key in (0, 5):
        *_, voices, above = histograms(tune(rows).transposed(key))
        assert voices[[2, 3]].tolist() == [0.25, 0.75]
        assert above[[4, 7, 5]] == pytest.approx([3 / 7, 3 / 7, 1 / 7])


def test_any_tune_can_be_compared():
    silent = replace(rich(), notes=rich().notes[:0])
    assert histogram_distance(silent, histograms(LINE)) == float("inf")
    assert 0 < histogram_distance(rich(), histograms(wandering(0, 3))) <= 7


@pytest.mark.parametrize("length", [{"bars": 2}, {"seconds": 8.0}], ids=["bars", "seconds"])
def test_the_take_most_like_the_prompt_is_kept(length: dict[str, float], monkeypatch: pytest.MonkeyPatch):
    scheme = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    compared: list[tuple[float, Tune]] = []

    def noted(tail: Tune, prompt: list[np.ndarray]) -> float:
        compared.append((histogram_distance(tail, prompt), tail))
        return compared[-1][0]

    monkeypatch.setattr(module, "histogram_distance", noted)
    continuer = TuneContinuer(Anything(scheme.size), scheme, wandering(2, 30, parts=2))
    kept = continuer.tail(sampling(), takes=5, **length)  # type: ignore[arg-type]
    assert len({value for value, _ in compared}) == len(compared) == 5
    assert np.array_equal(kept.notes, min(compared, key=lambda pair: pair[0])[1].notes)
    again = continuer.tail(sampling(), takes=5, **length)  # type: ignore[arg-type]
    assert np.array_equal(kept.notes, again.notes)
    alone = continuer.tail(sampling(), **length)  # type: ignore[arg-type]
    assert len(compared) == 10
    assert not np.array_equal(kept.notes, alone.notes)
