"""The power that goes with the mel bands of a recording, and rendered sound led to it.

A band of a mel frame is a sum of magnitudes, and for the same sum there is the more power the less even they are:
magnitudes of noise have 4 / pi (1 dB) more than constant ones. So what is rendered smoother than it was comes out too
weak where its bands are right. The recording tells how much power its bands went with; the mean over what was rendered
lately is led there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, hann, mel_bands
from audiogen.vocoders.phase_reconstruction.mel_inversion import bands, spread
from audiogen.vocoders.phase_reconstruction.projection import analyse, pinned, synthesise

LARGEST = 1.0  # dB that a band is raised or lowered: more is no matter of smoothness, but of another sound
MEMORY = 10.0  # seconds after which what was rendered is forgotten by a factor of e
FAINTEST = 1e-12


class Equaliser:
    """Of one stream.

    Args:
        fullness: ``[channels, 1, n_mels]`` of the recording (see `band_power_ratio`).
        spec: of the frames.
    """

    def __init__(self, band_power_ratio: Tensor, spec: MelSpec) -> None:
        self.fullness, self.spec = band_power_ratio, spec
        self._wanted = self._found = torch.zeros(())

    def __call__(self, samples: Tensor, past: Tensor, frames: Tensor, final: int) -> Tensor:
        """One rendered block, equalised.

        Args:
            samples: ``[channels, time * hop]``, as they were rendered.
            past: ``[channels, >= pinned]`` samples just before.
            frames: ``[channels, time, n_mels]`` log-mel that were to be rendered.
            final: how many of them count; the rest will come again.
        """
        spec = self.spec
        past = past[:, past.shape[-1] - pinned(spec) :]
        spectrum = analyse(torch.cat([past, samples], dim=-1), spec)
        kept = math.exp(-final / (MEMORY * spec.frame_rate))
        wanted = self.fullness * (2.0 / spec.power * frames[:, :final]).exp().sum(dim=1, keepdim=True)
        self._wanted = kept * self._wanted + wanted
        self._found = kept * self._found + _power(spectrum[:, :final], spec)
        largest = 10.0 ** (LARGEST / 10.0)
        gains = ((self._wanted + FAINTEST) / (self._found + FAINTEST)).clamp(1.0 / largest, largest)
        return synthesise(spectrum * spread(gains, spec).sqrt(), past, spec)[:, pinned(spec) :]


def _power(spectrum: Tensor, spec: MelSpec) -> Tensor:
    """``[channels, time, bins]`` -> ``[channels, 1, n_mels]``, summed over time."""
    return bands((spectrum.real.square() + spectrum.imag.square()).sum(dim=1, keepdim=True), spec)


def band_power_ratio(source: Tensor, spec: MelSpec, most: int = 4096) -> Tensor:
    """Power in the mel bands of a recording over their squares, ``[channels, 1, n_mels]``.

    Args:
        source: ``[channels, samples]``, a window at least.
        most: windows that it is taken from.
    """
    windows = source.unfold(-1, spec.win, spec.hop)
    chosen = windows[:, :: -(-windows.shape[1] // most)]
    power = squares = torch.full((), FAINTEST)
    for tile in chosen.split(128, dim=1):
        spectrum = torch.fft.rfft(tile * hann(spec, source.device))
        sums = mel_bands(spectrum.abs().pow(spec.power), spec)
        power = power + _power(spectrum, spec)
        squares = squares + sums.pow(2.0 / spec.power).sum(dim=1, keepdim=True)
    return power / squares
