"""Texture statistics: averages over a segment of sound that listeners recognise a texture by, from its cochleagram.

After McDermott & Simoncelli (2011), "Sound texture perception via statistics of the auditory periphery: evidence from
sound synthesis", Neuron 71:926-940. By class:

- ``spectrum``: mean of each envelope, in dB;
- ``moments``: coefficient of variation, skewness and kurtosis of each envelope;
- ``attack``: skewness of each envelope's rises over 10 ms, which tells sharp onsets with slow decays from the
  reverse. It replaces the paper's C2, which serves the same purpose at ten times the cost;
- ``correlation``: between the envelopes of bands 1, 2, 3, 5, 8, 11, 16 and 21 bands apart (the paper's C);
- ``modulation``: power of each envelope in octave bands around 4 to 128 Hz, relative to its variance, in dB;
- ``slow modulation``: the same around 0.5, 1 and 2 Hz (swells, gusts, waves), averaged over 8 neighbouring bands: a
  segment holds few such cycles, and the scatter of single bands would hide a missing swell;
- ``comodulation``: correlation of neighbouring bands within each modulation band (the paper's C1).

All are differentiable, so that a tail can be moved to given statistics (`audiogen.sound.texture_matching`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audiogen.representation.cochleagram import COMPRESSION, FRAME_RATE

BAND_OFFSETS = (1, 2, 3, 5, 8, 11, 16, 21)  # of band pairs whose correlation is taken (the paper's)
MODULATIONS = tuple(2.0**octave for octave in range(-1, 8))  # Hz, centres of modulation bands: 0.5 .. 128
SLOW_BELOW = 4.0  # Hz: modulation bands centred below are slow
BANDS_PER_GROUP = 8  # neighbouring bands whose slow modulation power is averaged
RISE_RATE = 100  # Hz: rises are taken over 10 ms
SCATTER_SECONDS, SCATTER_PARTS = 2, 12  # scatter is taken over segments of 2 s or a twelfth of the recording
PRIOR_SEGMENTS = 4.0  # weight of the mean scatter of a class as a prior, in segments

RESOLUTION = {
    "spectrum": 0.05,
    "moments": 0.005,
    "attack": 0.005,
    "correlation": 0.002,
    "modulation": 0.05,
    "slow modulation": 0.05,
    "comodulation": 0.002,
    "flatness": 0.3,
    "depth": 0.5,
    "width": 0.05,
    "jitter": 0.1,
}
"""Resolution of each class in its own unit, added (as variance) to the scatter of real audio."""
DEFAULT_RESOLUTION = 0.005  # of other classes

Analysis = Callable[[Tensor, float], dict[str, Tensor]]
"""Envelopes ``[..., bands, time]`` and their rate in Hz -> class -> ``[..., values]``."""
Statistics = dict[str, np.ndarray]
"""Class name -> ``[channels, segments, values]``."""


@torch.no_grad()
def statistics(
    envelope: np.ndarray, frames: int, frame_rate: float = FRAME_RATE, analyse: Analysis | None = None
) -> Statistics:
    """Compute statistics of overlapping segments of a recording.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes.
        frames: length of a segment.
        frame_rate: Hz, of the envelopes.
        analyse: statistics of a segment; None for `segment_statistics`.

    Returns:
        class -> ``[channels, segments, values]``, of the segments at `segment_starts`.
    """
    starts = segment_starts(envelope.shape[-1], frames)
    analyse = analyse or segment_statistics
    segments = [analyse(torch.from_numpy(envelope[..., s : s + frames]), frame_rate) for s in starts]
    return {name: torch.stack([each[name] for each in segments], 1).numpy() for name in segments[0]}


def segment_starts(time: int, frames: int) -> np.ndarray:
    """First frames of segments that overlap by half, the last one ending with the recording."""
    last = time - frames
    return np.linspace(0, last, 1 + int(np.ceil(last / (frames / 2)))).round().astype(int)


def scatter(
    envelope: np.ndarray, frames: int, frame_rate: float = FRAME_RATE, analyse: Analysis | None = None
) -> Statistics:
    """Compute the scatter of each statistic: its standard deviation over short segments of a recording.

    Segments last a twelfth of the recording, but at least `SCATTER_SECONDS`. Variances are shrunk towards the mean of
    their class, the more so the fewer segments there are.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes.
        frames: maximum length of a segment.
        frame_rate: Hz, of the envelopes.
        analyse: as in `statistics`.

    Returns:
        class -> standard deviations ``[channels, 1, values]``.
    """
    short = min(frames, max(round(SCATTER_SECONDS * frame_rate), envelope.shape[-1] // SCATTER_PARTS))
    found = statistics(envelope, short, frame_rate, analyse)
    return {name: _scatter(name, values)[:, None] for name, values in found.items()}


def _scatter(name: str, values: np.ndarray) -> np.ndarray:
    """Standard deviation ``[channels, values]`` over segments, shrunk towards that of the class."""
    free = values.shape[1] - 1
    own = values.var(axis=1, ddof=1) if free else np.ones_like(values[:, 0])
    shrunk = (free * own + PRIOR_SEGMENTS * own.mean()) / (free + PRIOR_SEGMENTS)
    return np.sqrt(shrunk + RESOLUTION.get(name, DEFAULT_RESOLUTION) ** 2)


def segment_statistics(envelope: Tensor, frame_rate: float = FRAME_RATE) -> dict[str, Tensor]:
    """Compute the statistics of segments.

    Args:
        envelope: ``[..., bands, time]`` compressed envelopes, one segment each.
        frame_rate: Hz, of the envelopes; modulation bands above half of it are left out.

    Returns:
        class -> ``[..., values]``.
    """
    mean = envelope.mean(-1, keepdim=True)
    centred = envelope - mean
    # A band at the inaudible floor is constant up to rounding: it has no shape to compare.
    deviation = (centred.square().mean(-1, keepdim=True) + (0.01 * mean).square()).sqrt()
    scaled = centred * deviation.reciprocal()  # a division's gradient costs twice as much
    square = scaled.square()
    skewness, kurtosis = (square * scaled).mean(-1), square.square().mean(-1)
    correlation = scaled @ scaled.mT / scaled.shape[-1]
    return {
        "spectrum": 20 / COMPRESSION * mean[..., 0].log10(),
        "moments": torch.cat([(deviation / mean)[..., 0].log(), skewness, (kurtosis + 1).log()], -1),
        "attack": _attack(scaled, int(frame_rate) // RISE_RATE),
        "correlation": torch.cat([_diagonal(correlation, offset) for offset in BAND_OFFSETS], -1),
        **_modulation_statistics(scaled, frame_rate),
    }


def _diagonal(pairs: Tensor, offset: int) -> Tensor:
    """Values ``[..., pairs]`` of a ``[..., bands, bands]`` matrix for bands ``offset`` apart."""
    return pairs.diagonal(min(offset, pairs.shape[-1]), -2, -1)


def _attack(scaled: Tensor, rise: int) -> Tensor:
    """Skewness of the rises of ``[..., bands, time]`` envelopes of unit variance, averaged over ``rise`` frames."""
    total = scaled.cumsum(-1)
    rises = (total[..., 2 * rise :] - 2 * total[..., rise:-rise] + total[..., : -2 * rise]) / rise
    square = rises.square()
    return (square * rises).mean(-1) / (square.mean(-1) + 1e-4) ** 1.5


def _modulation_statistics(scaled: Tensor, frame_rate: float) -> dict[str, Tensor]:
    """Modulation power and comodulation of ``[..., bands, time]`` envelopes of zero mean and unit variance."""
    time = scaled.shape[-1]
    window = _window(time)
    weighted = (scaled - (scaled @ (window / window.sum()))[..., None]) * window
    sizes, weights = _half_bands(time, frame_rate)
    # Split at once, not sliced band by band: the gradient of a slice is as large as the whole tensor.
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
        together += [_diagonal(cross, offset) / (norm[..., offset:] * norm[..., :-offset]) for offset in (1, 2)]
    classes = {"modulation": fast, "slow modulation": slow, "comodulation": together}
    return {name: torch.cat(values, -1) for name, values in classes.items() if values}


def _decibels(power: Tensor) -> Tensor:
    return 10 * (power + 1e-3).log10()


@lru_cache(maxsize=16)
def _window(time: int) -> Tensor:
    """Hann window ``[time]``, scaled so that the powers of all modulation bands sum to a variance of 1."""
    window = np.hanning(time + 2)[1:-1]
    return torch.from_numpy((window * np.sqrt(2 / (time * np.sum(window**2)))).astype(np.float32))


@lru_cache(maxsize=16)
def _half_bands(time: int, frame_rate: float) -> tuple[list[int], list[tuple[Tensor, Tensor]]]:
    """Partition of a spectrum into halves of modulation bands, and their weights.

    Returns:
        Numbers of bins below, between and above the centres of all bands and of one more on either side; and for each
        band, cosine weights ``[bins, 1]`` of its lower and upper half, whose squares sum to 1 with the neighbours'.
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
