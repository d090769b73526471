"""Auxiliary features of a token Model: the score tracker agrees with the decoder; copies continue repetitions."""

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
from audiogen.tunes.models.pitch_class_profile import TIME_CONSTANTS, PitchClassProfile
from audiogen.tunes.models.score_tracker import MAX_INTERVAL, MAX_STEPS, OWN_ANCHORS, ScoreTracker
from audiogen.tunes.models.suffix_match import BUCKETS, SuffixMatcher
from audiogen.tunes.models.token_model import TokenModel, TokenModelOptions
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.grammar import Vocabulary
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune
from tests.models.test_backbones import SMALL
from tests.tune_fixtures import rich, wandering


def events() -> Tokenizer:
    return TOKENIZERS["events"](TOKENIZERS["events"].Options())


def model_with_features(backbone: str = "lstm", match_length: int = 64) -> TokenModel:
    torch.manual_seed(0)
    options = TokenModelOptions(Choice(backbone, SMALL[backbone][0]), embedding=8, voices=2, match_length=match_length)
    return TokenModel(events().size, options, events().vocabulary).eval()


@pytest.mark.parametrize("tune", [wandering(0, 60, parts=3), rich()], ids=["three voices", "rich"])
def test_the_score_tracker_agrees_with_the_decoder(tune: Tune):
    scheme, voices = events(), 3
    tokens = scheme.encode(tune)
    score, decoder = ScoreTracker(Vocabulary(scheme.vocabulary), voices), scheme.decoder()
    features, anchors, _, positions, _ = score.read(torch.from_numpy(tokens)[None], score.start(1))
    compared = 0
    read = zip(tokens.tolist(), features[0].tolist(), anchors[0].tolist(), positions[0].tolist(), strict=True)
    for token, values, measured, position in read:
        decoder.push(token)
        if decoder.bar < 0 or decoder.pending_pitch is not None:
            continue
        assert position == [decoder.bar + 1, decoder.tick - decoder.bar_start, decoder.part]
        assert values[0] == min(decoder.part, voices) + 1
        assert values[1] == min(decoder.tick - decoder.bar_start, MAX_STEPS) + 1
        for voice in range(voices):
            notes = [note for note in decoder.notes if note[4] == voice]
            pitch, left, step = values[7 + 3 * voice : 10 + 3 * voice]
            assert pitch == (notes[-1][2] + 1 if notes else 0)
            assert left == (min(max(notes[-1][1] - decoder.tick, 0), MAX_STEPS) + 1 if notes else 1)
            if voice == decoder.part and notes:
                score_features = [note[2] for note in notes]
                assert measured[:OWN_ANCHORS] == [score_features[-1], min(score_features), max(score_features)]
            sounds = notes and notes[-1][1] > decoder.tick and voice != decoder.part
            assert measured[OWN_ANCHORS + voice] == (notes[-1][2] if sounds else -1)
            if notes and measured[0] >= 0:
                assert step == np.clip(notes[-1][2] - measured[0], -MAX_INTERVAL, MAX_INTERVAL) + MAX_INTERVAL + 1
            compared += bool(notes)
    assert compared > 30


def test_the_next_note_end_and_the_waiting_voice():
    """A quarter against a half note: the first voice ends at position 24, and is silent there."""
    scheme = events()
    score = ScoreTracker(Vocabulary(scheme.vocabulary), 2)
    names = "part 0,program 0,part 1,program 0,bar,meter 4/4,part 0,pitch 72,duration 24,part 1,pitch 60,duration 48"
    tokens = [scheme.vocabulary.index(name) for name in ["start", *names.split(","), "position 24"]]
    features, _, due, _, _ = score.read(torch.tensor([tokens]), score.start(1))
    assert [scheme.vocabulary[token] for token in due[0, -2:].tolist()] == ["position 24", "position 48"]
    tokens += [scheme.vocabulary.index(name) for name in ("part 0", "pitch 74", "duration 72", "position 48")]
    assert scheme.vocabulary[int(score.read(torch.tensor([tokens]), score.start(1))[2][0, -1])] == "bar"
    assert features[0, -2, 2:4].tolist() == [25, 0]
    assert features[0, -1, 1:4].tolist() == [25, 49, 1]


@torch.no_grad()
def test_move_logits_depend_on_the_next_note_end():
    """A quarter against a half note: 24 is the next end; there the first voice is silent, and 48 is the next end."""
    scheme, hints = events(), model_with_features().hints
    assert hints is not None
    hints.moves.weight.zero_()
    hints.moves.bias.copy_(torch.tensor([1.0, 10.0, 100.0]))
    names = "start,part 0,program 0,part 1,program 0,bar,meter 4/4,part 0,pitch 72,duration 24,part 1,pitch 60"
    names += ",duration 48,position 24"
    tokens = torch.tensor([[scheme.vocabulary.index(name) for name in names.split(",")]])
    score_features = hints.read(tokens)[1][0]
    assert score_features is not None
    context = torch.zeros(1, tokens.shape[1], hints.moves.in_features)
    added = hints._move_logits(context, *score_features[2:])[0, -2:]
    requested = [
        "position 12",
        "position 24",
        "position 30",
        "position 48",
        "later",
        "bar",
        "pitch 72",
        "part 0",
        "end",
    ]
    found = added[:, [scheme.vocabulary.index(name) for name in requested]].tolist()
    assert found[0] == [0, 1, 10, 10, 10, 10, 0, 0, 0]
    assert found[1] == [100, 100, 100, 101, 110, 110, 0, 0, 0]


def test_the_profile_counts_pitch_classes_with_decay():
    scheme = events()
    tokens = scheme.encode(wandering(3, 40, parts=2))
    profile = PitchClassProfile(Vocabulary(scheme.vocabulary), 8, 8)
    values, _ = profile.read(torch.from_numpy(tokens)[None], profile.start(1))
    classes = [int(name.split()[1]) % 12 for name in (scheme.vocabulary[token] for token in tokens) if "pitch" in name]
    ages = np.arange(len(classes))[::-1]
    for notes, counts in zip(TIME_CONSTANTS, values[0, -1].numpy(), strict=True):
        assert np.allclose(np.expm1(counts), np.bincount(classes, np.exp(-ages / notes), 12), atol=1e-4)


@torch.no_grad()
def test_pitch_logits_are_transposition_equivariant():
    """With the same context, the logits of a transposed tune are transposed."""
    scheme, hints, tune = events(), model_with_features().hints, wandering(1, 60, parts=2)
    assert hints is not None
    tokens = torch.from_numpy(np.stack([scheme.encode(tune), scheme.encode(tune.transposed(5))]))
    _, values, _ = hints.read(tokens)
    context = torch.randn(1, tokens.shape[1], hints.intervals.in_features).expand(2, -1, -1)
    assert values[0] is not None
    here, there = hints._pitch_logits(context, *values[0][:2])
    assert torch.allclose(here[:, 30:90], there[:, 35:95], atol=1e-5)
    assert here[-1].std() > 0.01


def test_other_schemes_cannot_be_tracked():
    with pytest.raises(InputError, match="voices are tracked"):
        ScoreTracker(Vocabulary(TOKENIZERS["notes"](TOKENIZERS["notes"].Options()).vocabulary), 2)
    with pytest.raises(ValueError, match="embedding"):
        TokenModelOptions(embedding=0, voices=2)


def test_the_longest_suffix_match_is_continued():
    matcher = SuffixMatcher(64)
    tokens = torch.tensor([[5, 1, 2, 3, 7, 9, 2, 3, 8, 4, 1, 2, 3]])
    suggested, strength, _ = matcher.read(tokens, matcher.start(1))
    assert int(suggested[0, -1]) == 7  # after 1 2 3, and not 8, which came after 2 3 only
    assert strength[0, :6].tolist() == [0] * 6  # no token has occurred twice
    assert strength[0, -1] > strength[0, -2] > strength[0, -3] > 0


def test_a_match_survives_a_variation():
    matcher = SuffixMatcher(64)
    line = list(range(10, 30))
    varied = [*line[:12], 99, *line[13:]]
    suggested, strength, _ = matcher.read(torch.tensor([line + varied]), matcher.start(1))
    assert suggested[0, 20:39].tolist() == line[1:]
    assert strength[0, 32] < BUCKETS <= strength[0, 31]  # the differing token is known to differ


def test_a_copy_head_with_one_class_of_pitches_matches_the_rhythm():
    """Other pitches in the same rhythm: positions and durations are suggested, pitches are not."""
    scheme, hints = events(), model_with_features().hints
    assert hints is not None
    bar = "bar,pitch {},duration 36,position 36,pitch {},duration 12,position 48,pitch {},duration 48"
    names = [name for low in (60, 67) for name in bar.format(low, low + 2, low + 9).split(",")]
    tokens = torch.tensor([[scheme.vocabulary.index(name) for name in names]])
    plain, rhythm = hints.echoes
    _, (found, strength), _ = rhythm.read(tokens, None)
    context = torch.randn(1, len(names), hints.intervals.in_features)
    has_logit = rhythm.logits(context, (found, strength))[0, :, 0] != 0
    for position in range(9, len(names) - 1):
        assert bool(has_logit[position]) == ("pitch" not in names[position + 1])
        assert not has_logit[position] or int(found[0, position]) == int(tokens[0, position + 1])
    assert int(plain.read(tokens, None)[1][1][0, 9:].max()) < int(strength[0, 9:].max())


def test_matches_beyond_the_length_are_forgotten():
    matcher = SuffixMatcher(8)
    tokens = torch.tensor([[1, 2, *range(20, 29), 1]])
    _, strength, state = matcher.read(tokens, matcher.start(1))
    assert int(strength[0, -1]) == 0
    assert state.shape == (1, 8, 2)


def windows(batch: int = 2, time: int = 60) -> Tensor:
    tokens = [events().encode(wandering(seed, 40, parts=2))[:time] for seed in range(batch)]
    return torch.from_numpy(np.stack(tokens))


@torch.no_grad()
@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_stepping_equals_the_full_pass(backbone: str, monkeypatch: pytest.MonkeyPatch):
    model, prompt = model_with_features(backbone), windows()
    state, sampled, expected = model.start(prompt), [], []
    sampling = Sampling(generator=torch.Generator().manual_seed(0))
    for _ in range(12):
        expected.append(state[0].log_softmax(-1))
        token, state = model.step(state, sampling)
        sampled.append(token)
    whole = torch.cat([prompt, torch.stack(sampled, dim=1)], dim=1)
    chosen = torch.stack(expected, dim=1).gather(2, torch.stack(sampled, dim=1)[..., None])[..., 0]
    assert torch.allclose(model.log_likelihood(whole)[:, -12:], chosen, atol=1e-4)
    monkeypatch.setattr(module, "CHUNK", 7)
    assert torch.allclose(model.log_likelihood(whole)[:, -12:], chosen, atol=1e-4)


@torch.no_grad()
def test_logits_at_some_positions_are_those_of_all():
    model, sequence = model_with_features().eval(), windows()
    at = torch.rand(sequence.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    everywhere, some = model.read(sequence)[0], model.read(sequence, at=at)[0]
    torch.testing.assert_close(some, everywhere[at])


@torch.no_grad()
def test_the_future_never_changes_the_past():
    model, tokens = model_with_features(), windows()
    before = model.log_likelihood(tokens)
    tokens[:, 40:] = tokens[:, 40:].flip(1)
    assert torch.equal(model.log_likelihood(tokens)[:, :39], before[:, :39])
    assert not torch.equal(model.log_likelihood(tokens)[:, 39:], before[:, 39:])


@torch.no_grad()
def test_a_state_can_be_continued_more_than_once():
    model = model_with_features()
    start = model.start(windows())
    draws = [model.step(start, Sampling(0.0))[1] for _ in range(2)]
    again = [model.step(state, Sampling(0.0))[0] for state in draws]
    assert torch.equal(again[0], again[1])


def test_a_network_learns_to_copy():
    """Random tokens, then the same ones again: only copying predicts them."""
    torch.manual_seed(0)
    options = TokenModelOptions(Choice("gru", SMALL["gru"][0]), embedding=8, dropout=0.0, match_length=64)
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
