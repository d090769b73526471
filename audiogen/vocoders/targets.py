"""What the rendered spectra are drawn towards: fixed magnitudes, or nothing but the mel bands that were asked for."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.mel_inversion import bands, spread

TINY = 1e-16  # added to squared magnitudes, so that silence has a phase
FAINTEST = 1e-9  # added to squared magnitudes where mel bands are taken, as `log_mel` does
AT_THE_FLOOR = 1e-3  # natural log units: what is this close to a spec's silence lies below its floor

Target = Callable[[Tensor], Tensor]
"""Squared magnitudes ``[channels, time, bins]`` of the current signal -> real factors to multiply its spectrum by."""


def linear(frames: Tensor, spec: MelSpec) -> tuple[Tensor, Tensor]:
    """Log-mel frames -> linear bands, and where they are at the spec's floor: there, all that is known is a limit."""
    return frames.exp(), frames <= spec.silence + AT_THE_FLOOR


def fixed(magnitude: Tensor) -> Target:
    """Projection onto the given magnitudes ``[channels, time, bins]`` (Griffin & Lim 1984)."""

    def factors(square: Tensor) -> Tensor:
        return square.add_(TINY).rsqrt_().mul_(magnitude)

    return factors


def toward_bands(frames: Tensor, spec: MelSpec, largest: float) -> Target:
    """Raise or lower each bin by the gain that its mel bands need; the shape within a band stays the signal's own.

    Bands at the floor are only ever lowered to it: what lies below was not written down.

    Args:
        frames: ``[channels, time, n_mels]`` log-mel.
        largest: the most that a band is raised, in dB.
    """
    wanted, silent = linear(frames, spec)
    limit = torch.where(silent, 1.0, 10.0 ** (largest * spec.power / 20.0))

    def factors(square: Tensor) -> Tensor:
        magnitude = square.add_(FAINTEST).sqrt_()
        if spec.power != 1.0:
            magnitude = magnitude.pow_(spec.power)
        gains = torch.minimum(wanted / bands(magnitude, spec).clamp_(min=1e-12), limit)
        factor = spread(gains, spec)
        return factor.pow_(1.0 / spec.power) if spec.power != 1.0 else factor

    return factors


def first_toward(magnitude: Tensor, certainty: Tensor, then: Target) -> Target:
    """Pull each bin part of the way to its expected magnitude before ``then`` does its work.

    Args:
        magnitude: ``[channels, time, bins]``.
        certainty: to be broadcast with it, the part in 0..1.
    """

    def factors(square: Tensor) -> Tensor:
        factor = torch.lerp(torch.ones_like(certainty), magnitude * (square + TINY).rsqrt(), certainty)
        return factor * then(square * factor.square())

    return factors
