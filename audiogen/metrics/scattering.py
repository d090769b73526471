"""Texture distance by scattering moments: a second opinion that texture matching does not optimise.

`sound.texture_matching` gives tails the statistics that `texture` measures, so that distance alone could be misleading.
Here bands are a fourth of an octave apart instead of equally spaced on the ERB scale, and their envelopes are not
compressed. The statistics (Andén & Mallat 2014, "Deep scattering spectrum", IEEE Trans. Signal Process. 62:4114; Bruna
& Mallat 2013, "Audio texture synthesis with scattering moments", arXiv 1311.0407) are:

- ``first order``: logarithm of each envelope's mean;
- ``sparsity``: logarithm of its mean square over its squared mean: 4 / pi for narrow-band noise, more for intermittent
  sounds;
- ``second order``: logarithm of the mean envelope of its modulations, in octave bands from 1 to 64 Hz, over its mean.

Segments, scatter and floor are those of `texture`: 1.0 is as close as another real segment.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.metrics.texture import TextureReference
from audiogen.representation.cochleagram import FRAME_RATE, in_segments

MIN_HERTZ, BANDS_PER_OCTAVE, OCTAVES = 62.5, 4, 8
BAND_WIDTH, MODULATION_WIDTH = 0.09, 0.35  # standard deviation of a Gaussian band relative to its centre
MODULATIONS = tuple(2.0**octave for octave in range(7))  # 1 .. 64 Hz
MIN_CYCLES = 2  # of a modulation within a segment
CUTOFF = 4.0  # standard deviations from the centre beyond which a band's response is zero
MODULATION_FLOOR = 1e-3  # relative to the envelope's mean


def centres(nyquist: float) -> np.ndarray:
    """Centre frequencies in Hz of the bands below ``nyquist``."""
    hertz = MIN_HERTZ * 2 ** (np.arange(OCTAVES * BANDS_PER_OCTAVE) / BANDS_PER_OCTAVE)
    return hertz[hertz * (1 + CUTOFF * BAND_WIDTH) <= nyquist]


def scattering_moments(envelope: Tensor, frame_rate: float) -> dict[str, Tensor]:
    """Scattering moments of segments: ``[..., bands, time]`` envelopes -> class -> ``[..., values]``."""
    time = envelope.shape[-1]
    mean = envelope.mean(-1)
    spectrum = torch.fft.fft(envelope - mean[..., None])
    second = []
    for centre in MODULATIONS:
        if centre * time >= MIN_CYCLES * frame_rate:
            modulation = torch.fft.ifft(spectrum * _modulation(centre, time, frame_rate)).abs().mean(-1)
            second.append((modulation / mean + MODULATION_FLOOR).log())
    return {
        "first order": mean.log(),
        "sparsity": (envelope.square().mean(-1) / mean.square()).log(),
        **({"second order": torch.cat(second, -1)} if second else {}),
    }


class ScatteringReference(TextureReference):
    """Texture distance by scattering moments to one real recording; see `TextureReference`."""

    of = staticmethod(scattering_moments)

    def analyse(self, recording: Recording) -> np.ndarray:
        """``[channels, bands, time]`` envelopes at 400 Hz."""
        return in_segments(recording, lambda block, rate: block_envelopes(block, rate, self.audible))

    def bands(self, nyquist: float) -> int:
        """Number of bands below ``nyquist``."""
        return len(centres(nyquist))


def block_envelopes(block: np.ndarray, rate: int, floor: float) -> np.ndarray:
    """Envelopes ``[channels, bands, seconds * 400]`` of whole seconds of samples, energy of ``floor`` added."""
    time = block.shape[-1]
    frames = time * FRAME_RATE // rate
    spectrum = torch.fft.rfft(torch.from_numpy(block.astype(np.float32)))
    envelopes = torch.empty(len(block), len(centres(rate / 2)), frames)
    for k, (first, response) in enumerate(_wavelets(rate, time)):
        size = frames * max(2, -(-2 * len(response) // frames))
        bins = spectrum[:, first : first + len(response)] * (response * (2 * size / time))
        analytic = torch.view_as_real(torch.fft.ifft(bins, size))
        envelope = (analytic.square().sum(-1) + (floor**2 + 1e-20)).sqrt()
        envelopes[:, k] = envelope.unflatten(-1, (frames, -1)).mean(-1)
    return envelopes.numpy()


@lru_cache(maxsize=8)
def _wavelets(rate: int, time: int) -> list[tuple[int, Tensor]]:
    """First bin and response of each band."""
    responses = []
    for centre in centres(rate / 2):
        edges = centre * (1 + np.array([-1, 1]) * CUTOFF * BAND_WIDTH) * time / rate
        bins = np.arange(int(edges[0]), min(int(edges[1]) + 1, time // 2 + 1))
        response = np.exp(-0.5 * ((bins * rate / time - centre) / (BAND_WIDTH * centre)) ** 2)
        responses.append((int(bins[0]), torch.from_numpy(response.astype(np.float32))))
    return responses


@lru_cache(maxsize=64)
def _modulation(centre: float, time: int, frame_rate: float) -> Tensor:
    """``[time]`` response of a modulation band, at positive frequencies only."""
    hertz = np.fft.fftfreq(time, 1 / frame_rate)
    response = 2 * np.exp(-0.5 * ((hertz - centre) / (MODULATION_WIDTH * centre)) ** 2) * (hertz > 0)
    return torch.from_numpy(response.astype(np.float32))
