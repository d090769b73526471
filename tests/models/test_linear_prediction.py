"""Linear prediction: exact for linear processes, stable, and equal in chunks and at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from audiogen.models.linear_prediction import MAX_RADIUS, LinearPrediction


def rotating(steps: int, noise: float, seed: int = 0) -> Tensor:
    """A damped rotation in two dimensions, driven by noise."""
    generator = torch.Generator().manual_seed(seed)
    turn = 0.97 * torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    frames = [torch.tensor([1.0, 0.0])]
    for _ in range(steps - 1):
        frames.append(turn @ frames[-1] + noise * torch.randn(2, generator=generator))
    return torch.stack(frames)


def fitted(*sequences: Tensor) -> LinearPrediction:
    linear = LinearPrediction(sequences[0].shape[1])
    linear.fit(list(sequences))
    return linear


def test_a_linear_process_is_predicted_up_to_its_noise() -> None:
    linear, new = fitted(rotating(4000, 0.1)), rotating(1000, 0.1, seed=1)
    expected, _ = linear(new[None, :-1])
    assert float((new[1:] - expected[0]).std()) == pytest.approx(0.1, rel=0.05)
    assert float(linear.root.square().sum(1).mean().sqrt()) == pytest.approx(0.1, rel=0.1)


def test_the_residual_is_white_and_invertible() -> None:
    mixing = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.3, 0.0], [-0.5, 0.2, 0.1]])
    frames = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) @ mixing.T
    linear = fitted(frames)
    expected = linear(frames[None, :-1])[0][0]
    residual = linear.residual(frames[1:], expected)
    torch.testing.assert_close(residual.T.cov(), torch.eye(3), atol=0.15, rtol=0)
    torch.testing.assert_close(linear.unwhiten(expected, residual), frames[1:], atol=1e-4, rtol=1e-4)
    normal = torch.distributions.MultivariateNormal(expected, scale_tril=linear.root)
    nats = torch.distributions.Normal(0, 1).log_prob(residual).sum(-1) - linear.log_det
    torch.testing.assert_close(nats, normal.log_prob(frames[1:]), atol=1e-3, rtol=1e-4)


def test_few_frames_do_not_make_it_overconfident() -> None:
    noise = torch.randn(500, 24, generator=torch.Generator().manual_seed(0))
    linear = fitted(noise[:40])
    residual = linear.residual(noise[41:], linear(noise[None, 40:-1])[0][0])
    assert float(residual.square().mean()) < 2


def test_noise_is_not_predicted() -> None:
    noise = torch.randn(300, 12, generator=torch.Generator().manual_seed(0))
    linear = fitted(noise)
    assert float(linear.weight.abs().max()) < 0.1
    torch.testing.assert_close(linear.root, torch.eye(12), atol=0.2, rtol=0)


def test_running_means_predict_slow_swells() -> None:
    """The level shows in the running means only: single frames are mostly noise."""
    time = torch.arange(6000)
    swell = 0.5 * torch.sin(2 * torch.pi * time / 400)[:, None]
    frames = swell + torch.randn(6000, 1, generator=torch.Generator().manual_seed(0))
    expected, _ = fitted(frames[:4000])(frames[None, :-1])
    error = (swell[1:] - expected[0])[4000:]
    assert float(error.std()) < 0.6 * float(swell.std())


def test_chunks_equal_the_whole() -> None:
    linear, frames = fitted(rotating(500, 0.1)), rotating(60, 0.1, seed=2)[None]
    whole, _ = linear(frames)
    state, parts = None, []
    for piece in frames.split([1, 1, 2, 25, 31], dim=1):
        part, state = linear(piece, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-4)


def test_exponential_growth_gives_a_stable_recursion() -> None:
    growing = torch.exp(0.05 * torch.arange(120.0))[:, None]
    linear = fitted(growing)
    assert float(torch.linalg.eigvals(linear._recursion(linear.weight)).abs().max()) <= MAX_RADIUS + 1e-4
