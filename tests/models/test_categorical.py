"""The categorical head: cross-entropy loss, and sampling with temperature, top-k, top-p, min-p and masks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from audiogen.models import Sampling
from audiogen.models.heads import TOKEN_HEADS
from audiogen.models.heads.categorical import PADDING, Categorical, CategoricalOptions, sample_tokens

PROBABILITIES = torch.tensor([0.05, 0.4, 0.0, 0.3, 0.15, 0.1])
ROWS = 20_000


def sampling(seed: int = 0, **options: object) -> Sampling:
    return Sampling(generator=torch.Generator().manual_seed(seed), **options)  # type: ignore[arg-type]


def frequencies(**options: object) -> Tensor:
    """Relative frequency of each token among the samples."""
    drawn = sample_tokens(PROBABILITIES.log().expand(ROWS, -1), sampling(**options))
    return torch.bincount(drawn, minlength=len(PROBABILITIES)) / ROWS


def test_it_is_registered():
    assert TOKEN_HEADS["categorical"] is Categorical


@torch.no_grad()
def test_the_loss_is_cross_entropy_without_padding():
    torch.manual_seed(0)
    head = Categorical(8, 5, CategoricalOptions())
    context, tokens = torch.randn(6, 8), torch.tensor([0, 4, 2, PADDING, 1, PADDING])
    nats = head.log_likelihood(context, tokens)
    expected = head.logits(context).log_softmax(-1)
    for row, token in enumerate(tokens.tolist()):
        assert nats[row] == pytest.approx(0.0 if token < 0 else float(expected[row, token]), abs=1e-6)
    losses = head.loss(context, tokens)
    assert float(losses["loss"]) == pytest.approx(-float(nats.sum()) / 4, rel=1e-5)


@torch.no_grad()
def test_samples_follow_the_predicted_distribution():
    torch.manual_seed(0)
    head = Categorical(8, 5, CategoricalOptions())
    context = torch.randn(1, 8)
    drawn = torch.bincount(head.sample(context.expand(ROWS, -1), sampling()), minlength=5) / ROWS
    assert torch.allclose(drawn, head.logits(context).softmax(-1)[0], atol=0.02)


def test_tokens_of_probability_zero_are_never_sampled():
    assert torch.allclose(frequencies(), PROBABILITIES, atol=0.015)
    assert frequencies()[2] == 0


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_temperature_divides_the_logits(temperature: float):
    expected = (PROBABILITIES.log() / temperature).softmax(-1)
    assert torch.allclose(frequencies(temperature=temperature), expected, atol=0.015)


def test_temperature_zero_gives_the_likeliest_token():
    assert frequencies(temperature=0.0)[1] == 1
    only = torch.tensor([True, False, True, False, True, True])
    assert frequencies(temperature=0.0, allowed=only)[4] == 1


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"top_k": 2}, [1, 3]),
        ({"top_k": 1}, [1]),
        ({"top_k": 100}, [0, 1, 3, 4, 5]),
        ({"top_p": 0.5}, [1, 3]),
        ({"top_p": 0.39}, [1]),
        ({"top_p": 0.0}, [1]),
        ({"min_p": 0.3}, [1, 3, 4]),
        ({"min_p": 1.0}, [1]),
        ({"top_k": 3, "min_p": 0.5}, [1, 3]),
        ({"allowed": torch.tensor([True, False, True, False, True, True])}, [0, 4, 5]),
        ({"allowed": torch.tensor([True, False, False, False, False, True]), "top_k": 1}, [5]),
    ],
)
def test_truncated_sampling(options: dict[str, object], kept: list[int]):
    expected = torch.zeros(len(PROBABILITIES))
    expected[kept] = PROBABILITIES[kept]
    assert torch.allclose(frequencies(**options), expected / expected.sum(), atol=0.015)


def test_masks_may_differ_between_rows():
    allowed = torch.tensor([[True, False, False], [False, True, False], [False, False, True]])
    assert sample_tokens(torch.zeros(3, 3), sampling(allowed=allowed)).tolist() == [0, 1, 2]


def test_the_generator_determines_the_samples():
    logits = torch.randn(50, 9, generator=torch.Generator().manual_seed(3))
    assert torch.equal(sample_tokens(logits, sampling(1)), sample_tokens(logits, sampling(1)))
    assert not torch.equal(sample_tokens(logits, sampling(1)), sample_tokens(logits, sampling(2)))
