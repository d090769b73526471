"""Mel bands of linear-frequency magnitudes: projection of a spectrum onto given bands, and their inversion.

`MelBandProjection` is the projection that Griffin-Lim iterations alternate with, `fixed` that onto given magnitudes.
`invert` finds positive magnitudes with given mel bands by multiplicative updates for a non-negative linear model
(Richardson 1972; Lucy 1974; Lee & Seung 2001 for the Kullback-Leibler case): each bin is multiplied by the ratios of
target to current mel bands, weighted by the filterbank, and keeps the fine structure of the initial estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec

FLOOR_TOLERANCE = 1e-3  # natural log units
BINS_PER_BLOCK = 128  # of the filterbank: smaller blocks have fewer zeros, larger ones need fewer calls
EPSILON = 1e-16  # added to squared magnitudes, so that silence has a phase
POWER_FLOOR = 1e-9  # added to squared magnitudes before mel bands are computed, as in `log_mel`
BANDS_EVERY = 4  # iterations between evaluations of the mel bands
MAX_GAIN = 30.0  # dB by which a band is raised in one iteration, at most

Target = Callable[[Tensor], Tensor]
"""Squared magnitudes ``[channels, time, bins]`` of the current signal -> real factors to multiply its spectrum by."""


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


def linear(frames: Tensor, spec: MelSpec) -> tuple[Tensor, Tensor]:
    """Linear mel bands of log-mel frames, and a mask of those at the spec's floor, for which they are upper bounds."""
    return frames.exp(), at_the_floor(frames, spec)


def fixed(magnitude: Tensor) -> Target:
    """Projection onto magnitudes ``[channels, time, bins]`` (Griffin & Lim 1984)."""

    def factors(square: Tensor) -> Tensor:
        return square.add_(EPSILON).rsqrt_().mul_(magnitude)

    return factors


class MelBandProjection:
    """Multiplies each bin by the gain that its mel bands need; the shape within a band remains the signal's own.

    Bands at the spec's floor are only lowered to it, never raised, since the floor is an upper bound. Optionally, bins
    are first moved towards estimated magnitudes.

    Args:
        frames: ``[channels, time, n_mels]`` log-mel.
        spec: spec of the frames.
        max_gain: largest gain of a band, in dB.
        expected: ``[channels, time, bins]`` estimated magnitudes, for `towards_expected`.
    """

    def __init__(self, frames: Tensor, spec: MelSpec, max_gain: float, expected: Tensor | None = None) -> None:
        self.spec, self.expected = spec, expected
        self.bands, silent = linear(frames, spec)
        self.limit = torch.where(silent, 1.0, 10.0 ** (max_gain * spec.power / 20.0))
        self._target = torch.zeros(())

    def __call__(self, square: Tensor) -> Tensor:
        magnitude = square.add_(POWER_FLOOR).sqrt_()
        factor = self._gains(magnitude)
        self._target = magnitude * factor
        return factor

    def towards_expected(self, weight: Tensor) -> Target:
        """The projection after moving each bin to its expected magnitude by a weight, 0..1, broadcastable to it."""
        expected = self.expected
        if expected is None:
            raise ValueError("no expected magnitudes were given")

        def factors(square: Tensor) -> Tensor:
            magnitude = square.add_(POWER_FLOOR).sqrt_()
            moved = torch.lerp(magnitude, expected, weight)
            self._target = self._gains(moved) * moved
            return self._target / magnitude

        return factors

    def again(self, square: Tensor) -> Tensor:
        """Projection onto the target of the last evaluation: a third of the time, at little loss of quality."""
        return square.add_(POWER_FLOOR).rsqrt_() * self._target

    def _gains(self, magnitude: Tensor) -> Tensor:
        spec = self.spec
        sums = bands(magnitude if spec.power == 1.0 else magnitude.pow(spec.power), spec)
        factor = spread(torch.minimum(self.bands / sums.clamp_(min=1e-12), self.limit), spec)
        return factor if spec.power == 1.0 else factor.pow_(1.0 / spec.power)


def band_projection_schedule(bands: MelBandProjection, weights: Sequence[Tensor | None]) -> list[Target]:
    """The magnitude projections of a number of iterations.

    The mel bands are evaluated in every fourth iteration, in the first one without estimated magnitudes, and in the
    last; the others repeat the previous target.

    Args:
        bands: the projection.
        weights: of the estimated magnitudes in each iteration, see `MelBandProjection.towards_expected`; None for an
            iteration that uses the mel bands only.
    """
    targets: list[Target] = []
    free = False
    for index, weight in enumerate(weights):
        if index % BANDS_EVERY and index < len(weights) - 1 and free == (weight is None):
            targets.append(bands.again)
        else:
            targets.append(bands if weight is None else bands.towards_expected(weight))
        free = weight is None
    return targets
