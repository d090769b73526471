"""Band equaliser: adjusts the power in each mel band of rendered sound to that of the source recording.

A mel band is a sum of magnitudes; at the same sum, the power is greater the less even the magnitudes are: noise has
4 / pi (1 dB) more power than constant magnitudes. So sound that is rendered too smooth is too quiet although its mel
bands are right. The source recording gives the ratio of power to squared band; the running mean over the rendered sound
is adjusted to it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.phase_reconstruction.mel_band_projection import spread
from audiogen.vocoders.phase_reconstruction.projection import analyse, overlap, synthesise
from audiogen.vocoders.phase_reconstruction.source_spectrum import POWER_FLOOR, band_power

MAX_GAIN = 1.0  # dB; a larger difference is not one of smoothness but of the sound itself
TIME_CONSTANT = 10.0  # seconds, of the running mean


class Equaliser:
    """The equaliser of one stream; it keeps running means from block to block.

    Args:
        power_ratio: ``[channels, 1, n_mels]`` of the source recording (see `band_power_ratio`).
        spec: spec of the frames.
    """

    def __init__(self, power_ratio: Tensor, spec: MelSpec) -> None:
        self.power_ratio, self.spec = power_ratio, spec
        self._target = self._rendered = torch.zeros(())

    def __call__(self, samples: Tensor, past: Tensor, frames: Tensor, final: int) -> Tensor:
        """Equalise one rendered block.

        Args:
            samples: ``[channels, time * hop]``, the rendered block and its look-ahead.
            past: ``[channels, >= overlap]`` samples just before.
            frames: ``[channels, time, n_mels]`` log-mel of the block and its look-ahead.
            final: number of frames of the block itself, which enter the running means.

        Returns:
            ``[channels, time * hop]``.
        """
        spec = self.spec
        past = past[:, past.shape[-1] - overlap(spec) :]
        spectrum = analyse(torch.cat([past, samples], dim=-1), spec)
        decay = math.exp(-final / (TIME_CONSTANT * spec.frame_rate))
        target = self.power_ratio * (2.0 / spec.power * frames[:, :final]).exp().sum(dim=1, keepdim=True)
        self._target = decay * self._target + target
        self._rendered = decay * self._rendered + band_power(spectrum[:, :final], spec)
        largest = 10.0 ** (MAX_GAIN / 10.0)
        gains = ((self._target + POWER_FLOOR) / (self._rendered + POWER_FLOOR)).clamp(1.0 / largest, largest)
        return synthesise(spectrum * spread(gains, spec).sqrt(), past, spec)[:, overlap(spec) :]
