"""Markov chain: normalised, close to its source, and a Model like the others."""

from __future__ import annotations

import pytest
import torch

from audiogen.models.base import Sampling
from audiogen.tunes.models.markov import Markov, MarkovOptions

SIZE = 12


def pieces(count: int, seed: int, length: int = 80) -> list[torch.Tensor]:
    """A second-order chain: each token is one of three that follow from the two before it."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        tokens = [0, 1]
        while len(tokens) < length:
            choice = int(torch.randint(3, (1,), generator=generator))
            tokens.append((3 * tokens[-1] + 5 * tokens[-2] + choice) % SIZE)
        made.append(torch.tensor(tokens))
    return made


@pytest.fixture(scope="module")
def fitted() -> Markov:
    model = Markov(SIZE, MarkovOptions())
    model.fit(pieces(40, 0), pieces(5, 1))
    return model


@pytest.mark.parametrize("context", [[], [0], [0, 1], [11, 11, 11, 11, 11], [5, 4, 3, 2, 1, 0, 7]])
def test_probabilities_sum_to_one(fitted: Markov, context: list[int]) -> None:
    likely = fitted.probabilities(torch.tensor([context], dtype=torch.int64))[0]
    assert likely.sum() == pytest.approx(1)
    assert likely.min() > 0


def test_likelihood_is_that_of_each_step(fitted: Markov) -> None:
    batch = torch.stack(pieces(3, 2))
    nats = fitted.log_likelihood(batch)
    assert nats.shape == (3, 79)
    for row, tokens in zip(nats, batch, strict=True):
        for time in (1, 2, 7, 79):
            expected = fitted.probabilities(tokens[None, max(time - 5, 0) : time])[0, tokens[time]].log()
            assert row[time - 1] == pytest.approx(float(expected), abs=1e-5)
    assert fitted.loss(batch)["loss"] == pytest.approx(-float(nats.mean()))


def test_likelihood_is_close_to_the_entropy_of_the_source(fitted: Markov) -> None:
    loss = float(fitted.loss(torch.stack(pieces(20, 3)))["loss"])
    assert 1.05 < loss < 1.0986 + 0.2  # log(3) nats per token


def test_uninformative_longer_contexts_do_not_hurt() -> None:
    losses = []
    for order in (0, 1, 2, 5):
        model = Markov(SIZE, MarkovOptions(order))
        model.fit(pieces(40, 0), pieces(5, 1))
        losses.append(float(model.loss(torch.stack(pieces(20, 3)))["loss"]))
    assert losses[2] < min(losses[:2]) - 1  # two tokens decide, one says nothing
    assert losses[3] < losses[2] + 0.1


def test_contexts_do_not_cross_tunes() -> None:
    apart, joined = Markov(6, MarkovOptions(1)), Markov(6, MarkovOptions(1))
    apart.fit([torch.tensor([0, 1]), torch.tensor([2, 3])])
    joined.fit([torch.tensor([0, 1, 2, 3])])
    context = torch.tensor([[1]])
    assert joined.probabilities(context)[0, 2] > 2 * apart.probabilities(context)[0, 2]


def test_back_off_counts_the_contexts_of_a_token() -> None:
    # 7 is frequent, but only after 6; 5 is rarer but follows many: after a new context 5 is likelier.
    tokens = [6, 7] * 20 + [0, 5, 1, 5, 2, 5, 3, 5, 4, 5]
    model = Markov(9, MarkovOptions(1))
    model.fit([torch.tensor(tokens)])
    likely = model.probabilities(torch.tensor([[8]]))[0]
    assert likely[5] > 2 * likely[7]


def test_fitting_the_discounts_does_not_harm_validation() -> None:
    plain, tuned = Markov(SIZE, MarkovOptions()), Markov(SIZE, MarkovOptions())
    validation = pieces(5, 1)
    plain.fit(pieces(6, 0))
    tuned.fit(pieces(6, 0), validation)
    batch = torch.stack(validation)
    assert tuned.loss(batch)["loss"] < plain.loss(batch)["loss"]


def test_steps_agree_with_the_likelihood(fitted: Markov) -> None:
    prompt = torch.tensor([[0, 1, 3], [0, 1, 4]])
    sampled = []
    for _ in range(2):
        state = fitted.start(prompt)
        sampling = Sampling(generator=torch.Generator().manual_seed(7))
        tokens = []
        for _ in range(40):
            token, state = fitted.step(state, sampling)
            assert token.shape == (2,)
            assert state.shape[1] <= 5
            tokens.append(token)
        sampled.append(torch.stack(tokens))
    assert torch.equal(*sampled)
    greedy, _ = fitted.step(fitted.start(prompt), Sampling(temperature=0))
    assert greedy[0] == fitted.probabilities(prompt)[0].argmax()


def test_samples_follow_the_probabilities(fitted: Markov) -> None:
    prompt = torch.tensor([[0, 1]]).expand(1000, 2)
    token, _ = fitted.step(fitted.start(prompt), Sampling(generator=torch.Generator().manual_seed(0)))
    share = torch.bincount(token, minlength=SIZE) / 1000
    assert (share - fitted.probabilities(prompt)[0]).abs().max() < 0.06
