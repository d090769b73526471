"""Spectral statistics of the source recording that mel frames do not contain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, hann, mel_bands
from audiogen.vocoders.phase_reconstruction.mel_band_projection import bands

MAX_WINDOWS = 4096  # analysed, evenly spaced
POWER_FLOOR = 1e-12


@dataclass(frozen=True)
class SourceSpectrum:
    """Statistics of the source recording that a vocoder uses, each None where unknown.

    Args:
        shape: ``[channels, 1, bins]``, long-term spectrum; see `mean_magnitude`.
        power_ratio: ``[channels, 1, n_mels]``, see `band_power_ratio`.
    """

    shape: Tensor | None = None
    power_ratio: Tensor | None = None

    @classmethod
    def of(cls, source: Tensor | None, spec: MelSpec, equalise: bool) -> Self:
        """Analyse a recording ``[channels, samples]``; None, or one shorter than a window, has no statistics.

        Args:
            source: at ``spec.sample_rate``.
            spec: spec of the frames.
            equalise: whether the power ratio is needed.
        """
        if source is None or source.shape[-1] < spec.win:
            return cls()
        return cls(mean_magnitude(source, spec), band_power_ratio(source, spec) if equalise else None)

    def require_channels(self, channels: int) -> None:
        """Raise a ValueError if the source has another number of channels."""
        if self.shape is not None and len(self.shape) != channels:
            raise ValueError(f"the source has {len(self.shape)} channels, the frames {channels}")


def mean_magnitude(source: Tensor, spec: MelSpec) -> Tensor:
    """Long-term spectrum of a recording: the mean of ``magnitude ** spec.power``, ``[channels, 1, bins]``.

    Args:
        source: ``[channels, samples]``, at least one window.
        spec: window, hop and power.
    """
    total, count = source.new_zeros(len(source), 1, spec.bins), 0
    for spectrum in _spectra(source, spec):
        total += spectrum.abs().pow(spec.power).sum(dim=1, keepdim=True)
        count += spectrum.shape[1]
    return total / count + 1e-7


def band_power_ratio(source: Tensor, spec: MelSpec) -> Tensor:
    """Ratio of the power in each mel band to the squared band value of a recording, ``[channels, 1, n_mels]``.

    Args:
        source: ``[channels, samples]``, at least one window.
        spec: spec of the frames.
    """
    power = squares = torch.full((), POWER_FLOOR)
    for spectrum in _spectra(source, spec):
        sums = mel_bands(spectrum.abs().pow(spec.power), spec)
        power = power + band_power(spectrum, spec)
        squares = squares + sums.pow(2.0 / spec.power).sum(dim=1, keepdim=True)
    return power / squares


def band_power(spectrum: Tensor, spec: MelSpec) -> Tensor:
    """Power in the mel bands of spectra ``[channels, time, bins]``, summed over time: ``[channels, 1, n_mels]``."""
    return bands((spectrum.real.square() + spectrum.imag.square()).sum(dim=1, keepdim=True), spec)


def _spectra(source: Tensor, spec: MelSpec) -> Iterator[Tensor]:
    """Spectra ``[channels, time, bins]`` of evenly spaced windows, some at a time."""
    windows = source.unfold(-1, spec.win, spec.hop)
    for tile in windows[:, :: -(-windows.shape[1] // MAX_WINDOWS)].split(128, dim=1):
        yield torch.fft.rfft(tile * hann(spec, source.device))
