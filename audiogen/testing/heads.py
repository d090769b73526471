"""The contract of heads: a distribution of one frame, its loss and its samples."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from audiogen.models.heads.base import Head
from audiogen.testing.contract import options_of, require, sampling

COUNT = 4000  # samples that a spread is estimated from


def check_head(
    variant: type[Head], options: Any = None, *, context: int = 6, features: int = 3, steps: int = 80
) -> None:
    """Check a head.

    - Losses are finite scalars, ``"loss"`` among them; it falls in training, and its gradient reaches the context.
    - Samples are finite ``[n, features]``; their generator alone decides them.
    - At temperature 0 there is one sample for each context; the spread of samples never falls with temperature.
    - ``log_likelihood`` is ``[n]`` nats, or None.

    Args:
        variant: the class.
        options: instance of ``variant.Options``; None for the defaults.
        context: size of a context vector.
        features: size of a frame; at most ``context``.
        steps: training steps in which the loss has to fall.

    Raises:
        ContractError: names what is wrong.
    """
    torch.manual_seed(0)
    head = variant(context, features, options_of(variant, options))
    _check_training(head, context, features, steps)
    head.eval()
    with torch.no_grad():
        _check_samples(head, context, features)
        _check_temperature(head, context)
        _check_likelihood(head, context, features)


def _check_training(head: Head, context: int, features: int, steps: int) -> None:
    given = torch.randn(64, context)
    frame = 0.1 * torch.randn(64, features) + given[:, :features]
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    values = []
    for _ in range(steps):
        losses = head.loss(given, frame)
        require("loss" in losses, 'there is no loss of the name "loss"')
        require(all(value.shape == () for value in losses.values()), "losses must be scalars")
        require(all(value.isfinite() for value in losses.values()), "losses are not finite")
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        values.append(float(losses["loss"].detach()))
    early, late = sum(values[:10]) / 10, sum(values[-10:]) / 10
    require(late < early, f"the loss does not fall in training: {early:.3g} before, {late:.3g} after {steps} steps")
    leaf = given.clone().requires_grad_()
    head.loss(leaf, frame)["loss"].backward()
    require(leaf.grad is not None and leaf.grad.abs().max() > 0, "no gradient reaches the context")


def _check_samples(head: Head, context: int, features: int) -> None:
    for count in (1, 5):
        sample = head.sample(_contexts(count, context), sampling())
        shape = list(sample.shape)
        require(shape == [count, features], f"samples of shape {shape}: {[count, features]} is expected")
        require(sample.isfinite().all(), "samples are not finite")
    given = _contexts(4, context)
    torch.manual_seed(5)
    first = head.sample(given, sampling(seed=1))
    torch.manual_seed(6)
    require(
        torch.equal(first, head.sample(given, sampling(seed=1))),
        "the same generator gives other samples: draw with sampling.normal and sampling.uniform",
    )


def _check_temperature(head: Head, context: int) -> None:
    given = _contexts(1, context).expand(COUNT, -1)
    spreads = [float(head.sample(given, sampling(value)).std(0).mean()) for value in (0.0, 0.25, 1.0, 2.0)]
    require(spreads[0] < 1e-5, "at temperature 0, one context has several samples")
    rising = all(low <= 1.02 * high + 1e-6 for low, high in pairwise(spreads))
    listed = ", ".join(f"{value:.3g}" for value in spreads)
    require(rising, f"the spread of samples falls with temperature: {listed} at 0, 0.25, 1, 2")


def _check_likelihood(head: Head, context: int, features: int) -> None:
    found = head.log_likelihood(_contexts(4, context), torch.zeros(4, features))
    if found is not None:
        require(found.shape == (4,) and found.isfinite().all(), "log_likelihood must be [n] finite nats, or None")


def _contexts(count: int, size: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(1))
