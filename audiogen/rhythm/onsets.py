"""Onset strength: how much energy sets in at each moment, the envelope that pulse and beats are found in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from audiogen.representation.mel import MelSpec, log_mel

HOP_SECONDS = 0.005
RISE_SECONDS = 0.02  # over which a rise of a band counts as an onset
BANDS = 40
MIN_HERTZ, MAX_HERTZ = 30.0, 16000.0
FLOOR = 1e-4  # of the mean band power, added to each: what is 40 dB below the rest sets no accent


@dataclass(frozen=True)
class OnsetTrack:
    """Band levels and onset strength of a recording.

    Args:
        levels: ``[frames, bands]`` logarithm of the power in mel bands, all channels together.
        strength: ``[frames]`` half-wave rectified rise of the levels, averaged over bands.
        rate: frames per second. Frame ``t`` is centred on second ``t / rate``.
    """

    levels: np.ndarray
    strength: np.ndarray
    rate: float


def track_onsets(samples: np.ndarray, sample_rate: int) -> OnsetTrack:
    """Band levels and onset strength (log-domain spectral flux; Dixon 2006, "Onset detection revisited", DAFx).

    Args:
        samples: ``[channels, time]``.
        sample_rate: Hz.
    """
    size = 2 ** round(np.log2(0.0232 * sample_rate))
    hop = max(round(HOP_SECONDS * sample_rate), 1)
    top = min(MAX_HERTZ, sample_rate / 2)
    spec = MelSpec(sample_rate, size, size, hop, BANDS, MIN_HERTZ, top, power=2.0, padding="center", floor=1e-12)
    power = log_mel(torch.from_numpy(np.ascontiguousarray(samples, np.float32)), spec).exp().sum(0).numpy()
    levels = np.log(power + FLOOR * power.mean() + 1e-12)
    rate = sample_rate / hop
    lag = round(RISE_SECONDS * rate)
    rise = np.maximum(levels[lag:] - levels[:-lag], 0).mean(1)
    # The rise from one frame to another is that of the moment in between.
    strength = np.pad(rise, (lag // 2, lag - lag // 2))
    return OnsetTrack(levels, strength, rate)
