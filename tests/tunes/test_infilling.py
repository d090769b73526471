"""Infilling: given notes are kept, free spans are sampled, and they lead to what follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from audiogen.config.choice import Choice
from audiogen.models import Sampling
from audiogen.tunes.infilling import Infiller
from audiogen.tunes.models.token_model import TokenModel, TokenModelOptions
from audiogen.tunes.tokens.events_tokenizer import EventsOptions, EventsTokenizer
from audiogen.tunes.tune import Part, Tune
from audiogen.tunes.tune_continuation import markov_chain
from tests.models.test_backbones import SMALL
from tests.tune_fixtures import TICKS, melody, overlaps, rich, tune, wandering

SCHEME = EventsTokenizer(EventsOptions())
BAR = 4 * TICKS
NOTES = ["start", "end", "pitch", "velocity", "part"]


def sampling(seed: int = 0) -> Sampling:
    return Sampling(generator=torch.Generator().manual_seed(seed))


def without(whole: Tune, first: int, stop: int) -> Tune:
    return replace(whole, notes=whole.notes[(whole.notes["start"] < first) | (whole.notes["start"] >= stop)])


def rows(notes: np.ndarray) -> set[tuple[int, ...]]:
    return set(notes[NOTES].tolist())


def test_a_bar_of_a_pattern_is_restored():
    whole = melody([60, 62, 64, 65, 67, 65, 64, 62] * 3)
    given = without(whole, 3 * BAR, 4 * BAR)
    chain = markov_chain([whole] * 6, SCHEME, 6, keys=(0,))
    filled = Infiller(chain, SCHEME, given, [(3 * BAR, 4 * BAR)], 5 * BAR).fill(sampling(), 8)
    assert rows(filled.notes) == rows(whole.between(0, 5 * BAR).notes)


def test_a_bar_leads_to_what_follows():
    """Two bars are equally likely after the first; only one of them leads to the given third bar."""
    first, one, other = [60, 62, 64, 65], [67, 69, 67, 65], [59, 57, 55, 57]
    third, fourth = [72, 74, 76, 77], [48, 50, 52, 53]
    learned = [melody(first + one + third), melody(first + other + fourth)]
    chain = markov_chain(learned * 6, SCHEME, 6, keys=(0,))
    for wanted, follows in ((one, third), (other, fourth)):
        given = without(melody(first + wanted + follows), BAR, 2 * BAR)
        infiller = Infiller(chain, SCHEME, given, [(BAR, 2 * BAR)], 3 * BAR)
        assert infiller.fill(sampling(), 12).between(BAR, 2 * BAR).notes["pitch"].tolist() == wanted
        alone = {int(infiller.fill(sampling(seed), 1).between(BAR, 2 * BAR).notes["pitch"][0]) for seed in range(6)}
        assert {67, 59} <= alone  # a single candidate cannot know


def test_a_voice_accompanies_a_melody():
    """Trained on two voices in thirds; the lower one is sampled for the upper."""

    def pair(seed: int) -> Tune:
        line = wandering(seed, 16)
        lower = line.notes.copy()
        lower["pitch"] -= 4
        lower["part"] = 1
        notes = np.concatenate([line.notes, lower])
        notes["velocity"] = 80
        return tune([tuple(note) for note in notes.tolist()], 2)

    whole = pair(0)
    chain = markov_chain([whole, pair(1)] * 6, SCHEME, 5, keys=(0,))
    given = replace(whole, notes=whole.notes[whole.notes["part"] == 0])
    played = Infiller(chain, SCHEME, given, [(0, 0), (0, given.end)], given.end).fill(sampling(), 4)
    assert rows(played.notes[played.notes["part"] == 0]) == rows(given.notes)
    lower = rows(played.notes[played.notes["part"] == 1])
    assert len(lower & rows(whole.notes)) > 0.7 * len(given.notes)


@pytest.mark.parametrize(("backbone", "given_part"), [("lstm", 0), ("transformer", 1), ("conv", 2)])
def test_given_notes_are_kept_by_every_model(backbone: str, given_part: int):
    torch.manual_seed(3)  # untrained, some sample no note in so few tokens
    options = TokenModelOptions(Choice(backbone, SMALL[backbone][0]), embedding=8, voices=2, match_length=32)
    model = TokenModel(SCHEME.size, options, SCHEME.vocabulary).eval()
    whole = rich() if given_part == 1 else wandering(given_part, 6, parts=3)
    whole = replace(whole, pedals=whole.pedals[whole.pedals[:, 2] == given_part])
    given = replace(whole, notes=whole.notes[whole.notes["part"] == given_part])
    stop = min(given.end, 200)
    spans = [(0, 0) if part == given_part else (0, stop) for part in range(3)]
    infiller = Infiller(model, SCHEME, given, spans, stop)
    played = infiller.fill(sampling(), 3)
    kept = played.notes[played.notes["part"] == given_part]
    assert rows(kept) == rows(infiller.constraint.grid.notes[infiller.constraint.grid.notes["start"] < stop])
    free = played.notes[played.notes["part"] != given_part]
    assert len(free) > 3
    assert free["end"].max() <= stop
    assert overlaps(played) == 0
    before = infiller.constraint.grid.tempos[infiller.constraint.grid.tempos[:, 0] < stop]
    assert np.array_equal(played.tempos, before)
    assert [part.program for part in played.parts] == [part.program for part in whole.parts]


def test_the_same_seed_gives_the_same_notes():
    given = without(melody([60, 62, 64, 65, 67, 69] * 6), 3 * BAR, 5 * BAR)
    chain = markov_chain([given], SCHEME, 2, keys=(0,))
    fills = [
        rows(Infiller(chain, SCHEME, given, [(3 * BAR, 5 * BAR)], 6 * BAR).fill(sampling(seed), 4).notes)
        for seed in (0, 0, 1, 2, 3, 4)
    ]
    assert fills[0] == fills[1]
    assert any(fill != fills[0] for fill in fills)


@pytest.mark.parametrize("seed", range(4))
def test_music_without_rests_is_infilled_without(seed: int):
    given = without(melody([60, 62, 64, 65, 67, 69] * 6), 3 * BAR, 5 * BAR)
    chain = markov_chain([given], SCHEME, 2, keys=(0,))
    filled = Infiller(chain, SCHEME, given, [(3 * BAR, 5 * BAR)], 6 * BAR).fill(sampling(seed), 4)
    notes = filled.between(0, 6 * BAR).notes
    assert (notes["start"][1:] <= np.maximum.accumulate(notes["end"])[:-1]).all()


def test_pedals_and_meters_inside_a_gap_are_kept():
    whole = tune(
        [(0, BAR, 60), (BAR, 2 * BAR, 62), (2 * BAR, 3 * BAR, 64)],
        (Part(),),
        meters=[[0, 4, 4], [BAR, 2, 4], [2 * BAR, 4, 4]],
        pedals=[[BAR + 12, BAR + 36, 0]],
    )
    chain = markov_chain([whole], SCHEME, 4, keys=(0,))
    filled = Infiller(chain, SCHEME, without(whole, BAR, 2 * BAR), [(BAR, 2 * BAR)], 3 * BAR).fill(sampling(), 4)
    assert np.array_equal(filled.meters, whole.meters)
    assert [BAR + 12, BAR + 36, 0] in filled.pedals.tolist()
