"""What earlier bars suggest: in a tune that repeats itself exactly that, and nothing where there is no such bar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.tunes.models.bar_lag_copy import LAGS, LEVELS, BarLagCopy
from audiogen.tunes.models.score_tracker import ScoreTracker
from audiogen.tunes.models.suffix_match import BUCKETS
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tune import Tune, tidy
from tests.tune_fixtures import melody, tune, wandering

SCHEME = TOKENIZERS["events"](TOKENIZERS["events"].Options())
BAR = 96  # ticks


def twice(given: Tune, bars: int) -> Tune:
    """The first bars, and then the same again; all equally loud, for loudness is said only where it changes."""
    first = given.between(0, bars * BAR)
    second = replace(first, notes=first.notes.copy())
    second.notes["start"] += bars * BAR
    second.notes["end"] += bars * BAR
    notes = np.concatenate([first.notes, second.notes])
    notes["velocity"] = 80
    return replace(given, notes=tidy(notes))


def told(given: Tune, length: int = 1024) -> tuple[list[str], Tensor, Tensor]:
    """Names of the tokens, and what is suggested after each of them."""
    tokens = torch.from_numpy(SCHEME.encode(given))[None]
    score, repeats = ScoreTracker(SCHEME.vocabulary, 4), BarLagCopy(SCHEME.vocabulary, length, 8, 8)
    places = score.read(tokens, score.start(1))[3]
    (found, levels), _ = repeats.read(tokens, places, repeats.start(1))
    return [SCHEME.vocabulary[token] for token in tokens[0].tolist()], found[0], levels[0]


def chords() -> Tune:
    random = np.random.default_rng(0)
    rows = [(24 * at, 24 * at + 24, int(pitch)) for at in range(20) for pitch in random.permutation(40)[:3] + 40]
    return tune(rows)


@pytest.mark.parametrize(
    "given", [wandering(3, 80), wandering(4, 80, parts=3), chords()], ids=["a line", "three voices", "chords"]
)
def test_a_tune_that_comes_again_is_suggested(given: Tune):
    names, found, levels = told(twice(given, 4))
    lag, begun = LAGS.index(4), [index for index, name in enumerate(names) if name == "bar"][4]
    assert (levels[:begun, lag] == 0).all()  # so many bars ago there was nothing
    ahead = range(begun, len(names) - 2)
    assert len(ahead) > 30
    assert [SCHEME.vocabulary[token] for token in found[begun:-2, lag].tolist()] == [names[at + 1] for at in ahead]
    assert levels[begun, lag] == 1  # the first one is not yet trusted
    assert levels[-3, lag] > levels[begun + 8, lag] > BUCKETS
    assert int(levels.max()) < LEVELS


def test_who_speaks_decides_whether_a_part_or_its_pitch_is_suggested():
    """Two bars ago the first part still spoke when it struck; now the second one has spoken last."""
    rows = [(0, 48, 72, 80, 0), (48, 96, 74, 80, 0), (2 * BAR - 48, 2 * BAR, 50, 80, 1), (2 * BAR, 2 * BAR + 48, 72)]
    names, found, _ = told(tune([(0, 96, 40, 80, 1), *rows], 2))
    bar = [index for index, name in enumerate(names) if name == "bar"][2]
    suggested = [SCHEME.vocabulary[token] for token in found[bar : bar + 2, LAGS.index(2)].tolist()]
    assert names[bar + 1] == "part 0"
    assert suggested == ["part 0", "pitch 72"]


def test_a_wrong_suggestion_costs_trust():
    pitches = [60, 62, 64, 65] * 4
    right, wrong = (told(melody(line))[2][:, 0] for line in (pitches, [*pitches[:9], 70, *pitches[10:]]))
    at = int((right != wrong).nonzero()[0])
    assert right[at] > BUCKETS >= wrong[at] > 0


def test_bars_too_far_back_are_forgotten_and_steps_forget_the_same():
    given = twice(wandering(3, 80), 4)
    names, found, levels = told(given, length=24)
    bar = [index for index, name in enumerate(names) if name == "bar"][4]
    assert (levels[bar:, LAGS.index(4)] == 0).all()
    assert (levels[bar:, LAGS.index(1)] > 0).any()
    tokens, score = torch.from_numpy(SCHEME.encode(given))[None], ScoreTracker(SCHEME.vocabulary, 4)
    repeats, places = BarLagCopy(SCHEME.vocabulary, 24, 8, 8), score.read(tokens, score.start(1))[3]
    state = repeats.start(1)
    for at in range(len(names)):
        (token, level), state = repeats.read(tokens[:, at : at + 1], places[:, at : at + 1], state)
        assert torch.equal(level[0, 0], levels[at])
        assert torch.equal(token[0, 0], found[at])


def test_phrases_are_counted_from_the_first_full_bar():
    """An upbeat of one quarter, then a note on each bar's one."""
    rows = [(72, 96, 60), *[(BAR * bar, BAR * bar + 96, 62) for bar in range(1, 12)]]
    tokens = torch.from_numpy(SCHEME.encode(tune(rows)))[None]
    facts = ScoreTracker(SCHEME.vocabulary, 2).read(tokens, ScoreTracker(SCHEME.vocabulary, 2).start(1))[0]
    struck = [index for index, token in enumerate(tokens[0].tolist()) if "duration" in SCHEME.vocabulary[token]]
    counted = facts[0, struck, -2:].tolist()
    assert counted[0] == [0, 0]
    assert counted[1:] == [[bar % 8 + 1, bar // 8 + 1] for bar in range(11)]
