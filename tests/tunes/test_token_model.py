"""Token Model with every backbone: it learns, and stepping equals the full pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from audiogen.config.choice import Choice
from audiogen.models import MODELS, Sampling
from audiogen.models.backbones import BACKBONES
from audiogen.models.heads.categorical import PADDING
from audiogen.tunes.models import token_model as module
from audiogen.tunes.models.token_model import TokenModel, TokenModelOptions
from tests.models.test_backbones import SMALL

SIZE = 11


def model_of(backbone: str, **changes: object) -> TokenModel:
    torch.manual_seed(0)
    options = TokenModelOptions(Choice(backbone, SMALL[backbone][0]), embedding=8, dropout=0.0)
    return TokenModel(SIZE, replace(options, **changes)).eval()


def tokens(batch: int = 3, time: int = 30, seed: int = 0) -> Tensor:
    return torch.randint(SIZE, (batch, time), generator=torch.Generator().manual_seed(seed))


def test_it_is_registered():
    assert MODELS["tokens"] is TokenModel
    assert TokenModel.tokens
    assert not MODELS["sequence"].tokens


@torch.no_grad()
@pytest.mark.parametrize("embedding", [8, 0])
@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_stepping_equals_the_full_pass(backbone: str, embedding: int, monkeypatch: pytest.MonkeyPatch):
    model = model_of(backbone, embedding=embedding)
    prompt = tokens(2, 20)
    state, sampled, expected = model.start(prompt), [], []
    sampling = Sampling(generator=torch.Generator().manual_seed(0))
    for _ in range(12):
        expected.append(state[0].log_softmax(-1))
        token, state = model.step(state, sampling)
        assert token.shape == (2,)
        sampled.append(token)
    whole = torch.cat([prompt, torch.stack(sampled, dim=1)], dim=1)
    chosen = torch.stack(expected, dim=1).gather(2, torch.stack(sampled, dim=1)[..., None])[..., 0]
    assert torch.allclose(model.log_likelihood(whole)[:, -12:], chosen, atol=1e-5)
    monkeypatch.setattr(module, "CHUNK", 7)  # the same in chunks
    assert torch.allclose(model.log_likelihood(whole)[:, -12:], chosen, atol=1e-5)
    assert torch.allclose(model.start(prompt)[0], model_of(backbone, embedding=embedding).start(prompt)[0], atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("embedding", [8, 0])
def test_logits_at_some_positions_are_those_of_all(embedding: int):
    model, sequence = model_of("lstm", embedding=embedding), tokens()
    at = torch.rand(sequence.shape, generator=torch.Generator().manual_seed(0)) < 0.3
    everywhere, some = model.read(sequence)[0], model.read(sequence, at=at)[0]
    torch.testing.assert_close(some, everywhere[at])


@torch.no_grad()
def test_the_loss_is_the_mean_without_padding():
    model, batch = model_of("gru"), tokens(2, 10)
    batch[1, 6:] = PADDING
    nats = model.log_likelihood(batch)
    assert nats.shape == (2, 9)
    assert nats[1, 5:].abs().max() == 0
    assert float(model.loss(batch)["loss"]) == pytest.approx(-float(nats.sum()) / (9 + 5), rel=1e-5)
    alone = model.log_likelihood(batch[1:, :6])
    assert torch.allclose(nats[1:, :5], alone, atol=1e-5)


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_every_backbone_learns_a_sequence(backbone: str):
    """Counting up by the difference of the first two tokens: one token of context is not enough."""
    model = model_of(backbone, dropout=0.0).train()
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(100):
        first, step = torch.randint(SIZE, (2, 16, 1), generator=generator)
        batch = (first + (1 + step % 3) * torch.arange(12)) % SIZE
        optimizer.zero_grad()
        loss = model.loss(batch)["loss"]
        loss.backward()
        optimizer.step()
    # The second token is one of three, all later ones are certain: the minimum is log(3) / 11.
    assert float(loss.detach()) < 0.6
