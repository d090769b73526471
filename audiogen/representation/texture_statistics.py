"""The statistics of a stretch of sound that texture is recognised by, from its cochleagram.

After McDermott & Simoncelli (2011), "Sound texture perception via statistics of the auditory periphery: evidence from
sound synthesis", Neuron 71:926-940. By class:

- ``spectrum``: mean of each envelope, in dB;
- ``moments``: coefficient of variation, skewness and kurtosis of each envelope;
- ``attack``: skewness of each envelope's rises over 10 ms: sharp onsets with slow decays against the
  reverse. It stands for the paper's C2, whose purpose it serves at a tenth of the cost;
- ``correlation``: between the envelopes of bands 1, 2, 3, 5, 8, 11, 16 and 21 apart (the paper's C);
- ``modulation``: power of each envelope in octave bands around 4 to 128 Hz, a share of its variance, in dB;
- ``slow modulation``: the same around 0.5, 1 and 2 Hz (swells, gusts, waves), averaged over 8 neighbouring
  bands: a stretch holds few such cycles, and band by band their scatter would hide a missing swell;
- ``comodulation``: correlation of neighbouring bands within each modulation band (the paper's C1).

They are differentiable: what measures a texture also tells how to reach it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audiogen.representation.cochleagram import COMPRESSION, FRAME_RATE

BAND_OFFSETS = (1, 2, 3, 5, 8, 11, 16, 21)  # of band pairs whose correlation is taken (the paper's)
MODULATIONS = tuple(2.0**octave for octave in range(-1, 8))  # 0.5 .. 128 Hz
SLOW_BELOW = 4.0  # Hz: modulations below are slow
BANDS_PER_GROUP = 8  # neighbouring bands whose slow modulation power is averaged
RISE_RATE = 100  # a second: a rise is taken over 10 ms
SCATTER_SECONDS, SCATTER_PARTS = 2, 12  # scatter is taken over stretches of 2 s or a twelfth
PRIOR_SEGMENTS = 4.0  # stretches' worth of trust in the mean scatter of the class

RESOLUTION = {
    "spectrum": 0.05,
    "moments": 0.005,
    "attack": 0.005,
    "correlation": 0.002,
    "modulation": 0.05,
    "slow modulation": 0.05,
    "comodulation": 0.002,
}
"""What each class cannot resolve, in its own unit: smaller scatter of real audio counts as this much."""
DEFAULT_RESOLUTION = 0.005  # of other classes

Analysis = Callable[[Tensor, int], dict[str, Tensor]]
"""Envelopes ``[..., bands, time]`` and their rate in Hz -> class -> ``[..., values]``."""
Statistics = dict[str, np.ndarray]
"""Class name -> ``[channels, stretches, values]``."""


@torch.no_grad()
def statistics(
    envelope: np.ndarray, frames: int, frame_rate: int = FRAME_RATE, of: Analysis | None = None
) -> Statistics:
    """Statistics of each stretch of a recording.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes.
        frames: length of a stretch.
        frame_rate: Hz, of the envelopes.
        of: what is said of a stretch; `segment_statistics` unless named.

    Returns:
        class -> ``[channels, stretches, values]``, of the stretches that `segment_starts` names.
    """
    starts = segment_starts(envelope.shape[-1], frames)
    analyse = of or segment_statistics
    stretches = [analyse(torch.from_numpy(envelope[..., s : s + frames]), frame_rate) for s in starts]
    return {name: torch.stack([each[name] for each in stretches], 1).numpy() for name in stretches[0]}


def segment_starts(time: int, frames: int) -> np.ndarray:
    """Where stretches of so many frames begin: they overlap by half, and the last one ends with the recording."""
    last = time - frames
    return np.linspace(0, last, 1 + int(np.ceil(last / (frames / 2)))).round().astype(int)


def scatter(envelope: np.ndarray, frames: int, frame_rate: int = FRAME_RATE, of: Analysis | None = None) -> Statistics:
    """How far each statistic scatters from one short stretch of a recording to the next.

    Taken over stretches of a twelfth of the recording, `SCATTER_SECONDS` at least, and drawn towards the mean of its
    class as far as their number leaves it uncertain.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes.
        frames: the most that a stretch is long.
        frame_rate: Hz, of the envelopes.
        of: as in `statistics`.

    Returns:
        class -> standard deviations ``[channels, 1, values]``.
    """
    short = min(frames, max(SCATTER_SECONDS * frame_rate, envelope.shape[-1] // SCATTER_PARTS))
    return {
        name: _scatter(name, values)[:, None] for name, values in statistics(envelope, short, frame_rate, of).items()
    }


def _scatter(name: str, values: np.ndarray) -> np.ndarray:
    """Standard deviation ``[channels, values]`` over stretches, drawn towards that of the class."""
    free = values.shape[1] - 1
    own = values.var(axis=1, ddof=1) if free else np.ones_like(values[:, 0])
    shrunk = (free * own + PRIOR_SEGMENTS * own.mean()) / (free + PRIOR_SEGMENTS)
    return np.sqrt(shrunk + RESOLUTION.get(name, DEFAULT_RESOLUTION) ** 2)


def segment_statistics(envelope: Tensor, frame_rate: int = FRAME_RATE) -> dict[str, Tensor]:
    """Statistics of stretches, ``[..., bands, time]`` compressed envelopes -> class -> ``[..., values]``.

    Of modulation bands, those that fit below half the frame rate.
    """
    mean = envelope.mean(-1, keepdim=True)
    centred = envelope - mean
    # A band that lies at the inaudible floor is constant up to rounding: it has no shape to compare.
    deviation = (centred.square().mean(-1, keepdim=True) + (0.01 * mean).square()).sqrt()
    scaled = centred * deviation.reciprocal()  # a division's gradient costs twice as much
    square = scaled.square()
    skewness, kurtosis = (square * scaled).mean(-1), square.square().mean(-1)
    correlation = scaled @ scaled.mT / scaled.shape[-1]
    return {
        "spectrum": 20 / COMPRESSION * mean[..., 0].log10(),
        "moments": torch.cat([(deviation / mean)[..., 0].log(), skewness, (kurtosis + 1).log()], -1),
        "attack": _attack(scaled, frame_rate // RISE_RATE),
        "correlation": torch.cat([_diagonal(correlation, offset) for offset in BAND_OFFSETS], -1),
        **_modulation_statistics(scaled, frame_rate),
    }


def _diagonal(pairs: Tensor, offset: int) -> Tensor:
    """``[..., bands, bands]`` -> those of bands so far apart, ``[..., pairs]``."""
    return pairs.diagonal(min(offset, pairs.shape[-1]), -2, -1)


def _attack(scaled: Tensor, rise: int) -> Tensor:
    """Skewness of the rises of ``[..., bands, time]`` envelopes of unit variance, averaged over ``rise`` frames."""
    total = scaled.cumsum(-1)
    rises = (total[..., 2 * rise :] - 2 * total[..., rise:-rise] + total[..., : -2 * rise]) / rise
    square = rises.square()
    return (square * rises).mean(-1) / (square.mean(-1) + 1e-4) ** 1.5


def _modulation_statistics(scaled: Tensor, frame_rate: int) -> dict[str, Tensor]:
    """Modulation power and comodulation of ``[..., bands, time]`` envelopes of zero mean and unit variance."""
    time = scaled.shape[-1]
    window = _window(time)
    weighted = (scaled - (scaled @ (window / window.sum()))[..., None]) * window
    sizes, weights = _half_bands(time, frame_rate)
    # Apart at once, not band by band: the gradient of a slice is as large as what it was cut from.
    halves = torch.view_as_real(torch.fft.rfft(weighted)).split(sizes, -2)[1:-1]
    slow, fast, together = [], [], []
    for k, centre in enumerate(MODULATIONS):
        if centre * time < frame_rate or 2 * centre > frame_rate:
            continue
        parts = [(halves[k + side] * weights[k][side]).flatten(-2) for side in (0, 1)]
        if centre < SLOW_BELOW:
            power = parts[0].square().sum(-1) + parts[1].square().sum(-1)
            groups = power.tensor_split(max(1, power.shape[-1] // BANDS_PER_GROUP), -1)
            slow.append(_decibels(torch.stack([group.mean(-1) for group in groups], -1)))
            continue
        cross = parts[0] @ parts[0].mT + parts[1] @ parts[1].mT
        power = _diagonal(cross, 0)
        fast.append(_decibels(power))
        norm = (power + 1e-6).sqrt()
        together += [_diagonal(cross, apart) / (norm[..., apart:] * norm[..., :-apart]) for apart in (1, 2)]
    classes = {"modulation": fast, "slow modulation": slow, "comodulation": together}
    return {name: torch.cat(values, -1) for name, values in classes.items() if values}


def _decibels(power: Tensor) -> Tensor:
    return 10 * (power + 1e-3).log10()


@lru_cache(maxsize=16)
def _window(time: int) -> Tensor:
    """``[time]`` Hann window that leaves a variance of 1 as the sum of the powers of all modulation bands."""
    window = np.hanning(time + 2)[1:-1]
    return torch.from_numpy((window * np.sqrt(2 / (time * np.sum(window**2)))).astype(np.float32))


@lru_cache(maxsize=16)
def _half_bands(time: int, frame_rate: int) -> tuple[list[int], list[tuple[Tensor, Tensor]]]:
    """The bins of a spectrum below, between and above the centres of modulation bands and of one more on either side,
    as numbers that add up to all of them; and of each band, cosine weights ``[bins, 1]`` of its lower and upper half,
    whose squares sum to one with those of its neighbours.
    """
    frequency = np.arange(1, time // 2 + 1) * frame_rate / time
    octaves = np.log2(frequency / MODULATIONS[0])
    edges = 1 + np.searchsorted(octaves, np.arange(-1, len(MODULATIONS) + 1))
    sizes = np.diff(edges, prepend=0, append=len(frequency) + 1)
    weights = []
    for k in range(len(MODULATIONS)):
        near = [octaves[edges[k + side] - 1 : edges[k + side + 1] - 1] - k for side in (0, 1)]
        lower, upper = (torch.from_numpy(np.cos(np.pi / 2 * o)[:, None].astype(np.float32)) for o in near)
        weights.append((lower, upper))
    return sizes.tolist(), weights
