"""Log likelihood of flows with a known density."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_t
from torch import Tensor

from audiogen.experiment import Experiment
from audiogen.models import Sampling
from audiogen.models.heads import flow
from audiogen.models.heads.flow import Flow, FlowOptions
from audiogen.models.sequence_model import SequenceModel

MEAN, DEVIATION = torch.tensor([1.0, -0.5, 2.0]), torch.tensor([0.5, 1.5, 0.8])


class Straight(torch.nn.Module):
    """The exact velocity between standard noise and independent Gaussians about the context."""

    def context(self, context: Tensor) -> Tensor:
        return context

    def modulations(self, times: Tensor, context: Tensor) -> list[tuple[Tensor, ...]]:
        return [(time.expand(len(context), 1), context) for time in times]

    def forward(self, point: Tensor, modulations: Iterable[Tensor]) -> Tensor:
        time, mean = modulations
        slope = (time * DEVIATION**2 - (1 - time)) / (time**2 * DEVIATION**2 + (1 - time) ** 2)
        return mean + slope * (point - time * mean)


def test_a_flow_between_gaussians_has_their_density(monkeypatch: pytest.MonkeyPatch) -> None:
    head = Flow(3, 3, FlowOptions(width=8))
    head.velocity = Straight()  # type: ignore[assignment]
    generator = torch.Generator().manual_seed(0)
    context = MEAN + torch.randn(50, 3, generator=generator)
    frame = context + DEVIATION * torch.randn(50, 3, generator=generator)
    expected = torch.distributions.Normal(context, DEVIATION).log_prob(frame).sum(-1)
    assert (head.log_likelihood(context, frame) - expected).abs().mean() < 0.1
    monkeypatch.setattr(flow, "STEPS", 64)
    torch.testing.assert_close(head.log_likelihood(context, frame), expected, atol=0.01, rtol=0.01)


def test_heavy_tails_are_those_of_student() -> None:
    head = Flow(3, 2, FlowOptions(width=8, noise_dof=5))
    scale = torch.full((2,), (3 / 5) ** 0.5).diag()  # of unit variance
    points = 3 * torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    truth = multivariate_t(shape=scale.square().numpy(), df=5).logpdf(points.numpy())
    with torch.no_grad():
        found = head.log_likelihood(torch.zeros(40, 3), points)  # untrained: the noise itself
        drawn = head.sample(torch.zeros(40000, 3), Sampling(generator=torch.Generator().manual_seed(1)))
    np.testing.assert_allclose(found.numpy(), truth, atol=1e-3)
    assert float(drawn.std()) == pytest.approx(1, abs=0.03)
    assert float(drawn.pow(4).mean()) > 5  # 9 in Student's with five degrees, 3 in a Gaussian


def test_an_untrained_flow_is_standard_noise(tiny: Callable[..., Experiment]) -> None:
    model = SequenceModel(5, tiny("model.head={kind: flow, width: 8}").model.options).eval()
    frames = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = model.log_likelihood(frames)
    assert found is not None
    expected = -0.5 * (frames[:, 1:].square() + math.log(2 * math.pi)).sum(-1)
    torch.testing.assert_close(found, expected)


def test_a_flow_around_a_linear_prediction_is_scored_on_the_frames(tiny: Callable[..., Experiment]) -> None:
    """An untrained flow is standard noise, so the density is the Gaussian of the linear prediction."""
    model = SequenceModel(5, tiny("model.head={kind: flow, width: 8}", "model.linear=true").model.options).eval()
    frames = torch.randn(2, 60, 5, generator=torch.Generator().manual_seed(1)).cumsum(1) / 5
    model.fit_closed_form(list(frames))
    with torch.no_grad():
        found = model.log_likelihood(frames)
    assert found is not None
    assert model.linear is not None
    expected, _ = model.linear(frames[:, :-1])
    reference = torch.distributions.MultivariateNormal(expected, scale_tril=model.linear.root)
    torch.testing.assert_close(found, reference.log_prob(frames[:, 1:]), atol=1e-3, rtol=1e-4)
