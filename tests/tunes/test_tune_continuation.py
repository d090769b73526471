"""Tails of tunes: they begin where the prompt ends, have the requested length, and keep the prompt's texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.audio import AudioWarning
from audiogen.models import Model, Sampling, State
from audiogen.models.heads.categorical import sample_tokens
from audiogen.tunes import tune_continuation as module
from audiogen.tunes.midi.editor import extend_midi
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.models.token_model import TokenModel, TokenModelOptions
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune, joined
from audiogen.tunes.tune_continuation import TuneContinuer
from tests.tune_fixtures import melody, overlaps, rich, tune, wandering


class Anything(Model):
    """Samples all allowed tokens with equal probability."""

    tokens = True

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def loss(self, frames: Tensor) -> dict[str, Tensor]:
        return {}

    def start(self, prompt: Tensor) -> State:
        assert prompt.shape[0] == 1
        return prompt[:, -1:]

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        token = sample_tokens(torch.zeros(len(state), self.size), sampling)
        return token, token[:, None]


@pytest.fixture(params=sorted(TOKENIZERS))
def scheme(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param](TOKENIZERS[request.param].Options())


def sampling(seed: int = 0) -> Sampling:
    return Sampling(generator=torch.Generator().manual_seed(seed))


def continuer(scheme: Tokenizer, prompt: Tune) -> TuneContinuer:
    return TuneContinuer(Anything(scheme.size), scheme, prompt)


PROMPTS = {"melody": melody([60, 62, 64, 65]), "voices": wandering(1, 40, parts=3), "everything": rich()}


@pytest.mark.parametrize("prompt", list(PROMPTS))
def test_a_tail_follows_the_prompt_and_has_the_requested_length(scheme: Tokenizer, prompt: str):
    given = PROMPTS[prompt]
    for seed in range(3):
        tail = continuer(scheme, given).tail(sampling(seed), seconds=6.0)
        assert len(tail.notes) > 0
        assert tail.ticks_per_quarter == given.ticks_per_quarter
        assert tail.notes["start"].min() >= given.end
        whole = joined(given, tail)
        assert overlaps(whole) == 0
        lasts = whole.seconds - float(whole.seconds_at(given.end))
        tick = whole.tempos[:, 1].max() / 1e6 / whole.ticks_per_quarter
        assert 0 < lasts <= 6.0 + tick


def test_bars_are_counted_from_the_bar_line_after_the_prompt(scheme: Tokenizer):
    # Four quarter notes per bar: the prompt ends within its second bar, which the tail completes first.
    given, lasts = melody([60, 62, 64, 65, 67]), []
    for seed in range(5):
        tail = continuer(scheme, given).tail(sampling(seed), bars=3)
        lines = joined(given, tail).bar_lines(10**6)
        assert tail.end <= lines[2 + 3]
        lasts.append(tail.notes["start"].max() >= lines[4])
    assert any(lasts)  # the last bar is sometimes empty
    on_a_line = melody([60, 62, 64, 65])
    ends = [continuer(scheme, on_a_line).tail(sampling(seed), bars=1).end for seed in range(5)]
    assert max(ends) <= 2 * 96
    assert max(ends) > 96


def test_the_file_begins_with_the_prompts_events(scheme: Tokenizer, tmp_path: Path):
    given = wandering(3, 60, parts=2)
    write_midi(tmp_path / "prompt.mid", given)
    prompt = read_midi(tmp_path / "prompt.mid")
    tail = continuer(scheme, prompt).tail(sampling(), bars=4)
    extend_midi(tmp_path / "prompt.mid", tail, tmp_path / "out.mid")
    found = read_midi(tmp_path / "out.mid")
    begun = found.notes[found.notes["start"] < prompt.end]
    assert np.array_equal(begun, prompt.notes)
    assert len(found.notes) == len(prompt.notes) + len(tail.notes)
    assert overlaps(found) == 0


def test_the_same_seed_gives_the_same_tail(scheme: Tokenizer):
    torch.manual_seed(0)
    model = TokenModel(scheme.size, TokenModelOptions(embedding=4)).eval()
    one = TuneContinuer(model, scheme, wandering(1, 30))
    first, again, other = (one.tail(sampling(seed), seconds=3.0) for seed in (1, 1, 2))
    assert np.array_equal(first.notes, again.notes)
    assert not np.array_equal(first.notes, other.notes)


@pytest.mark.parametrize("below", [0, 4], ids=["a line", "chords"])
def test_monophonic_parts_stay_monophonic(below: int):
    """Whatever a Model samples, notes of a part without overlaps do not overlap."""
    scheme = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    rows = [(24 * index, 24 * index + 24, pitch) for index in range(8) for pitch in {72, 72 - below}]
    notes = np.sort(continuer(scheme, tune(rows)).tail(sampling(), bars=12).notes, order="start")
    assert len(notes) > 4
    assert bool((notes["start"][1:] >= notes["end"][:-1]).all()) == (below == 0)


@pytest.mark.parametrize("rest", [0, 12], ids=["unbroken", "with a rest"])
def test_music_without_rests_continues_without(rest: int):
    """Whatever a Model samples; the first note may begin with the next bar."""
    scheme = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    rows = [(24 * index, 24 * index + 24 - rest * (index == 3), 60 + index, 80, index % 2) for index in range(6)]
    notes = continuer(scheme, tune([*rows, (144, 168, 50, 80, 0)], 2)).tail(sampling(), bars=12).notes
    notes = np.sort(notes, order="start")
    assert len(notes) > 8
    broken = notes["start"][1:] > np.maximum.accumulate(notes["end"])[:-1]
    assert bool(broken.any()) == (rest > 0)


@pytest.mark.parametrize("kind", ["tempos", "meters"])
def test_a_constant_tempo_or_meter_stays(kind: str):
    scheme = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    rows = [(24 * index, 24 * index + 24, 60) for index in range(12)]
    changes = {"tempos": [[0, 500_000], [96, 400_000]], "meters": [[0, 4, 4], [96, 3, 4]]}[kind]
    for clock, may_change in ({kind: changes[:1]}, False), ({kind: changes}, True):
        tail = continuer(scheme, tune(rows, **clock)).tail(sampling(), bars=6)
        later = getattr(tail, kind)[:, 0] > 288
        assert bool(later.any()) == may_change


def test_a_long_prompt_is_truncated_at_a_bar_line(scheme: Tokenizer, monkeypatch: pytest.MonkeyPatch):
    given = wandering(2, 120)
    whole = continuer(scheme, given)
    assert whole.offset == 0
    monkeypatch.setattr(module, "MAX_NOTES", 20)
    late = continuer(scheme, given)
    assert late.offset in given.bar_lines()
    assert 10 <= len(late.context.notes) <= 20
    assert len(late.tokens) < len(whole.tokens) / 2
    tail = late.tail(sampling(), bars=2)
    assert tail.notes["start"].min() >= given.end
    assert tail.end <= given.bar_lines(10**6)[len(given.bar_lines()) + 2]


def test_the_final_tempo_decides_how_many_notes_fit(scheme: Tokenizer):
    rows = [(24 * index, 24 * index + 24, 60) for index in range(8)]
    slow = tune(rows, tempos=[[0, 250_000], [96, 1_000_000]])
    tail = continuer(scheme, slow).tail(sampling(), seconds=8.0)
    whole = joined(slow, tail)
    assert whole.seconds - float(whole.seconds_at(slow.end)) <= 8 + 1 / 24
    if scheme.kind == "notes":  # other schemes have tempo tokens, which may change it
        assert 4 * 24 < tail.end - slow.end <= 8 * 24 + 1


@pytest.mark.parametrize("tempo", [1, 2**24 - 1])
def test_tails_at_absurd_tempos_end(scheme: Tokenizer, tempo: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_TOKENS", 300)
    given = melody([60, 62], tempos=[[0, tempo]])
    if tempo == 1:
        with pytest.warns(AudioWarning, match="stops after 300 tokens"):
            tail = continuer(scheme, given).tail(sampling(), seconds=30.0)
    else:
        tail = continuer(scheme, given).tail(sampling(), seconds=30.0)
    assert overlaps(joined(given, tail)) == 0
