"""Phase-gradient integration: initial phases from magnitudes alone, frame by frame.

The gradients are those of a Gaussian window (Prusa, Balazs & Sondergaard 2017, eq. 15 to 18; a Hann window of length M
behaves as a Gaussian with gamma = 0.25645 M^2). The order of integration is that of real-time PGHI (Prusa & Holighaus
2017): each bin takes its phase either from the same bin one frame earlier or from its louder neighbour in the same
frame, whichever is more reliable. They decide with a heap, bin by bin; here each bin decides from its two neighbours,
without a heap or a loop over bins. The choice is the same wherever the spectrum rises steadily towards its peaks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec

GAMMA = 0.25645  # of a Hann window, in squared window lengths


def gradients(log_magnitude: Tensor, spec: MelSpec) -> tuple[Tensor, Tensor]:
    """Phase differences implied by log magnitudes.

    Args:
        log_magnitude: ``[channels, time, bins]``, natural logarithm, of all bins or the lowest ones.
        spec: window and hop.

    Returns:
        Differences in radians to the previous frame and to the previous bin (0 for the first bin), both ``[channels,
        time, bins]``, by the trapezoidal rule; phases are relative to the start of the window.
    """
    gamma = GAMMA * spec.win**2
    padded = torch.nn.functional.pad(log_magnitude, (1, 1), mode="replicate")
    bins = torch.arange(log_magnitude.shape[-1], device=log_magnitude.device)
    carrier = (bins * spec.hop).remainder(spec.n_fft) * (2.0 * math.pi / spec.n_fft)
    along = (padded[..., 2:] - padded[..., :-2]) * (spec.hop * spec.n_fft / (2.0 * gamma)) + carrier
    before = torch.cat([log_magnitude[:, :1], log_magnitude[:, :-1]], dim=1)
    after = torch.cat([log_magnitude[:, 1:], log_magnitude[:, -1:]], dim=1)
    across = (before - after) * (gamma / (2.0 * spec.hop * spec.n_fft)) - math.pi
    in_time = along.clone()
    in_time[:, 1:] = 0.5 * (along[:, 1:] + along[:, :-1])
    # The carriers of two frames are equal, so their mean is exact.
    in_frequency = torch.zeros_like(across)
    in_frequency[..., 1:] = 0.5 * (across[..., 1:] + across[..., :-1])
    return in_time, in_frequency


def _roots(log_magnitude: Tensor) -> Tensor:
    """For each bin, the bin of its frame from which its phase is integrated, ``[channels, time - 1, bins]``.

    That bin, the root, takes its phase from the frame before.
    """
    before, now = log_magnitude[:, :-1], log_magnitude[:, 1:]
    reach = torch.minimum(before, now)
    low = torch.full_like(reach[..., :1], -math.inf)
    left = torch.cat([low, reach[..., :-1]], dim=-1)
    right = torch.cat([reach[..., 1:], low], dim=-1)
    from_time = before >= torch.maximum(left, right)
    bins = torch.arange(now.shape[-1], device=now.device)
    anchors = torch.where(from_time, bins, -1)
    to_left = anchors.cummax(dim=-1).values
    anchors = torch.where(from_time, bins, now.shape[-1])
    to_right = anchors.flip(-1).cummin(dim=-1).values.flip(-1)
    go_left = from_time | (left > right)
    # A run that starts at the lowest bin has no root to its left; one that ends at the highest none to its right.
    root = torch.where(go_left, to_left, to_right)
    root = torch.where(root < 0, to_right, root)
    return torch.where(root >= now.shape[-1], to_left, root).clamp(min=0)


def integrate(magnitude: Tensor, first: Tensor, spec: MelSpec) -> Tensor:
    """Phases of each frame, continued from the phases of the first.

    Args:
        magnitude: ``[channels, 1 + time, bins]``, of the known frame and those that follow it.
        first: ``[channels, bins]``, phase of the known frame, radians.
        spec: window and hop.

    Returns:
        ``[channels, time, bins]`` radians.
    """
    log_magnitude = magnitude.clamp(min=1e-9).log()
    in_time, in_frequency = gradients(log_magnitude, spec)
    roots = _roots(log_magnitude)
    climb = in_frequency[:, 1:].double().cumsum(dim=-1)
    steps = in_time[:, 1:].double().gather(-1, roots) + climb - climb.gather(-1, roots)
    phase, phases = first.double(), []
    for root, step in zip(roots.unbind(1), steps.unbind(1), strict=True):
        phase = phase.gather(-1, root) + step
        phases.append(phase)
    return torch.stack(phases, dim=1).remainder(2.0 * math.pi).float()
