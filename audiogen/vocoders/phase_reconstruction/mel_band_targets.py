"""Magnitude projections of Griffin-Lim: onto given magnitudes, or onto given mel bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.phase_reconstruction.mel_inversion import at_the_floor, bands, spread

EPSILON = 1e-16  # added to squared magnitudes, so that silence has a phase
POWER_FLOOR = 1e-9  # added to squared magnitudes before mel bands are computed, as in `log_mel`
BANDS_EVERY = 4  # iterations between evaluations of the mel bands
MAX_GAIN = 30.0  # dB by which a band is raised in one iteration, at most

Target = Callable[[Tensor], Tensor]
"""Squared magnitudes ``[channels, time, bins]`` of the current signal -> real factors to multiply its spectrum by."""


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
