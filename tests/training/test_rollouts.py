"""Rollouts: tails by the rules of `continue`, their log-probabilities, and the diversity of tunes."""

from __future__ import annotations

import pytest
import torch

from audiogen.experiment import read_experiment
from audiogen.models import Sampling
from audiogen.run import new_model
from audiogen.training.tunes.rollouts import distinct_ngrams, entropy, opening, sample_rollouts
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.models.token_model import TokenModel
from tests.tune_fixtures import TICKS, melody, tune, wandering

SETTINGS = (
    "representation={kind: midi, scheme: {kind: events, resolution: 8, velocities: 1, parts: 2}}",
    "model={kind: tokens, embedding: 8, dropout: 0.5}",
)
BACKBONES = {
    "gru": "model.backbone={kind: gru, hidden: 16, layers: 1}",
    "transformer": "model.backbone={kind: transformer, width: 16, heads: 2, layers: 1, window: 32}",
}


def small(backbone: str = "gru") -> tuple[TokenModel, Midi]:
    experiment = read_experiment(None, (*SETTINGS, BACKBONES[backbone]))
    representation = Midi(experiment.representation.options)
    torch.manual_seed(0)
    model = new_model(experiment, representation).eval()
    assert isinstance(model, TokenModel)
    return model, representation


@pytest.mark.parametrize("backbone", BACKBONES)  # states of a transformer differ in length after different prompts
def test_log_probabilities_are_those_of_the_steps(backbone: str):
    model, representation = small(backbone)
    tokenizer = representation.tokenizer
    prompts = [tokenizer.quantised(wandering(seed, notes, 2)) for seed, notes in ((0, 4), (1, 9))]
    made = sample_rollouts(model, tokenizer, prompts, 1, 2, Sampling(generator=torch.Generator().manual_seed(3)))
    found = made.taken(made.log_distribution(model))
    expected = []
    for row, (tokens, sampled, prompt) in enumerate(zip(made.tokens, made.sampled, made.prompts, strict=True)):
        count = int(sampled.sum())
        begun = int(sampled.nonzero()[0]) + 1
        assert tokens[:begun].tolist() == tokenizer.encode(prompt, ended=False).tolist()
        decoder = tokenizer.decoder(prompt)
        for token in tokens[:begun].tolist():
            decoder.push(token)
        decoder.constrain_to_prompt()
        with torch.no_grad():
            state = model.start(tokens[None, :begun])
            for token in tokens[begun : begun + count].tolist():
                allowed = torch.from_numpy(decoder.allowed())
                allowed[tokenizer.vocabulary.index("end")] = False
                logits = model.log_probabilities(state)[0].masked_fill(~allowed, -torch.inf)
                expected.append(float(logits.log_softmax(0)[token]))
                only = torch.zeros_like(allowed)
                only[token] = True
                _, state = model.step(state, Sampling(allowed=only))
                decoder.push(token)
        assert made.rows.bincount()[row] == count
    assert len(made.tails) == 4
    torch.testing.assert_close(found.detach(), torch.tensor(expected), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(made.totals(found.detach()).sum(), found.detach().sum())


def test_tails_have_their_bars_and_begin_where_the_prompts_end():
    model, representation = small()
    prompts = [representation.tokenizer.quantised(melody([60, 62, 64, 65] * 2))]
    made = sample_rollouts(model, representation.tokenizer, prompts, 2, 6)
    assert made.group == 6
    for tail in made.tails:
        assert len(tail.notes)
        assert tail.notes["start"].min() >= prompts[0].end
        assert tail.end <= prompts[0].end + 2 * 4 * tail.ticks_per_quarter
    assert not made.allowed[:, representation.vocabulary.index("end")].any()


def test_a_tail_ends_at_its_limit_of_tokens():
    model, representation = small()
    prompts = [representation.tokenizer.quantised(melody([60, 62, 64, 65]))]
    made = sample_rollouts(model, representation.tokenizer, prompts, 8, 2, max_tokens=5)
    assert made.sampled.sum(1).tolist() == [5, 5]


def test_entropy_of_equal_and_of_certain_tokens():
    distribution = torch.tensor([[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0]]).log()
    assert entropy(distribution).tolist() == pytest.approx([1.3863, 0.0], abs=1e-4)


def test_an_opening_is_cut_at_a_bar_line():
    whole = melody([60 + index for index in range(16)])  # four bars of four quarters
    cut = opening(whole, 2)
    assert cut is not None
    assert cut.notes["pitch"].tolist() == list(range(60, 68))
    late = melody([60 + index for index in range(8)], start=4 * 4 * TICKS)  # four empty bars before
    cut = opening(late, 1)
    assert cut is not None
    assert len(cut.notes) == 4
    assert opening(whole, 4) is None  # nothing follows


def test_diversity_counts_distinct_steps_in_any_key():
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    one, other = melody(scale), melody([pitch + 3 for pitch in scale])
    assert distinct_ngrams([one]) == 1.0
    assert distinct_ngrams([one, other]) == 0.5
    assert distinct_ngrams([melody([60] * 12)]) == pytest.approx(1 / 8)  # one gram of eight
    silent = tune([(0, 1, 60)])
    assert distinct_ngrams([silent] * 10) == 0.1
