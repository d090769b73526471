"""Sequential Monte Carlo: weighted particles, systematic resampling, and batches of states of equal shapes.

Gordon et al. (1993), "Novel approach to nonlinear/non-Gaussian Bayesian state estimation". Infilling weighs particles
by the given notes, planning by a reward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor

from audiogen.models import State
from audiogen.tunes.model_state import state_shapes

T = TypeVar("T")


class Particle(Protocol):
    """A weighted candidate.

    Attributes:
        log_weight: logarithm of its unnormalised weight.
    """

    log_weight: float

    def branch(self) -> Self:
        """A copy that can be continued independently."""


P = TypeVar("P", bound=Particle)


def resample_particles(particles: list[P], random: torch.Generator | None) -> list[P]:
    """Resample in proportion to the weights, if the effective sample size is at most half the number of particles.

    Copies share the weight of all, so that the sum of weights stays.
    """
    log_weights = torch.tensor([particle.log_weight for particle in particles], dtype=torch.float64)
    weights, count = log_weights.softmax(0), len(particles)
    if 1 / float((weights**2).sum()) > count / 2:
        return particles
    mean = float(log_weights.logsumexp(0)) - math.log(count)
    copies = [particles[index].branch() for index in systematic(weights, count, random).tolist()]
    for copy in copies:
        copy.log_weight = mean
    return copies


def systematic(weights: Tensor, count: int, random: torch.Generator | None) -> Tensor:
    """Systematic resampling: ``count`` indices from weights ``[n]`` of sum 1, evenly spaced after one random offset."""
    positions = (torch.arange(count) + torch.rand(1, generator=random)) / count
    return torch.searchsorted(weights.cumsum(0), positions.double()).clamp(max=len(weights) - 1)


def by_state_shape(items: Iterable[T], state_of: Callable[[T], State]) -> list[list[T]]:
    """Groups of items whose states have the same shapes, and so can be stepped in one batch."""
    groups: dict[tuple[torch.Size, ...], list[T]] = {}
    for item in items:
        groups.setdefault(tuple(state_shapes(state_of(item))), []).append(item)
    return list(groups.values())
