"""Tonality distance: whether a sound's spectral lines are as deep, as narrow and as steady as the real audio's.

Texture statistics pass a hum whose partials became narrow-band noise, since bands of the ear hold the same power. Here
the spectrum is long enough to resolve lines. By class, in segments:

- ``flatness``: of the mean spectrum in octaves, in dB (Johnston 1988, IEEE J. Sel. Areas Commun. 6:314);
- ``depth``: level of each line over what surrounds it, in dB (the tonal-to-noise ratio of ECMA-74, line by line);
- ``width``: logarithm of the spread of each line's power around its peak, frame by frame;
- ``jitter``: logarithm of the peak's movement, from frame to frame and altogether.

The lines are those of the real audio: up to `MAX_LINES` peaks of its mean spectrum. Without any, ``flatness`` alone
counts. Segments, scatter and floor are those of `texture`: 1.0 is as close as another real segment.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.metrics.spectra import frame_size, spectra
from audiogen.metrics.texture import TextureReference

FRAME_SECONDS = 0.372  # 16384 samples at 44.1 kHz: resolves harmonics of 25 Hz
HOPS = 4  # per frame
MIN_HERTZ, MAX_HERTZ = 30.0, 8000.0
MAX_LINES = 12
PROMINENCE = 6.0  # times the median around a line in the mean spectrum
SURROUNDINGS = 32  # bins, 86 Hz, whose median that is
REACH = 8  # bins, 22 Hz, either side of a line within which its peak moves
FLOOR = 1e-6  # of the mean power, added to each bin: differences 60 dB below it do not count


class TonalityReference(TextureReference):
    """Tonality distance to one real recording; see `TextureReference`."""

    min_seconds = 2.0

    def __init__(self, real: Recording, floor_from: Recording | None = None, nyquist: float | None = None) -> None:
        self.size = frame_size(real.sample_rate, FRAME_SECONDS)
        self.frame_rate = real.sample_rate / (self.size // HOPS)
        self.bin_hertz = real.sample_rate / self.size
        super().__init__(real, floor_from, nyquist)
        self.lines = find_lines(self.real.mean(-1).mean(0), self.bin_hertz)
        self.of = partial(line_statistics, lines=self.lines, bin_hertz=self.bin_hertz)

    def analyse(self, recording: Recording) -> np.ndarray:
        """Power spectra ``[channels, bins, frames]``."""
        samples = recording.samples
        if samples.shape[-1] < self.size:
            samples = np.pad(samples, ((0, 0), (0, self.size - samples.shape[-1])))
        bins, parts = int(MAX_HERTZ / self.bin_hertz), []
        hop = self.size // HOPS
        starts = range(0, samples.shape[-1] - self.size + 1, 64 * hop)
        for start in starts:
            spectrum = spectra(samples[:, start : start + 63 * hop + self.size], self.size, hop)[..., :bins]
            parts.append((spectrum.real**2 + spectrum.imag**2).transpose(0, 2, 1))
        return np.concatenate(parts, axis=-1) + (0.1 * self.audible) ** 2 / self.size + 1e-20

    def bands(self, nyquist: float) -> int:
        """Number of bins below ``nyquist``."""
        return int(min(nyquist, MAX_HERTZ) / self.bin_hertz)


def find_lines(power: np.ndarray, bin_hertz: float) -> np.ndarray:
    """Bins of the most prominent peaks of a mean power spectrum ``[bins]``, at least `REACH` apart."""
    padded = np.pad(power, SURROUNDINGS // 2, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, SURROUNDINGS + 1), axis=-1)
    excess = power / (around + FLOOR * power.mean() + 1e-30)
    excess[: max(int(MIN_HERTZ / bin_hertz), REACH)] = 0
    excess[len(excess) - REACH :] = 0
    lines: list[int] = []
    while len(lines) < MAX_LINES and excess.max() >= PROMINENCE:
        peak = int(excess.argmax())
        lines.append(peak)
        excess[max(peak - REACH, 0) : peak + REACH + 1] = 0
    return np.array(sorted(lines), int)


def line_statistics(power: Tensor, frame_rate: float, lines: np.ndarray, bin_hertz: float) -> dict[str, Tensor]:
    """Statistics of segments: ``[..., bins, frames]`` power spectra -> class -> ``[..., values]``."""
    mean = power.mean(-1)
    edges = MIN_HERTZ * 2 ** np.arange(9)
    flatness = []
    for low, high in pairwise(edges):
        band = mean[..., int(low / bin_hertz) : int(high / bin_hertz)]
        if band.shape[-1] >= SURROUNDINGS // 4:
            floored = band + FLOOR * mean.mean(-1, keepdim=True)
            flatness.append(10 / np.log(10) * (floored.log().mean(-1) - floored.mean(-1).log()))
    lines = lines[lines + REACH < power.shape[-2]]
    result = {"flatness": torch.stack(flatness, -1)}
    if not len(lines):
        return result
    offsets = torch.arange(-REACH, REACH + 1)
    index = torch.as_tensor(lines)[:, None] + offsets
    near = power[..., index, :]  # [..., lines, offsets, frames]
    total = near.sum(-2)
    weight = near.square()  # the peak's own position, not that of the noise around it
    position = (weight * offsets[:, None]).sum(-2) / weight.sum(-2).clamp(min=1e-37)
    spread = (near * (offsets[:, None] - position[..., None, :]).square()).sum(-2) / total.clamp(min=1e-30)
    outer = torch.as_tensor(lines)[:, None] + torch.arange(-SURROUNDINGS // 2, SURROUNDINGS // 2 + 1)
    around = power[..., outer.clamp(0, power.shape[-2] - 1), :].median(-2).values
    strength = total / total.mean(-1, keepdim=True).clamp(min=1e-30)  # frames in which the line sounds count
    moved = (position[..., 1:] - position[..., :-1]).square() * (strength[..., 1:] * strength[..., :-1]).sqrt()
    centre = (position * strength).mean(-1, keepdim=True)
    wander = ((position - centre).square() * strength).mean(-1)
    return result | {
        "depth": 10 * (near.amax(-2).mean(-1) / around.mean(-1).clamp(min=1e-30)).log10(),
        "width": 0.5 * ((spread * strength).mean(-1) + 0.01).log(),
        "jitter": torch.cat([0.5 * (moved.mean(-1) + 1e-4).log(), 0.5 * (wander + 1e-4).log()], -1),
    }
