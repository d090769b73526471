"""Log-mel frames -> linear-frequency magnitudes: positive, fast, on the banded filterbank.

Expectation-maximisation for a positive linear model (Richardson 1972; Lucy 1974; Lee & Seung 2001 for the
Kullback-Leibler case): multiply each bin by the ratios of wanted to present mel bands, weighted as the filterbank
weights them. Every step is positive by construction and keeps the fine shape it started from.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec

AT_THE_FLOOR = 1e-3  # natural log units
BINS_A_GROUP = 128  # of the dense blocks that the filterbank is cut into: fewer zeros against fewer calls


@lru_cache(maxsize=16)
def _blocks(spec: MelSpec, device: torch.device) -> tuple[list[tuple[slice, Tensor]], list[tuple[slice, Tensor]]]:
    """The filterbank cut along its bands (bins -> bands), and its normalised transpose cut along its bins."""
    bank = torch.tensor(spec.filterbank())
    forward = []
    for rows in torch.arange(spec.n_mels).tensor_split(max(spec.bins // BINS_A_GROUP, 1)):
        used = bank[rows].any(dim=0).nonzero().flatten()
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        forward.append((bins, bank[rows][:, bins].T.contiguous().to(device)))
    # Bins that no band sees (the lowest, where a triangle starts at zero) follow the nearest that one does: were they
    # silent, no consistent signal could have the low end that the others ask for.
    seen = (bank.sum(dim=0) > 0).nonzero().flatten()
    nearest = (torch.arange(spec.bins)[:, None] - seen).abs().argmin(dim=1)
    weight = bank[:, seen[nearest]]
    weight = weight / weight.sum(dim=0)
    edges = [0, *(min(bins.stop, spec.bins) for bins, _ in forward[:-1]), spec.bins]
    backward = []
    for low, high in pairwise(edges):
        used = weight[:, low:high].any(dim=1).nonzero().flatten()
        bands = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        backward.append((bands, weight[bands, low:high].contiguous().to(device)))
    return forward, backward


def at_the_floor(frames: Tensor, spec: MelSpec) -> Tensor:
    """Where log-mel frames are their spec's silence: all that is known is that nothing was louder."""
    return frames <= spec.silence + AT_THE_FLOOR


def bands(magnitude: Tensor, spec: MelSpec) -> Tensor:
    """``[..., bins]`` -> ``[..., n_mels]`` band sums."""
    return torch.cat([magnitude[..., bins] @ block for bins, block in _blocks(spec, magnitude.device)[0]], dim=-1)


def spread(gains: Tensor, spec: MelSpec) -> Tensor:
    """``[..., n_mels]`` band gains -> ``[..., bins]``: each bin takes the mean of its bands, as it weighs in them."""
    return torch.cat([gains[..., rows] @ block for rows, block in _blocks(spec, gains.device)[1]], dim=-1)


def invert(frames: Tensor, spec: MelSpec, iterations: int = 20, start: Tensor | None = None) -> Tensor:
    """Positive magnitudes whose mel bands are the given ones.

    Args:
        frames: ``[..., n_mels]`` log-mel.
        iterations: of expectation-maximisation.
        start: ``[..., bins]`` positive, the shape to start from; by default the bands spread over their bins.

    Returns:
        ``[..., bins]`` magnitudes (for a spec of power 2, their square root is taken).
    """
    wanted = frames.exp().masked_fill(at_the_floor(frames, spec), 0.0)  # at the floor, nothing is as good as any
    if start is None:
        unit = bands(torch.ones(spec.bins, device=frames.device), spec).clamp(min=1e-12)
        start = spread(wanted / unit, spec)
    estimate = start.clamp(min=1e-12)
    for _ in range(iterations):
        estimate = estimate * spread(wanted / bands(estimate, spec).clamp(min=1e-12), spec)
    return estimate.pow(1.0 / spec.power) if spec.power != 1.0 else estimate
