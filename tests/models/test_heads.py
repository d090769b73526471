"""Every registered head: shapes, randomness, temperature, densities."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, LowRankMultivariateNormal, MixtureSameFamily, Normal

from audiogen.models import Sampling
from audiogen.models.heads import HEADS
from audiogen.models.heads.base import Head
from audiogen.models.heads.flow import Flow, FlowOptions
from audiogen.models.heads.lowrank import LowRankMixture, LowRankOptions
from audiogen.models.heads.mixture import Mixture, MixtureOptions
from audiogen.models.heads.point import PointOptions
from audiogen.testing import check_head

CONTEXT, FEATURES = 6, 3
SMALL: dict[str, Any] = {
    "point": PointOptions(),
    "mixture": MixtureOptions(components=3),
    "lowrank": LowRankOptions(components=3, rank=2),
    "flow": FlowOptions(width=16, blocks=1, draws=2, steps=4),
}
SHIPPED = list(SMALL)
SMALL |= {kind: head.Options() for kind, head in HEADS.items() if kind not in SMALL}
WITH_DENSITY = ("mixture", "lowrank")  # in closed form; that of a flow is an integral: test_flow_likelihood.py


@pytest.fixture(params=SHIPPED)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def head_of(kind: str) -> Head:
    torch.manual_seed(0)
    head = HEADS[kind](CONTEXT, FEATURES, SMALL[kind])
    for weight in head.parameters():  # a flow starts at zero velocity
        torch.nn.init.normal_(weight, std=0.3)
    return head.eval()


def context(count: int = 4) -> Tensor:
    return torch.randn(count, CONTEXT, generator=torch.Generator().manual_seed(1))


def sampling(temperature: float = 1.0, seed: int = 0) -> Sampling:
    return Sampling(temperature, generator=torch.Generator().manual_seed(seed))


def test_the_contract(kind: str):
    check_head(HEADS[kind], SMALL[kind], context=CONTEXT, features=FEATURES)


@torch.no_grad()
def test_all_but_point_heads_are_random(kind: str):
    first, second = (head_of(kind).sample(context(), sampling(seed=seed)) for seed in (1, 2))
    assert torch.equal(first, second) == (kind == "point")


@torch.no_grad()
def test_spread_grows_with_temperature(kind: str):
    head = head_of(kind)
    same = context(1).expand(4000, -1)
    spreads = [float(head.sample(same, sampling(t)).std(0).mean()) for t in (0.0, 0.25, 1.0, 2.0)]
    if kind == "point":
        assert max(spreads) < 1e-6
    else:
        assert spreads == sorted(spreads)
        assert spreads[0] < 1e-6
        assert spreads[3] > 1.2 * spreads[2] > 1.44 * spreads[1]


def test_the_loss_decreases_and_has_gradients_in_the_context(kind: str):
    torch.manual_seed(0)
    head = HEADS[kind](CONTEXT, FEATURES, SMALL[kind])
    given, frame = torch.randn(64, CONTEXT), torch.randn(64, FEATURES)
    frame = frame * 0.1 + given[:, :FEATURES]
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    values = []
    for _ in range(80):
        losses = head.loss(given, frame)
        assert all(value.shape == () for value in losses.values())
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        values.append(float(losses["loss"].detach()))
    assert sum(values[-10:]) < 0.8 * sum(values[:10]) if kind not in WITH_DENSITY else values[-1] < values[0] - 0.3
    leaf = given.clone().requires_grad_()
    head.loss(leaf, frame)["loss"].backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().max() > 0


def reference_of(head: Head, given: Tensor) -> MixtureSameFamily:
    """The same distribution in torch.distributions."""
    if isinstance(head, LowRankMixture):
        weights, means, diagonals, factors = head.distribution(given)
        each: Any = LowRankMultivariateNormal(means, diagonals[..., None] * factors, diagonals.square())
    else:
        assert isinstance(head, Mixture)
        weights, means, deviations = head.distribution(given)
        each = Independent(Normal(means, deviations), 1)
    return MixtureSameFamily(Categorical(logits=weights), each)


@pytest.mark.parametrize("kind", WITH_DENSITY)
@torch.no_grad()
def test_the_likelihood_is_that_of_torch_distributions(kind: str):
    head = head_of(kind)
    frame = torch.randn(4, FEATURES)
    found = head.log_likelihood(context(), frame)
    assert found is not None
    assert torch.allclose(found, reference_of(head, context()).log_prob(frame), atol=1e-5)
    losses = head.loss(context(), frame)
    assert float(losses["nll"]) == pytest.approx(-float(found.mean()), rel=1e-5)
    assert float(losses["loss"]) == pytest.approx(float(losses["nll"]) / FEATURES, rel=1e-5)


@pytest.mark.parametrize("kind", WITH_DENSITY)
@torch.no_grad()
def test_the_density_integrates_to_one(kind: str):
    torch.manual_seed(0)
    head = HEADS[kind](CONTEXT, 2, SMALL[kind])
    line = torch.linspace(-12, 12, 481)
    grid = torch.cartesian_prod(line, line)
    nats = head.log_likelihood(context(1).expand(len(grid), -1), grid)
    assert nats is not None
    assert float(nats.exp().sum()) * 0.05**2 == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", WITH_DENSITY)
@torch.no_grad()
def test_samples_follow_the_density(kind: str):
    head = head_of(kind)
    reference = reference_of(head, context(1))
    drawn = head.sample(context(1).expand(40000, -1), sampling())
    assert torch.allclose(drawn.mean(0), reference.mean[0], atol=0.03)
    assert torch.allclose(drawn.var(0), reference.variance[0], rtol=0.05)
    own = -reference.log_prob(drawn[:, None]).mean()  # the entropy, by the mean over samples
    theirs = -reference.log_prob(reference.sample((40000,))).mean()
    assert float(own) == pytest.approx(float(theirs), abs=0.03)


@torch.no_grad()
def test_the_factor_correlates_features():
    head = LowRankMixture(CONTEXT, FEATURES, LowRankOptions(components=1, rank=1))
    torch.nn.init.zeros_(head.parameters_of.weight)
    head.parameters_of.bias[-FEATURES:] = torch.tensor([3.0, 3.0, 0.0])
    drawn = torch.corrcoef(head.sample(context(1).expand(8000, -1), sampling()).T)
    assert float(drawn[0, 1]) == pytest.approx(9 / (1 + 9), abs=0.02)  # of D (I + U U') D
    assert abs(float(drawn[0, 2])) < 0.05


@pytest.mark.parametrize("kind", WITH_DENSITY)
@torch.no_grad()
def test_temperature_zero_gives_the_mean_of_the_likeliest_component(kind: str):
    head = head_of(kind)
    weights, means, *_ = head.distribution(context())  # type: ignore[attr-defined]
    expected = means[torch.arange(4), weights.argmax(-1)]
    assert torch.equal(head.sample(context(), sampling(0.0)), expected)


def test_only_points_have_no_density(kind: str):
    found = head_of(kind).log_likelihood(context(), torch.zeros(4, FEATURES))
    assert (found is None) == (kind == "point")


def test_noise_needs_a_variance():
    with pytest.raises(ValueError, match="must be 0, or 3 or more"):
        FlowOptions(noise_dof=2)


def test_the_flow_learns_two_modes_that_depend_on_the_context():
    """Points at (+-1, c): a flow must split the first coordinate and follow the second."""
    torch.manual_seed(0)
    flow = Flow(1, 2, FlowOptions(width=32, blocks=2, draws=2, steps=10))
    optimizer = torch.optim.Adam(flow.parameters(), 5e-3)
    for _ in range(400):
        given = torch.rand(256, 1) * 2 - 1
        sides = torch.randint(2, (256, 1)) * 2.0 - 1
        points = torch.cat([sides, given], dim=1) + 0.1 * torch.randn(256, 2)
        optimizer.zero_grad()
        flow.loss(given, points)["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        given = torch.linspace(-1, 1, 2000)[:, None]
        drawn = flow.eval().sample(given, sampling())
    assert 0.4 < float((drawn[:, 0] > 0).float().mean()) < 0.6
    assert float((drawn[:, 0].abs() - 1).abs().mean()) < 0.25  # 0.08 would be perfect; a single Gaussian has 0.6
    assert float((drawn[:, :1].abs() < 0.4).float().mean()) < 0.1
    assert float((drawn[:, 1] - given[:, 0]).abs().mean()) < 0.2


@pytest.mark.parametrize("kind", WITH_DENSITY)
@torch.no_grad()
def test_a_mixture_is_initialised_as_a_scale_mixture(kind: str):
    """Frames of changing variance are likelier, untrained, than under one Gaussian of their variance."""
    torch.manual_seed(0)
    head = HEADS[kind](CONTEXT, 16, SMALL[kind])
    loud = torch.tensor([0.4, 1.0, 1.4]).repeat(200)[:, None]
    frame = loud * torch.randn(600, 16)
    found = head.log_likelihood(context(1).expand(600, -1), frame)
    assert found is not None
    assert float(found.mean()) > float(Normal(0, frame.std()).log_prob(frame).sum(-1).mean()) + 0.5
    drawn = head.sample(context(1).expand(600, -1), sampling())
    assert abs(float(drawn.mean())) < 0.1
