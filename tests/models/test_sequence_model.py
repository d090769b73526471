"""The sequence model: every backbone with every head trains, steps consistently and rolls out."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from audiogen.config.choice import Choice
from audiogen.models import MODELS, Sampling
from audiogen.models import sequence_model as module
from audiogen.models.backbones import BACKBONES
from audiogen.models.heads import HEADS
from audiogen.models.heads.mixture import Mixture, MixtureOptions
from audiogen.models.sequence_model import SequenceModel, SequenceModelOptions
from tests.models.test_backbones import SMALL as BACKBONE_OPTIONS
from tests.models.test_heads import SMALL as HEAD_OPTIONS

FEATURES = 4
PAIRS = list(itertools.product(BACKBONES, HEADS))


def model_of(backbone: str, head: str, **changes: object) -> SequenceModel:
    torch.manual_seed(0)
    options = SequenceModelOptions(
        Choice(backbone, BACKBONE_OPTIONS[backbone][-1]), Choice(head, HEAD_OPTIONS[head]), clean_context=3
    )
    return SequenceModel(FEATURES, replace(options, **changes))


def frames(batch: int = 3, time: int = 20, seed: int = 0) -> Tensor:
    return torch.randn(batch, time, FEATURES, generator=torch.Generator().manual_seed(seed))


def sampling(seed: int = 0) -> Sampling:
    return Sampling(1.0, generator=torch.Generator().manual_seed(seed))


def test_it_is_registered():
    assert MODELS["sequence"] is SequenceModel


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize(("backbone", "head"), PAIRS)
def test_every_pair_trains_and_rolls_out(backbone: str, head: str, linear: bool):
    model = model_of(backbone, head, linear=linear)
    model.fit_closed_form(list(frames()))
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    before = [weight.detach().clone() for weight in model.parameters()]
    for _ in range(2):
        optimizer.zero_grad()
        loss = model.loss(frames())["loss"]
        loss.backward()
        optimizer.step()
        assert loss.isfinite()
    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    model.eval()
    with torch.no_grad():
        state, source = model.start(frames(2)), sampling()
        for _ in range(12):
            frame, state = model.step(state, source)
            assert frame.shape == (2, FEATURES)
            assert frame.isfinite().all()


@pytest.mark.parametrize("recent", [0, 1, 3])
@pytest.mark.parametrize("backbone", list(BACKBONES))
@torch.no_grad()
def test_stepping_gives_the_contexts_of_the_loss(backbone: str, recent: int):
    model = model_of(backbone, "point", clean_context=recent).eval()
    state, source = model.start(frames()[:, :7]), sampling()
    drawn = [frames()[:, :7]]
    contexts = []
    for _ in range(9):
        contexts.append(state[0])
        frame, state = model.step(state, source)
        drawn.append(frame[:, None])
    whole, _ = model.context(torch.cat(drawn, dim=1))
    assert (torch.stack(contexts, dim=1) - whole[:, 6:15]).abs().max() < 1e-5


@torch.no_grad()
def test_with_linear_prediction_the_head_models_the_residual():
    """A frame is the linear prediction plus the unwhitened output of the head."""
    model = model_of("lstm", "point", linear=True).eval()
    swinging = (
        torch.sin(0.7 * torch.arange(40.0))[:, None] * torch.tensor([1.0, 0.5, -1.0, 2.0]) + 0.1 * frames(1, 40)[0]
    )
    model.fit_closed_form([swinging])
    assert model.linear is not None
    assert 0 < float(model.linear.root.diagonal().max()) < 0.3
    state, source, drawn = model.start(swinging[None, :25]), sampling(), [swinging[None, :25]]
    for _ in range(6):
        frame, state = model.step(state, source)
        drawn.append(frame[:, None])
    whole = torch.cat(drawn, dim=1)
    context, _ = model.context(whole[:, :-1])
    expected, _ = model.linear_prediction(whole[:, :-1])
    again = model.linear.unwhiten(expected, model.head.sample(context[0], source))
    assert (again - whole[:, 1:])[:, 24:].abs().max() < 1e-5


@torch.no_grad()
def test_the_generator_determines_a_rollout():
    model = model_of("lstm", "flow").eval()
    torch.nn.init.normal_(model.head.velocity.leave.weight)

    def rollout(seed: int) -> Tensor:
        state, source, drawn = model.start(frames()), sampling(seed), []
        for _ in range(5):
            frame, state = model.step(state, source)
            drawn.append(frame)
        return torch.stack(drawn)

    assert torch.equal(rollout(1), rollout(1))
    assert not torch.equal(rollout(1), rollout(2))


@torch.no_grad()
def test_a_long_prompt_is_read_in_chunks(monkeypatch: pytest.MonkeyPatch):
    model = model_of("transformer", "point").eval()
    whole = model.start(frames())[0]
    monkeypatch.setattr(module, "CHUNK", 3)
    assert torch.allclose(model.start(frames())[0], whole, atol=1e-5)


@torch.no_grad()
def test_the_clean_context_is_the_last_frames_only():
    pointwise = Choice("conv", BACKBONE_OPTIONS["conv"][1])
    options = SequenceModelOptions(pointwise, Choice("point", HEAD_OPTIONS["point"]), clean_context=3)
    model = SequenceModel(FEATURES, options).eval()
    one, other = frames(1), frames(1)
    other[:, 5] += 1
    changed = (model.context(one)[0] - model.context(other)[0]).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [5, 6, 7]


def test_context_noise_is_added_in_training_and_keeps_the_variance():
    model = model_of("lstm", "point", context_noise=0.9)
    assert torch.equal(model.eval().corrupt(frames()), frames())
    many = frames(64, 200)
    noised = model.train().corrupt(many)
    assert float(noised.var()) == pytest.approx(1.0, abs=0.03)
    error = (noised - many).square().mean(-1)
    assert float(error.min()) < 0.01  # the level is random per frame: some are nearly clean
    assert float(error.max()) > 1.0
    assert torch.equal(model_of("lstm", "point", context_noise=0.0).train().corrupt(many), many)


@torch.no_grad()
def test_likelihood():
    nats = model_of("gru", "mixture").eval().log_likelihood(frames())
    assert nats is not None
    assert nats.shape == (3, 19)
    losses = model_of("gru", "mixture").eval().loss(frames())
    assert float(nats.mean()) == pytest.approx(-float(losses["nll"]), rel=1e-4)
    assert model_of("gru", "point").log_likelihood(frames()) is None


@torch.no_grad()
def test_with_linear_prediction_the_likelihood_is_that_of_the_frames():
    """With a standard Gaussian head it is the likelihood of the linear prediction itself."""
    model = model_of("gru", "mixture", linear=True).eval()
    model.head = Mixture(model.backbone.width, FEATURES, MixtureOptions(components=1, floor=1e-6))
    torch.nn.init.zeros_(model.head.parameters_of.weight)  # its initial standard deviation is one
    torch.nn.init.zeros_(model.head.parameters_of.bias[: 1 + FEATURES])
    model.fit_closed_form(list(frames(3, 200)))
    assert model.linear is not None
    expected, _ = model.linear(frames()[:, :-1])
    reference = torch.distributions.MultivariateNormal(expected, scale_tril=model.linear.root)
    assert torch.allclose(model.log_likelihood(frames()), reference.log_prob(frames()[:, 1:]), atol=1e-3)
