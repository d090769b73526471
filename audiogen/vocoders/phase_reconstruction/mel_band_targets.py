"""What the rendered spectra are drawn towards: fixed magnitudes, or nothing but the mel bands that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.phase_reconstruction.mel_inversion import at_the_floor, bands, spread

TINY = 1e-16  # added to squared magnitudes, so that silence has a phase
FAINTEST = 1e-9  # added to squared magnitudes where mel bands are taken, as `log_mel` does
EVERY = 4  # iterations that mel bands are looked at again
LOUDEST = 30.0  # dB that a band is raised at most in one iteration

Target = Callable[[Tensor], Tensor]
"""Squared magnitudes ``[channels, time, bins]`` of the current signal -> real factors to multiply its spectrum by."""


def linear(frames: Tensor, spec: MelSpec) -> tuple[Tensor, Tensor]:
    """Log-mel frames -> linear bands, and where they are at the spec's floor: there, all that is known is a limit."""
    return frames.exp(), at_the_floor(frames, spec)


def fixed(magnitude: Tensor) -> Target:
    """Projection onto the given magnitudes ``[channels, time, bins]`` (Griffin & Lim 1984)."""

    def factors(square: Tensor) -> Tensor:
        return square.add_(TINY).rsqrt_().mul_(magnitude)

    return factors


class MelBandProjection:
    """Raise or lower each bin by the gain that its mel bands need; the shape within a band stays the signal's own.

    Bands at the floor are only ever lowered to it: what lies below was not written down. Before that, bins can be
    pulled part of the way to magnitudes that are expected.

    Args:
        frames: ``[channels, time, n_mels]`` log-mel.
        largest: the most that a band is raised, in dB.
        expected: ``[channels, time, bins]`` magnitudes.
    """

    def __init__(self, frames: Tensor, spec: MelSpec, largest: float, expected: Tensor | None = None) -> None:
        self.spec, self.expected = spec, expected
        self.wanted, silent = linear(frames, spec)
        self.limit = torch.where(silent, 1.0, 10.0 ** (largest * spec.power / 20.0))
        self._asked = torch.zeros(())

    def __call__(self, square: Tensor) -> Tensor:
        magnitude = square.add_(FAINTEST).sqrt_()
        factor = self._gains(magnitude)
        self._asked = magnitude * factor
        return factor

    def pulling(self, part: Tensor) -> Target:
        """The same after each bin was pulled to what is expected of it, by ``part`` 0..1 of the way."""
        expected = self.expected
        if expected is None:
            raise ValueError("there is nothing to pull to")

        def factors(square: Tensor) -> Tensor:
            magnitude = square.add_(FAINTEST).sqrt_()
            pulled = torch.lerp(magnitude, expected, part)
            self._asked = self._gains(pulled) * pulled
            return self._asked / magnitude

        return factors

    def again(self, square: Tensor) -> Tensor:
        """Toward the magnitudes asked for last: in a third of the time, and asking anew each time gains little."""
        return square.add_(FAINTEST).rsqrt_() * self._asked

    def _gains(self, magnitude: Tensor) -> Tensor:
        spec = self.spec
        sums = bands(magnitude if spec.power == 1.0 else magnitude.pow(spec.power), spec)
        factor = spread(torch.minimum(self.wanted / sums.clamp_(min=1e-12), self.limit), spec)
        return factor if spec.power == 1.0 else factor.pow_(1.0 / spec.power)


def band_projection_schedule(bands: MelBandProjection, parts: Sequence[Tensor | None]) -> list[Target]:
    """The targets of some iterations, of which each fourth looks at the bands, the last, and the first without a pull.

    Args:
        parts: by which each pulls, to be broadcast with the magnitudes; None for not at all.
    """
    targets: list[Target] = []
    let_go = False
    for index, part in enumerate(parts):
        if index % EVERY and index < len(parts) - 1 and let_go == (part is None):
            targets.append(bands.again)
        else:
            targets.append(bands if part is None else bands.pulling(part))
        let_go = part is None
    return targets
