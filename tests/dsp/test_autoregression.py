"""Vector autoregression: recovers known processes, shrinks covariances, and limits the spectral radius."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from audiogen.dsp.autoregression import LeastSquares, companion, lag_regression, spectral_radius, stabilise

TURN = 0.9 * torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64)


def process(steps: int, scale: float = 1.0) -> Tensor:
    """A damped rotation driven by Gaussian noise, ``[steps, 2]``."""
    generator = torch.Generator().manual_seed(0)
    frames = [torch.zeros(2, dtype=torch.float64)]
    for _ in range(steps - 1):
        frames.append(TURN @ frames[-1] + scale * torch.randn(2, generator=generator, dtype=torch.float64))
    return torch.stack(frames)


def test_lags_are_ordered_newest_first() -> None:
    past, present = lag_regression(torch.arange(10.0).view(5, 2), 2)
    assert past.tolist() == [[2, 3, 0, 1], [4, 5, 2, 3], [6, 7, 4, 5]]
    assert present.tolist() == [[4, 5], [6, 7], [8, 9]]


def test_a_known_process_is_recovered() -> None:
    moments = LeastSquares([lag_regression(process(20_000), 2)])
    weight = moments.solve(1e-6)
    torch.testing.assert_close(weight[:2], TURN.T, atol=0.03, rtol=0)
    torch.testing.assert_close(weight[2:], torch.zeros_like(weight[2:]), atol=0.03, rtol=0)
    torch.testing.assert_close(moments.covariance(weight), torch.eye(2, dtype=torch.float64), atol=0.05, rtol=0)
    past, present = lag_regression(process(20_000), 2)
    residual = present - past @ weight
    torch.testing.assert_close(moments.scatter(weight), residual.T @ residual)


def test_columns_and_constant() -> None:
    past, present = lag_regression(process(4000) + 5.0, 2)
    moments = LeastSquares([(torch.cat([past, past.new_ones(len(past), 1)], dim=1), present)])
    only = moments.solve(1e-6, columns=torch.tensor([0, 1, 4]), constant=True)
    assert float(only[2:4].abs().max()) == 0
    heavy = moments.solve(1e6, constant=True)  # an infinite ridge leaves the mean, which is not penalised
    torch.testing.assert_close(heavy[-1], present.mean(0), atol=1e-3, rtol=0)
    assert moments.freedom(0.0, constant=True) == pytest.approx(len(past) - 5, abs=1e-3)


def test_few_frames_shrink_the_covariance_towards_its_diagonal() -> None:
    noise = torch.randn(12, 8, generator=torch.Generator().manual_seed(0)).double()
    zero = torch.zeros(8, 8, dtype=torch.float64)
    few, many = (LeastSquares([(noise, noise)] * count) for count in (1, 5))
    plain = few.scatter(zero) / 12
    found = few.covariance(zero)
    torch.testing.assert_close(found.diagonal(), plain.diagonal(), atol=1e-5, rtol=1e-5)
    off = ~torch.eye(8, dtype=torch.bool)
    torch.testing.assert_close(found[off], 0.6 * plain[off])
    torch.testing.assert_close(many.covariance(zero), found)  # the same frames again are no more evidence


def test_an_unstable_recursion_is_made_stable() -> None:
    weight = torch.randn(12, 3, generator=torch.Generator().manual_seed(0)).double()
    assert spectral_radius(companion(weight, 4)) > 1
    stable = stabilise(weight, 4, 0.99)
    assert spectral_radius(companion(stable, 4)) == pytest.approx(0.99)
    assert stabilise(stable, 4, 0.995) is stable
