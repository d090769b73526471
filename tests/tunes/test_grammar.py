"""Grammar of event tokens: the vocabulary of saved Runs, parsing, and the order of events."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.grammar import Event, Vocabulary, event_names, parse, split_duration, timed_events
from tests.tune_fixtures import tune

DIGESTS = {
    "events": "08a1577d9c08366802155f90d4ba88589f4e63337d0aeef16db658626c49c1ec",
    "notes": "2889b0bfbe67635ff10304a3a08c5d229feea20d6b28b7dbe34336b132138604",
}


@pytest.mark.parametrize("kind", sorted(TOKENIZERS))
def test_the_vocabulary_of_saved_runs_does_not_change(kind: str) -> None:
    names = TOKENIZERS[kind](TOKENIZERS[kind].Options()).vocabulary
    assert hashlib.sha256("\n".join(names).encode()).hexdigest() == DIGESTS[kind]


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("bar", Event("bar")),
        ("pitch 60", Event("pitch", 60)),
        ("meter 6/8", Event("meter", (6, 8))),
        ("program drums", Event("program", "drums")),
        ("pedal off", Event("pedal", "off")),
        ("", Event("")),
    ],
)
def test_names_are_parsed(name: str, event: Event) -> None:
    assert parse(name) == event


def test_tokens_are_found_by_event_and_kind() -> None:
    names = event_names(page=192, velocities=127, parts=16)
    vocabulary = Vocabulary(names)
    assert len(vocabulary) == len(names)
    assert vocabulary.page == 192
    for token, (kind, value) in enumerate(vocabulary.events):
        assert vocabulary.token(kind, value) == token
        assert token in vocabulary.tokens(kind)
    assert vocabulary.values("pedal") == ["on", "off"]
    assert vocabulary.tokens("unknown").size == 0
    with pytest.raises(KeyError):
        vocabulary.token("pitch", 128)
    assert vocabulary.is_kind(np.array([0, vocabulary.token("pitch", 60)]), "pitch").tolist() == [False, True]


@pytest.mark.parametrize(("steps", "expected"), [(1, (0, 1)), (8, (0, 8)), (9, (1, 1)), (24, (2, 8))])
def test_durations_are_split_into_ties(steps: int, expected: tuple[int, int]) -> None:
    ties, rest = split_duration(steps, page=8)
    assert (ties, rest) == expected
    assert ties * 8 + rest == steps


def test_events_of_one_tick_are_ordered() -> None:
    """Meter and tempo, then for each part its pedal and its notes from the highest to the lowest."""
    rows = [(24, 48, 60, 80, 1), (24, 48, 72, 80, 0), (24, 48, 64, 80, 0)]
    one = tune(
        rows,
        2,
        meters=[[0, 4, 4], [24, 3, 4]],
        tempos=[[0, 500_000], [24, 600_000]],
        pedals=[[0, 24, 0], [24, 48, 1]],
    )
    events = [event for event in timed_events(one) if event.tick == 24]
    assert [(event.kind, event.part) for event in events] == [
        ("meter", -1),
        ("tempo", -1),
        ("pedal", 0),
        ("note", 0),
        ("note", 0),
        ("pedal", 1),
        ("note", 1),
    ]
    assert [event.value[0] for event in events if event.kind == "note"] == [72, 64, 60]
    assert events[1].value == 100
