"""Memory of a recording's own contexts: what followed, where the recording was most like the tail is now?

A nearest-neighbour language model over patches (Khandelwal et al. 2020, arXiv 1911.00172; for pictures, the video
textures of Schödl et al. 2000): each place of the material is compared with the tail by what led up to it, patch by
patch, the last one counting most, and one of the nearest is drawn. The sum of the distances is carried on from patch to
patch, so that a tail of any length takes constant memory and a step costs one comparison of each place. How fast the
past is forgotten, and how much the level and colour of the last seconds count, differs between recordings: the kernel
is fitted to the material itself (`context_fit`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SLOW_SECONDS = (1.0, 4.0)  # time constants of the slow averages that are compared
PLACES = 8  # of which one is drawn, a patch apart or more
SPREAD = 1.0  # scale of the distances that are drawn, in units of that between the nearest and the median place


@dataclass(frozen=True)
class ContextKernel:
    """How contexts are compared.

    Args:
        decay: weight of a patch relative to the one after it, 0..1.
        slow: weight of the slow averages relative to that of the patches, 0 or above.
    """

    decay: float = 0.8
    slow: float = 0.0


class ContextMemory:
    """Distance of what led up to each place of the material from what led up to the present, for one tail.

    Args:
        latents: ``[places, latent]`` of the patches of the material at equally spaced offsets, weighted for comparison.
        step: places from one patch to the one that follows it.
        step_seconds: seconds in a patch.
        kernel: how contexts are compared.

    Attributes:
        scale: mean squared distance of two places; that of ``distances`` is in units of it.
    """

    def __init__(self, latents: Tensor, step: int, step_seconds: float, kernel: ContextKernel) -> None:
        self.latents, self.step, self.kernel = latents, step, kernel
        self.scale = max(2 * float(latents.var(0, correction=0).sum()), 1e-9)
        self.recent = torch.ones(len(latents))  # weighted mean distance of the patches that led up to each place
        self.keeps = [math.exp(-step_seconds / seconds) for seconds in SLOW_SECONDS] if kernel.slow else []
        self.averages = [running_means(latents, step, keep) for keep in self.keeps]
        self.now = [latents.mean(0) for _ in self.keeps]

    def read(self, latent: Tensor) -> None:
        """The tail, or the prompt before it, goes on by a patch of ``latent``, weighted as those of the material."""
        distance = (self.latents - latent).square().sum(1) / self.scale
        summed = self.kernel.decay * self.recent + (1 - self.kernel.decay) * distance
        self.recent = torch.cat([self.recent.new_ones(self.step), summed])[: len(summed)]
        self.now = [keep * now + (1 - keep) * latent for keep, now in zip(self.keeps, self.now, strict=True)]

    def distances(self) -> Tensor:
        """``[places]`` distance of what led up to each place from what led up to now; about 1 for places at random."""
        total = self.recent
        for average, now in zip(self.averages, self.now, strict=True):
            total = total + self.kernel.slow * (average - now).square().sum(1) / slow_scale(average)
        return total

    def draw(self, generator: torch.Generator, temperature: float = 1.0) -> int:
        """One of the places whose contexts are nearest, the nearer the likelier; at a temperature of 0 the nearest."""
        places, distances = nearest_places(self.distances(), PLACES, self.step)
        excess = distances - distances[0]
        scale = SPREAD * temperature * excess.median().clamp(min=1e-9)
        if temperature == 0:
            return int(places[0])
        return int(places[torch.multinomial((-excess / scale).softmax(0), 1, generator=generator)])


def nearest_places(distances: Tensor, count: int, apart: int) -> tuple[Tensor, Tensor]:
    """The places of the smallest distances, nearest first, at least ``apart`` from each other, and their distances."""
    order = distances.topk(min(2 * apart * count, len(distances)), largest=False)
    chosen: list[int] = []
    for rank, place in enumerate(order.indices.tolist()):
        if all(abs(place - int(order.indices[other])) >= apart for other in chosen):
            chosen.append(rank)
            if len(chosen) == count:
                break
    return order.indices[chosen], order.values[chosen]


def running_means(latents: Tensor, step: int, keep: float) -> Tensor:
    """Exponential running means ``[places, latent]`` of the patches before each place; they start from the mean."""
    means = latents.mean(0).expand(len(latents), -1).clone()
    for start in range(step, len(latents), step):
        count = min(step, len(latents) - start)
        before = slice(start - step, start - step + count)
        means[start : start + count] = keep * means[before] + (1 - keep) * latents[before]
    return means


def slow_scale(averages: Tensor) -> Tensor:
    """Mean squared distance of the slow averages of two places."""
    return (2 * averages.var(0, correction=0).sum()).clamp(min=1e-9)
