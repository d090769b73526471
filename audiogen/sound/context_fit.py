"""Fit of a `ContextKernel` to a recording: by which memory do its own places foretell best what follows?

Leave-one-out forecasts by analogues (Lorenz 1969, J. Atmos. Sci. 26:636): for places throughout the material, the
latents that follow now and up to 1.6 s later are forecast as the mean of what followed the six nearest contexts
elsewhere. The kernel with the smallest error, in units of each lag's variance, is taken.
"""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor

from audiogen.sound.context_memory import SLOW_SECONDS, ContextKernel, running_means, slow_scale

DECAYS, SLOW_WEIGHTS = (0.6, 0.8, 0.9, 0.95), (0.0, 0.1, 0.3, 1.0)
DEFAULT = ContextKernel()
MIN_GAIN = 0.05  # of the error relative to that of the default, below which kernels do not differ
CONTEXT = 30  # patches: 2.8 s
LAGS = (0, 1, 4, 9, 17)  # patches
QUERIES, CANDIDATES = 256, 5000  # places that are forecast, and searched
NEIGHBOURS = 6
SEPARATION_SECONDS = 1.5  # of a place from those that forecast it


def fit_kernel(latents: Tensor, step: int, step_seconds: float) -> ContextKernel:
    """The kernel of the best forecasts; see the module.

    Args:
        latents, step, step_seconds: as of `ContextMemory`.

    Returns:
        The default kernel if the material is shorter than three times what is compared.
    """
    first, last = min(CONTEXT, len(latents) // (4 * step)) * step, len(latents) - 1 - LAGS[-1] * step
    apart = round(SEPARATION_SECONDS / step_seconds) * step
    if last - first < 3 * apart:
        return DEFAULT
    queries = torch.linspace(first, last, min(QUERIES, last - first + 1)).long()
    places = torch.linspace(first, last, min(CANDIDATES, max((last - first) // max(step // 2, 1), 1))).long()
    errors = _errors(latents, step, step_seconds, queries, places, apart)
    best = min(errors, key=errors.__getitem__)
    return best if errors[best] < (1 - MIN_GAIN) * errors[DEFAULT] else DEFAULT


def _errors(
    latents: Tensor, step: int, step_seconds: float, queries: Tensor, places: Tensor, apart: int
) -> dict[ContextKernel, float]:
    scale = (2 * latents.var(0, correction=0).sum()).clamp(min=1e-9)
    near = (queries[:, None] - places).abs() < apart
    recent = {decay: torch.zeros(near.shape) for decay in DECAYS}
    for age in range(CONTEXT):
        back = (age + 1) * step
        distance = torch.cdist(latents[(queries - back).clamp(min=0)], latents[(places - back).clamp(min=0)]).square()
        for decay, total in recent.items():
            total += (1 - decay) * decay**age / scale * distance
    slow = torch.zeros(near.shape)
    for seconds in SLOW_SECONDS:
        means = running_means(latents, step, math.exp(-step_seconds / seconds))
        slow += torch.cdist(means[queries], means[places]).square() / slow_scale(means)

    lags = step * torch.tensor(LAGS)
    targets, follows = latents[queries[:, None] + lags], latents[places[:, None] + lags]
    variance = (targets - targets.mean(0)).square().sum(-1).mean(0).clamp(min=1e-9)
    errors = {}
    for decay, weight in product(DECAYS, SLOW_WEIGHTS):
        total = (recent[decay] + weight * slow).masked_fill(near, torch.inf)
        nearest = total.topk(NEIGHBOURS, largest=False).indices
        error = (follows[nearest].mean(1) - targets).square().sum(-1).mean(0) / variance
        errors[ContextKernel(decay, weight)] = float(error.mean())
    return errors
