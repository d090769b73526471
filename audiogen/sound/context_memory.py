"""Memory of a recording's own contexts: what followed, where the recording was most like the tail is now?

A nearest-neighbour language model over patches (Khandelwal et al. 2020, arXiv 1911.00172; for pictures, the video
textures of Schödl et al. 2000): each place of the material is compared with the tail by what led up to it, patch by
patch, the last ones counting most, and one of the nearest is sampled. The sums of the distances are carried on from
patch to patch, so that a tail of any length takes constant memory and a step costs one comparison of each place.

Half a second tells what fits, but not where in a slow course the tail is; seconds do: both count. And a place that was
sampled is followed for a while: what comes after it guides the tail, while patch selection, which bars copies,
realises it by other moments. Otherwise a course would have to survive ten draws a second. How much each context counts,
and for how long a place is followed, depends on what they foretell within the recording (`context_skill`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

DECAYS = (0.8, 0.98)  # weight of a patch relative to the one after it: half a second, and five, count
PLACES = 8  # of which one is sampled, at least a patch from each other
SPREAD = 0.3  # scale of the distances in sampling, in units of that between the nearest and the median place


class ContextSkill(NamedTuple):
    """What contexts are worth in a recording; measured by `context_skill.context_skill`.

    Args:
        weights: ``[decays]`` of their distances; the sum is 1.
        mean_followed: patches for which a place is followed in the mean before another one is sampled, 1 or more.
    """

    weights: Tensor
    mean_followed: float


class ContextSums:
    """Distance of what led up to each place of the material from what led up to the present.

    Args:
        latents: ``[places, latent]`` of the patches of the material at equally spaced offsets, weighted for comparison.
        step: places from one patch to the one that follows it.

    Attributes:
        scale: mean squared distance of two places.
        sums: ``[decays, places]`` weighted mean distances of the patches that led up to each place; about 1 at random.
    """

    def __init__(self, latents: Tensor, step: int) -> None:
        self.latents, self.step = latents, step
        self.scale = max(2 * float(latents.var(0, correction=0).sum()), 1e-9)
        self.decays = torch.tensor(DECAYS)[:, None]
        self.sums = torch.ones(len(DECAYS), len(latents))

    def read(self, latent: Tensor) -> None:
        """The present goes on by a patch of ``latent``, weighted as those of the material."""
        distance = (self.latents - latent).square().sum(1) / self.scale
        summed = self.decays * self.sums + (1 - self.decays) * distance
        self.sums = torch.cat([torch.ones(len(DECAYS), self.step), summed], dim=1)[:, : len(distance)]


class ContextMemory(ContextSums):
    """What followed, in the material, contexts like the tail's own, for one tail.

    Args:
        latents, step: see `ContextSums`.
        skill: of contexts in the material.

    Attributes:
        distances: ``[places]`` weighted mean of the sums.
    """

    def __init__(self, latents: Tensor, step: int, skill: ContextSkill) -> None:
        super().__init__(latents, step)
        self.skill = skill
        self.distances = skill.weights @ self.sums
        self.place: int | None = None  # what guides the tail

    def read(self, latent: Tensor) -> None:
        super().read(latent)
        self.distances = self.skill.weights @ self.sums

    def follow(self, generator: torch.Generator, temperature: float = 1.0) -> int:
        """The place after the latest one, while its context is nearer than most, for some patches, or a new one."""
        leaves = float(torch.rand((), generator=generator)) < 1 / self.skill.mean_followed
        following = len(self.distances) if self.place is None or leaves else self.place + self.step
        near = following < len(self.distances) and bool(self.distances[following] < self.distances.median())
        self.place = following if near else self.draw(generator, temperature)
        return self.place

    def draw(self, generator: torch.Generator, temperature: float = 1.0) -> int:
        """One of the places whose contexts are nearest, the nearer the likelier; at a temperature of 0 the nearest."""
        places, distances = nearest_places(self.distances, PLACES, self.step)
        if temperature == 0:
            return int(places[0])
        excess = distances - distances[0]
        scale = SPREAD * temperature * excess.median().clamp(min=1e-9)
        return int(places[torch.multinomial((-excess / scale).softmax(0), 1, generator=generator)])


def nearest_places(distances: Tensor, count: int, spacing: int) -> tuple[Tensor, Tensor]:
    """The places of smallest distance, nearest first and at least ``spacing`` from each other, and their distances."""
    order = distances.topk(min(2 * spacing * count, len(distances)), largest=False)
    chosen, barred = list[int](), bytearray(len(distances))
    for rank, place in enumerate(order.indices.tolist()):
        if not barred[place]:
            chosen.append(rank)
            if len(chosen) == count:
                break
            first, last = max(place - spacing + 1, 0), min(place + spacing, len(barred))
            barred[first:last] = b"\1" * (last - first)
    return order.indices[chosen], order.values[chosen]
