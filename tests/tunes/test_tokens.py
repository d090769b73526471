"""Token schemes: exact round trips, a grammar that allows every encoding, and decoders that accept any sequence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.events_tokenizer import EventsTokenizer
from audiogen.tunes.tokens.notes_tokenizer import NotesTokenizer
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Part
from tests.tune_fixtures import melody, overlaps, rich, same, tune, wandering

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "midi"
EVENTS, NOTES = EventsTokenizer(EventsTokenizer.Options()), NotesTokenizer(NotesTokenizer.Options(resolution=24))


@pytest.fixture(params=sorted(TOKENIZERS))
def scheme(request) -> Tokenizer:
    return TOKENIZERS[request.param](TOKENIZERS[request.param].Options())


@pytest.mark.parametrize("one", [rich(), wandering(1, parts=3), melody([60])], ids=["rich", "voices", "note"])
def test_events_round_trip(one) -> None:
    assert same(EVENTS.quantised(one), one)
    assert same(EVENTS.decode(EVENTS.encode(one)), one)


def test_notes_round_trip_of_a_melody() -> None:
    one = tune([(0, 24, 60), (24, 30, 60), (48, 96, 72), (96, 108, 71)], tempos=[[0, 400_000]])
    assert same(NOTES.decode(NOTES.encode(one), one), replace(one, notes=one.notes))


def test_notes_keep_the_top_line() -> None:
    one = tune([(0, 48, 60), (0, 24, 67), (24, 72, 64), (36, 48, 62), (60, 84, 70)])
    found = NOTES.quantised(one).notes
    assert found["pitch"].tolist() == [67, 64, 70]
    assert found["end"].tolist() == [24, 60, 84]


@pytest.mark.parametrize("resolution", [8, 24, 48, 96])
def test_quantised_is_what_events_decode_to(resolution: int) -> None:
    random = np.random.default_rng(resolution)
    rows = [
        (s, s + 1 + int(d), int(p), int(v), int(k))
        for s, d, p, v, k in random.integers((0, 0, 0, 1, 0), (9000, 3000, 128, 128, 5), (150, 5))
    ]
    performance = tune(
        rows,
        5,
        ticks=384,
        tempos=[[0, 512_345], [777, 123_456_789], [1001, 3]],
        meters=[[0, 7, 64], [500, 5, 8], [501, 30, 4]],
    )
    scheme = EventsTokenizer(EventsTokenizer.Options(resolution=resolution, velocities=32, parts=3))
    claimed = scheme.quantised(performance)
    tokens = scheme.encode(performance)
    decoded = scheme.decode(tokens)
    assert same(decoded, claimed)
    assert np.array_equal(scheme.encode(decoded), tokens)
    assert np.abs(claimed.notes["velocity"].astype(int)[:, None] - performance.notes["velocity"]).min(axis=1).max() <= 2


def test_further_parts_are_merged_by_program() -> None:
    parts = tuple(Part(program) for program in (0, 40, 0, 40, 7))
    one = tune([(24 * k, 24 * k + 24, 60, 80, k) for k in range(5)], parts)
    scheme = EventsTokenizer(EventsTokenizer.Options(parts=3))
    with pytest.warns(AudioWarning, match="5 parts are more than 3"):
        found = scheme.quantised(one)
    assert found.notes["part"].tolist() == [0, 1, 2, 1, 2]


def test_state_is_written_only_where_it_changes() -> None:
    names = [EVENTS.vocabulary[token] for token in EVENTS.encode(melody([60, 62, 64, 65, 67]))]
    assert names[:11] == [
        "start",
        "part 0",
        "program 0",
        "bar",
        "meter 4/4",
        "tempo 120",
        "velocity 80",
        "pitch 60",
        "duration 24",
        "position 24",
        "pitch 62",
    ]
    assert names[-4:] == ["bar", "pitch 67", "duration 24", "end"]


@pytest.mark.parametrize("one", [rich(), wandering(2, parts=4), melody([60] * 9)], ids=["rich", "voices", "melody"])
def test_the_grammar_allows_every_encoding(scheme: Tokenizer, one) -> None:
    for ended in (True, False):
        decoder = scheme.decoder(one)
        for index, token in enumerate(scheme.encode(one, ended)):
            assert index == 0 or decoder.allowed()[token], (index, scheme.vocabulary[token])
            decoder.push(int(token))


def test_any_sequence_can_be_decoded(scheme: Tokenizer) -> None:
    random = np.random.default_rng(0)
    for _ in range(40):
        tokens = random.integers(0, scheme.size, 400)
        decoder = scheme.decoder()
        ticks, seconds, bars = [], [], []
        for token in tokens[tokens != 1]:
            decoder.push(int(token))
            ticks.append(decoder.tick)
            seconds.append(decoder.seconds)
            bars.append(decoder.bar)
        for course in (ticks, seconds, bars):
            assert (np.diff(course) >= 0).all()
        one = decoder.tune()
        assert overlaps(one) == 0
        assert one.notes["start"].max(initial=0) <= decoder.tick
        assert scheme.quantised(one) is not None
        assert one.seconds >= 0


def test_samples_within_the_grammar_round_trip() -> None:
    random = np.random.default_rng(1)
    for _ in range(10):
        decoder, tokens = EVENTS.decoder(), [0]
        while len(tokens) < 600:
            tokens.append(int(random.choice(np.flatnonzero(decoder.allowed()))))
            decoder.push(tokens[-1])
            if tokens[-1] == 1:
                break
        one = decoder.tune()
        assert same(EVENTS.decode(EVENTS.encode(one)), EVENTS.quantised(one))


def test_time_advances_after_a_bounded_number_of_tokens() -> None:
    random = np.random.default_rng(2)
    decoder = EVENTS.decoder(melody([60]))
    for token in EVENTS.encode(melody([60]), ended=False):
        decoder.push(int(token))
    moves = EVENTS.vocabulary
    still = 0
    for _ in range(4000):
        allowed = decoder.allowed()
        stay = [t for t in np.flatnonzero(allowed) if moves[t].split()[0] not in ("bar", "position", "later", "end")]
        token = int(random.choice(stay)) if stay else int(random.choice(np.flatnonzero(allowed)))
        before = decoder.tick
        decoder.push(token)
        still = 0 if decoder.tick > before or decoder.ended else still + 1
        assert still < 128 * (63 + 4)
        if decoder.ended:
            break


def test_tokens_after_the_end_are_ignored(scheme: Tokenizer) -> None:
    one = melody([60, 62])
    tokens = scheme.encode(one)
    assert np.array_equal(scheme.decode([*tokens, *tokens]).notes, scheme.decode(tokens).notes)


def test_an_open_encoding_stops_at_the_join(scheme: Tokenizer) -> None:
    for one in (rich(), wandering(3), tune([(0, 17, 60)], ticks=480)):
        decoder = scheme.decoder(one)
        for token in scheme.encode(one, ended=False):
            decoder.push(int(token))
        assert decoder.tick == scheme.join(one)
        assert not decoder.ended
        assert scheme.join(one) * one.ticks_per_quarter >= one.end * scheme.resolution


def test_a_tail_begins_after_the_prompt_at_its_resolution(scheme: Tokenizer) -> None:
    random = np.random.default_rng(5)
    prompt = tune([(0, 1000, 60, 80, 0), (500, 1237, 72, 80, 0)], ticks=480, tempos=[[0, 512_345]], meters=[[0, 3, 4]])
    decoder = scheme.decoder(prompt)
    for token in scheme.encode(prompt, ended=False):
        decoder.push(int(token))
    first = decoder.bar
    while decoder.bar < first + 20:
        allowed = decoder.allowed()
        allowed[1] = False
        decoder.push(int(random.choice(np.flatnonzero(allowed))))
    tail = scheme.tail(decoder.tune(), prompt)
    assert len(tail.notes) > 10
    assert tail.notes["start"].min() >= prompt.end
    assert tail.ticks_per_quarter == 480
    assert tail.parts[: len(prompt.parts)] == prompt.parts
    assert tail.tempos[0].tolist() == [0, 512_345]
    assert (tail.tempos[1:, 0] >= prompt.end).all()
    assert overlaps(tail) == 0


def test_notes_take_program_and_tempo_from_the_prompt() -> None:
    prompt = tune([(0, 24, 36, 127, 0), (0, 24, 60, 33, 1)], (Part(drums=True), Part(73)), tempos=[[0, 300_000]])
    one = NOTES.decode([0, 4 + 60, 3, 3], prompt)
    assert one.notes[["pitch", "velocity", "part"]].tolist() == [(60, 33, 1)]
    assert one.parts == prompt.parts
    assert one.tempos.tolist() == [[0, 300_000]]


def test_bars_are_counted(scheme: Tokenizer) -> None:
    one = melody([60] * 9, meters=[[0, 2, 4], [96, 3, 4]])  # bars at 0, 48, 96, 168
    decoder = scheme.decoder(one)
    for token in scheme.encode(one):
        decoder.push(int(token))
    assert decoder.bar == 3
    assert decoder.seconds == pytest.approx(4.5 if isinstance(scheme, NotesTokenizer) else 4.0)  # up to the last onset


def test_tokens_have_names_of_their_own(scheme: Tokenizer) -> None:
    assert len(set(scheme.vocabulary)) == scheme.size
    assert scheme.vocabulary[:2] == ("start", "end")


@pytest.mark.parametrize("options", [{"resolution": 12}, {"velocities": 0}, {"parts": 65}])
def test_invalid_options_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        EventsTokenizer.Options(**options)


def test_the_representation_is_its_scheme() -> None:
    midi = Midi(Midi.Options())
    assert midi.features == EVENTS.size
    assert Midi.from_tensors(Midi.Options(), midi.tensors()).tokenizer.kind == "events"


def test_the_shared_tunes_round_trip_on_the_grid(scheme: Tokenizer) -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared MIDI tunes are not beside this checkout")
    paths = sorted(SHARED.glob("*.mid"))[::33]
    assert len(paths) > 5
    for path in paths:
        one = read_midi(path)
        tokens = scheme.encode(one)
        decoded = scheme.decode(tokens, one)
        assert same(decoded, scheme.quantised(one))
        assert np.array_equal(scheme.encode(decoded), tokens)
        if isinstance(scheme, EventsTokenizer):
            assert len(decoded.notes) == len(one.notes)
