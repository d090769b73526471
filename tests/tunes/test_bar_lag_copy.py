"""Bar-lag copying: earlier bars suggest exactly what a repetition has, and nothing before the first bar."""

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
from audiogen.tunes.tokens.grammar import Vocabulary
from audiogen.tunes.tune import Tune, tidy
from tests.tune_fixtures import melody, tune, wandering

SCHEME = TOKENIZERS["events"](TOKENIZERS["events"].Options())
VOCABULARY = Vocabulary(SCHEME.vocabulary)
BAR = 96  # ticks


def twice(given: Tune, bars: int) -> Tune:
    """The first bars twice, at constant velocity, since velocity tokens are written only where it changes."""
    first = given.between(0, bars * BAR)
    second = replace(first, notes=first.notes.copy())
    second.notes["start"] += bars * BAR
    second.notes["end"] += bars * BAR
    notes = np.concatenate([first.notes, second.notes])
    notes["velocity"] = 80
    return replace(given, notes=tidy(notes))


def suggestions(given: Tune, length: int = 1024) -> tuple[list[str], Tensor, Tensor]:
    """Names of the tokens, and the suggestions and levels after each of them."""
    tokens = torch.from_numpy(SCHEME.encode(given))[None]
    score, copies = ScoreTracker(VOCABULARY, 4), BarLagCopy(VOCABULARY, length, 8, 8)
    positions = score.read(tokens, score.start(1))[3]
    (found, levels), _ = copies.read(tokens, positions, copies.start(1))
    return [SCHEME.vocabulary[token] for token in tokens[0].tolist()], found[0], levels[0]


def chords() -> Tune:
    random = np.random.default_rng(0)
    rows = [(24 * at, 24 * at + 24, int(pitch)) for at in range(20) for pitch in random.permutation(40)[:3] + 40]
    return tune(rows)


@pytest.mark.parametrize(
    "given", [wandering(3, 80), wandering(4, 80, parts=3), chords()], ids=["a line", "three voices", "chords"]
)
def test_a_repetition_is_suggested(given: Tune):
    names, found, levels = suggestions(twice(given, 4))
    lag, begun = LAGS.index(4), [index for index, name in enumerate(names) if name == "bar"][4]
    assert (levels[:begun, lag] == 0).all()  # before the first bar
    ahead = range(begun, len(names) - 2)
    assert len(ahead) > 30
    assert [SCHEME.vocabulary[token] for token in found[begun:-2, lag].tolist()] == [names[at + 1] for at in ahead]
    assert levels[begun, lag] == 1  # the first suggestion is not yet trusted
    assert levels[-3, lag] > levels[begun + 8, lag] > BUCKETS
    assert int(levels.max()) < LEVELS


def test_the_part_is_suggested_before_its_pitch_if_it_is_not_current():
    """Two bars earlier the first part was current at its onset; now the second one is."""
    rows = [(0, 48, 72, 80, 0), (48, 96, 74, 80, 0), (2 * BAR - 48, 2 * BAR, 50, 80, 1), (2 * BAR, 2 * BAR + 48, 72)]
    names, found, _ = suggestions(tune([(0, 96, 40, 80, 1), *rows], 2))
    bar = [index for index, name in enumerate(names) if name == "bar"][2]
    suggested = [SCHEME.vocabulary[token] for token in found[bar : bar + 2, LAGS.index(2)].tolist()]
    assert names[bar + 1] == "part 0"
    assert suggested == ["part 0", "pitch 72"]


def test_a_wrong_suggestion_lowers_the_level():
    pitches = [60, 62, 64, 65] * 4
    right, wrong = (suggestions(melody(line))[2][:, 0] for line in (pitches, [*pitches[:9], 70, *pitches[10:]]))
    at = int((right != wrong).nonzero()[0])
    assert right[at] > BUCKETS >= wrong[at] > 0


def test_bars_beyond_the_length_are_forgotten_in_batches_and_in_steps():
    given = twice(wandering(3, 80), 4)
    names, found, levels = suggestions(given, length=24)
    bar = [index for index, name in enumerate(names) if name == "bar"][4]
    assert (levels[bar:, LAGS.index(4)] == 0).all()
    assert (levels[bar:, LAGS.index(1)] > 0).any()
    tokens, score = torch.from_numpy(SCHEME.encode(given))[None], ScoreTracker(VOCABULARY, 4)
    copies, positions = BarLagCopy(VOCABULARY, 24, 8, 8), score.read(tokens, score.start(1))[3]
    state = copies.start(1)
    for at in range(len(names)):
        (token, level), state = copies.read(tokens[:, at : at + 1], positions[:, at : at + 1], state)
        assert torch.equal(level[0, 0], levels[at])
        assert torch.equal(token[0, 0], found[at])


def test_phrases_are_counted_from_the_first_downbeat():
    """An upbeat of one quarter, then a note on each downbeat."""
    rows = [(72, 96, 60), *[(BAR * bar, BAR * bar + 96, 62) for bar in range(1, 12)]]
    tokens = torch.from_numpy(SCHEME.encode(tune(rows)))[None]
    features = ScoreTracker(VOCABULARY, 2).read(tokens, ScoreTracker(VOCABULARY, 2).start(1))[0]
    onsets = [index for index, token in enumerate(tokens[0].tolist()) if "duration" in SCHEME.vocabulary[token]]
    counted = features[0, onsets, -2:].tolist()
    assert counted[0] == [0, 0]
    assert counted[1:] == [[bar % 8 + 1, bar // 8 + 1] for bar in range(11)]
