"""Memory of a recording's own contexts: what followed, where the recording was most like the tail is now?

A nearest-neighbour language model over patches (Khandelwal et al. 2020, arXiv 1911.00172; for pictures, the video
textures of Schödl et al. 2000): each place of the material is compared with the tail by what led up to it, patch by
patch, the last one counting most. The sum of the distances is carried on from patch to patch, so that a tail of any
length takes constant memory and a step costs one comparison of each place. How fast the past is forgotten, and how much
the level and colour of the last seconds count, differs between recordings: the memory is fitted on the material itself
(`context_fit`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SLOW_SECONDS = (1.0, 4.0)  # time constants of the slow averages that are compared


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
    """Distance of what led up to each place of the material from what led up to the present.

    Args:
        latents: ``[places, latent]`` of the patches of the material at equally spaced offsets, weighted for comparison.
        step: places from one patch to the one that follows it.
        step_seconds: seconds in a patch.
        kernel: how contexts are compared.

    Attributes:
        latents: scaled so that the mean squared distance of two places is 1.
    """

    def __init__(self, latents: Tensor, step: int, step_seconds: float, kernel: ContextKernel) -> None:
        self.scale = float((2 * latents.var(0, correction=0).sum()).clamp(min=1e-9).sqrt())
        self.latents, self.step, self.kernel = latents / self.scale, step, kernel
        self.recent = torch.ones(len(latents))  # weighted mean distance of the patches that led up to each place
        self.keeps = [math.exp(-step_seconds / seconds) for seconds in SLOW_SECONDS] if kernel.slow else []
        self.averages = [running_means(self.latents, step, keep) for keep in self.keeps]
        self.spreads = [2 * average.var(0, correction=0).sum().clamp(min=1e-9) for average in self.averages]
        self.now = [self.latents.mean(0) for _ in self.keeps]

    def read(self, latent: Tensor) -> None:
        """The tail, or the prompt before it, goes on by a patch of ``latent``, weighted as those of the material."""
        latent = latent / self.scale
        distance = (self.latents - latent).square().sum(1)
        summed = self.kernel.decay * self.recent + (1 - self.kernel.decay) * distance
        self.recent = torch.cat([self.recent.new_ones(min(self.step, len(summed))), summed[: -self.step]])
        self.now = [keep * now + (1 - keep) * latent for keep, now in zip(self.keeps, self.now, strict=True)]

    def distances(self) -> Tensor:
        """``[places]`` distance of what led up to each place from what led up to now; 1 for places at random."""
        slow = [
            (average - now).square().sum(1) / spread
            for average, now, spread in zip(self.averages, self.now, self.spreads, strict=True)
        ]
        return self.recent + self.kernel.slow * sum(slow) if slow else self.recent


def running_means(latents: Tensor, step: int, keep: float) -> Tensor:
    """Exponential running mean ``[places, latent]`` of the patches before each place, from the mean of all on."""
    means = latents.mean(0).expand(len(latents), -1).clone()
    for start in range(step, len(latents), step):
        before = slice(start - step, min(start, len(latents) - step))
        means[start : start + step] = keep * means[before] + (1 - keep) * latents[before]
    return means
