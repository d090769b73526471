"""What a token Model is told beside the tokens: the score agrees with the decoder, the recall with a plain search."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.config.choice import Choice
from audiogen.errors import InputError
from audiogen.models import Sampling
from audiogen.models.backbones import BACKBONES
from audiogen.tunes.models import token_model as module
from audiogen.tunes.models.pitch_class_profile import MEMORIES, PitchClassProfile
from audiogen.tunes.models.score_tracker import LONGEST, OWN, WIDEST, ScoreTracker
from audiogen.tunes.models.suffix_match import BUCKETS, SuffixMatcher
from audiogen.tunes.models.token_model import TokenModel, TokenModelOptions
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune
from tests.models.test_backbones import SMALL
from tests.tune_fixtures import rich, wandering


def events() -> Tokenizer:
    return TOKENIZERS["events"](TOKENIZERS["events"].Options())


def hinted(backbone: str = "lstm", recall: int = 64) -> TokenModel:
    torch.manual_seed(0)
    options = TokenModelOptions(Choice(backbone, SMALL[backbone][0]), embedding=8, voices=2, recall=recall)
    return TokenModel(events().size, options, events().vocabulary).eval()


@pytest.mark.parametrize("tune", [wandering(0, 60, parts=3), rich()], ids=["three voices", "rich"])
def test_the_score_is_what_the_decoder_reads(tune: Tune):
    scheme, voices = events(), 3
    tokens = scheme.encode(tune)
    score, decoder = ScoreTracker(scheme.vocabulary, voices), scheme.decoder()
    facts, anchors, _, places, _ = score.read(torch.from_numpy(tokens)[None], score.start(1))
    compared = 0
    read = zip(tokens.tolist(), facts[0].tolist(), anchors[0].tolist(), places[0].tolist(), strict=True)
    for token, told, measured, place in read:
        decoder.push(token)
        if decoder.bar < 0 or decoder.pitch is not None:
            continue
        assert place == [decoder.bar + 1, decoder.tick - decoder.bar_start, decoder.part]
        assert told[0] == min(decoder.part, voices) + 1
        assert told[1] == min(decoder.tick - decoder.bar_start, LONGEST) + 1
        for voice in range(voices):
            notes = [note for note in decoder.notes if note[4] == voice]
            pitch, left, step = told[7 + 3 * voice : 10 + 3 * voice]
            assert pitch == (notes[-1][2] + 1 if notes else 0)
            assert left == (min(max(notes[-1][1] - decoder.tick, 0), LONGEST) + 1 if notes else 1)
            if voice == decoder.part and notes:
                sung = [note[2] for note in notes]
                assert measured[:OWN] == [sung[-1], min(sung), max(sung)]
            sounds = notes and notes[-1][1] > decoder.tick and voice != decoder.part
            assert measured[OWN + voice] == (notes[-1][2] if sounds else -1)
            if notes and measured[0] >= 0:
                assert step == np.clip(notes[-1][2] - measured[0], -WIDEST, WIDEST) + WIDEST + 1
            compared += bool(notes)
    assert compared > 30


def test_the_next_note_to_end_and_the_voice_that_waits():
    """A quarter against a half: the first voice is due at place 24, and then waits there."""
    scheme = events()
    score = ScoreTracker(scheme.vocabulary, 2)
    names = "part 0,program 0,part 1,program 0,bar,meter 4/4,part 0,pitch 72,duration 24,part 1,pitch 60,duration 48"
    tokens = [scheme.ids[name] for name in ["start", *names.split(","), "position 24"]]  # type: ignore[attr-defined]
    facts, _, due, _, _ = score.read(torch.tensor([tokens]), score.start(1))
    assert [scheme.vocabulary[token] for token in due[0, -2:].tolist()] == ["position 24", "position 48"]
    tokens += [scheme.ids[name] for name in ("part 0", "pitch 74", "duration 72", "position 48")]  # type: ignore[attr-defined]
    assert scheme.vocabulary[int(score.read(torch.tensor([tokens]), score.start(1))[2][0, -1])] == "bar"
    assert facts[0, -2, 2:4].tolist() == [25, 0]
    assert facts[0, -1, 1:4].tolist() == [25, 49, 1]


@torch.no_grad()
def test_moves_are_weighed_by_where_they_lead():
    """A quarter against a half at place 0: place 24 is due; there the first voice waits, and place 48 is due."""
    scheme, hints = events(), hinted().hints
    assert hints is not None
    hints.moves.weight.zero_()
    hints.moves.bias.copy_(torch.tensor([1.0, 10.0, 100.0]))
    names = "start,part 0,program 0,part 1,program 0,bar,meter 4/4,part 0,pitch 72,duration 24,part 1,pitch 60"
    names += ",duration 48,position 24"
    tokens = torch.tensor([[scheme.ids[name] for name in names.split(",")]])  # type: ignore[attr-defined]
    sung = hints.read(tokens)[1][0]
    assert sung is not None
    context = torch.zeros(1, tokens.shape[1], hints.moves.in_features)
    added = hints._of_moves(context, *sung[2:])[0, -2:]
    asked = ["position 12", "position 24", "position 30", "position 48", "later", "bar", "pitch 72", "part 0", "end"]
    found = added[:, [scheme.ids[name] for name in asked]].tolist()  # type: ignore[attr-defined]
    assert found[0] == [0, 1, 10, 10, 10, 10, 0, 0, 0]
    assert found[1] == [100, 100, 100, 101, 110, 110, 0, 0, 0]


def test_the_profile_counts_what_was_heard():
    scheme = events()
    tokens = scheme.encode(wandering(3, 40, parts=2))
    profile = PitchClassProfile(scheme.vocabulary, 8, 8)
    told, _ = profile.read(torch.from_numpy(tokens)[None], profile.start(1))
    heard = [int(name.split()[1]) % 12 for name in (scheme.vocabulary[token] for token in tokens) if "pitch" in name]
    ages = np.arange(len(heard))[::-1]
    for memory, counts in zip(MEMORIES, told[0, -1].numpy(), strict=True):
        assert np.allclose(np.expm1(counts), np.bincount(heard, np.exp(-ages / memory), 12), atol=1e-4)


@torch.no_grad()
def test_what_is_expected_moves_with_the_key():
    """A transposed tune, in the same circumstances: the logits of the pitches are transposed."""
    scheme, hints, tune = events(), hinted().hints, wandering(1, 60, parts=2)
    assert hints is not None
    tokens = torch.from_numpy(np.stack([scheme.encode(tune), scheme.encode(tune.transposed(5))]))
    _, told, _ = hints.read(tokens)
    context = torch.randn(1, tokens.shape[1], hints.intervals.in_features).expand(2, -1, -1)
    assert told[0] is not None
    here, there = hints._of_pitches(context, *told[0][:2])
    assert torch.allclose(here[:, 30:90], there[:, 35:95], atol=1e-5)
    assert here[-1].std() > 0.01


def test_other_schemes_have_no_score():
    with pytest.raises(InputError, match="voices are followed"):
        ScoreTracker(TOKENIZERS["notes"](TOKENIZERS["notes"].Options()).vocabulary, 2)
    with pytest.raises(ValueError, match="embedding"):
        TokenModelOptions(embedding=0, voices=2)


def test_recall_says_what_followed_the_longest_match():
    recall = SuffixMatcher(64)
    tokens = torch.tensor([[5, 1, 2, 3, 7, 9, 2, 3, 8, 4, 1, 2, 3]])
    recalled, strength, _ = recall.read(tokens, recall.start(1))
    assert int(recalled[0, -1]) == 7  # after 1 2 3, and not 8, which came after 2 3 only
    assert strength[0, :6].tolist() == [0] * 6  # nothing has come twice
    assert strength[0, -1] > strength[0, -2] > strength[0, -3] > 0


def test_recall_keeps_its_place_over_a_variation():
    recall = SuffixMatcher(64)
    line = list(range(10, 30))
    varied = [*line[:12], 99, *line[13:]]
    recalled, strength, _ = recall.read(torch.tensor([line + varied]), recall.start(1))
    assert recalled[0, 20:39].tolist() == line[1:]
    assert strength[0, 32] < BUCKETS <= strength[0, 31]  # the token that differs is known to differ


def test_an_echo_without_pitches_is_of_the_rhythm():
    """Other pitches in the same rhythm: what was so long and came then is recalled, and no pitch is."""
    scheme, hints = events(), hinted().hints
    assert hints is not None
    bar = "bar,pitch {},duration 36,position 36,pitch {},duration 12,position 48,pitch {},duration 48"
    names = [name for low in (60, 67) for name in bar.format(low, low + 2, low + 9).split(",")]
    tokens = torch.tensor([[scheme.ids[name] for name in names]])  # type: ignore[attr-defined]
    plain, rhythm = hints.echoes
    _, (found, strength), _ = rhythm.read(tokens, None)
    context = torch.randn(1, len(names), hints.intervals.in_features)
    spoken = rhythm.logits(context, (found, strength))[0, :, 0] != 0
    for place in range(9, len(names) - 1):
        assert bool(spoken[place]) == ("pitch" not in names[place + 1])
        assert not spoken[place] or int(found[0, place]) == int(tokens[0, place + 1])
    assert int(plain.read(tokens, None)[1][1][0, 9:].max()) < int(strength[0, 9:].max())


def test_recall_forgets_what_lies_too_far_back():
    recall = SuffixMatcher(8)
    tokens = torch.tensor([[1, 2, *range(20, 29), 1]])
    _, strength, state = recall.read(tokens, recall.start(1))
    assert int(strength[0, -1]) == 0
    assert state.shape == (1, 8, 2)


def stretch(batch: int = 2, time: int = 60) -> Tensor:
    tokens = [events().encode(wandering(seed, 40, parts=2))[:time] for seed in range(batch)]
    return torch.from_numpy(np.stack(tokens))


@torch.no_grad()
@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_stepping_is_the_full_pass(backbone: str, monkeypatch: pytest.MonkeyPatch):
    model, prompt = hinted(backbone), stretch()
    state, drawn, expected = model.start(prompt), [], []
    sampling = Sampling(generator=torch.Generator().manual_seed(0))
    for _ in range(12):
        expected.append(state[0].log_softmax(-1))
        token, state = model.step(state, sampling)
        drawn.append(token)
    whole = torch.cat([prompt, torch.stack(drawn, dim=1)], dim=1)
    chosen = torch.stack(expected, dim=1).gather(2, torch.stack(drawn, dim=1)[..., None])[..., 0]
    assert torch.allclose(model.log_likelihood(whole)[:, -12:], chosen, atol=1e-4)
    monkeypatch.setattr(module, "PIECE", 7)
    assert torch.allclose(model.log_likelihood(whole)[:, -12:], chosen, atol=1e-4)


@torch.no_grad()
def test_the_future_never_changes_the_past():
    model, tokens = hinted(), stretch()
    before = model.log_likelihood(tokens)
    tokens[:, 40:] = tokens[:, 40:].flip(1)
    assert torch.equal(model.log_likelihood(tokens)[:, :39], before[:, :39])
    assert not torch.equal(model.log_likelihood(tokens)[:, 39:], before[:, 39:])


@torch.no_grad()
def test_a_state_can_be_gone_on_from_more_than_once():
    model = hinted()
    start = model.start(stretch())
    draws = [model.step(start, Sampling(0.0))[1] for _ in range(2)]
    again = [model.step(state, Sampling(0.0))[0] for state in draws]
    assert torch.equal(again[0], again[1])


def test_a_network_learns_to_trust_what_it_recalls():
    """Random tokens, then the same ones again: only what is looked up predicts them."""
    torch.manual_seed(0)
    options = TokenModelOptions(Choice("gru", SMALL["gru"][0]), embedding=8, dropout=0.0, recall=64)
    model = TokenModel(50, options).train()
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    for _ in range(60):
        half = torch.randint(50, (8, 20))
        optimizer.zero_grad()
        model.loss(torch.cat([half, half], dim=1))["loss"].backward()
        optimizer.step()
    half = torch.randint(50, (8, 20))
    with torch.no_grad():
        nats = -model.eval().log_likelihood(torch.cat([half, half], dim=1))
    assert float(nats[:, 21:].mean()) < 1.0 < 3.0 < float(nats[:, :18].mean())
