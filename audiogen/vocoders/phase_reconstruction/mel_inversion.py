"""Mel inversion: positive linear-frequency magnitudes with given mel bands.

Multiplicative updates for a non-negative linear model (Richardson 1972; Lucy 1974; Lee & Seung 2001 for the
Kullback-Leibler case): each bin is multiplied by the ratios of target to current mel bands, weighted by the filterbank.
Magnitudes stay positive and keep the fine structure of the initial estimate.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec

FLOOR_TOLERANCE = 1e-3  # natural log units
BINS_PER_BLOCK = 128  # of the filterbank: smaller blocks have fewer zeros, larger ones need fewer calls


@lru_cache(maxsize=16)
def _blocks(spec: MelSpec, device: torch.device) -> tuple[list[tuple[slice, Tensor]], list[tuple[slice, Tensor]]]:
    """Dense blocks of the filterbank (bins to bands) and of its normalised transpose (bands to bins).

    There are fewer blocks than in `audiogen.representation.mel.mel_bands`; the sums differ in rounding only.
    """
    bank = torch.tensor(spec.filterbank())
    forward = []
    for rows in torch.arange(spec.n_mels).tensor_split(max(spec.bins // BINS_PER_BLOCK, 1)):
        used = bank[rows].any(dim=0).nonzero().flatten()
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        forward.append((bins, bank[rows][:, bins].T.contiguous().to(device)))
    # Bins outside all bands (the lowest, where a triangle starts at zero) follow the nearest bin inside one: were they
    # silent, no consistent signal could have the low end that the other bins require.
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
    """Mask of log-mel values at the spec's floor, which are upper bounds of the true value."""
    return frames <= spec.silence + FLOOR_TOLERANCE


def bands(magnitude: Tensor, spec: MelSpec) -> Tensor:
    """Mel bands ``[..., n_mels]``, linear, of magnitudes ``[..., bins]``."""
    return torch.cat([magnitude[..., bins] @ block for bins, block in _blocks(spec, magnitude.device)[0]], dim=-1)


def spread(gains: Tensor, spec: MelSpec) -> Tensor:
    """Gains of bins ``[..., bins]`` from gains of bands ``[..., n_mels]``: means weighted by the filterbank."""
    return torch.cat([gains[..., rows] @ block for rows, block in _blocks(spec, gains.device)[1]], dim=-1)


def invert(frames: Tensor, spec: MelSpec, iterations: int = 20, start: Tensor | None = None) -> Tensor:
    """Positive magnitudes with the given mel bands.

    Args:
        frames: ``[..., n_mels]`` log-mel.
        spec: spec of the frames.
        iterations: number of multiplicative updates.
        start: ``[..., bins]`` positive initial estimate of ``magnitude ** spec.power``; None for the bands spread
            evenly over their bins.

    Returns:
        ``[..., bins]`` magnitudes.
    """
    target = frames.exp().masked_fill(at_the_floor(frames, spec), 0.0)  # values at the floor are taken as zero
    if start is None:
        unit = bands(torch.ones(spec.bins, device=frames.device), spec).clamp(min=1e-12)
        start = spread(target / unit, spec)
    estimate = start.clamp(min=1e-12)
    for _ in range(iterations):
        estimate = estimate * spread(target / bands(estimate, spec).clamp(min=1e-12), spec)
    return estimate.pow(1.0 / spec.power) if spec.power != 1.0 else estimate
