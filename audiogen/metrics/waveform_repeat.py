"""Does a recording play the same samples again? Then nothing but a copy can be as close as it is to itself.

Ambiences are often loops, or were mixed of loops: their later stretches are earlier ones, sample by sample, and the
texture distance between them, which others are measured in, is nearly nothing. Found by the normalised
cross-correlation of waveforms (two takes of the same rain correlate at less than 0.1 over a second).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording

WINDOW_SECONDS = 1.0  # seconds
WINDOWS = 8  # spread over the later recording
MAX_SEARCH_SECONDS = 120.0  # seconds of the source that are searched, its last ones
REPEAT_THRESHOLD = 0.8  # correlation of most windows from which on a recording is said to repeat itself


@dataclass(frozen=True)
class WaveformRepeat:
    """How alike later audio is to the best place of an earlier one, sample by sample.

    Args:
        correlation: the median over windows of 1 s, 0..1.
        seconds: between the most alike window and its earlier occurrence, if the later audio follows the source.
    """

    correlation: float
    seconds: float

    @property
    def repeats(self) -> bool:
        """Whether the audio repeats itself."""
        return self.correlation >= REPEAT_THRESHOLD


def waveform_repeat(later: Recording, source: Recording) -> WaveformRepeat | None:
    """Search the source for the samples of what came later, all channels together.

    Args:
        later: real audio, of the source's rate and channels.
        source: what it followed.

    Returns:
        None where either is shorter than a window.
    """
    from scipy import fft

    rate = source.sample_rate
    size = round(WINDOW_SECONDS * rate)
    past = source.samples[:, -round(MAX_SEARCH_SECONDS * rate) :].astype(np.float64)
    if min(past.shape[1], later.length) < size:
        return None
    length = fft.next_fast_len(past.shape[1] + size, real=True)
    spectrum = fft.rfft(past, length)
    energy = np.cumsum(np.pad(np.square(past).sum(axis=0), (1, 0)))
    energy = np.maximum(energy[size:] - energy[:-size], 0)
    found = []
    for start in np.linspace(0, later.length - size, WINDOWS).astype(int):
        window = later.samples[:, start : start + size].astype(np.float64)
        products = fft.irfft((spectrum * fft.rfft(window, length).conj()).sum(axis=0), length)[: len(energy)]
        scale = np.sqrt(energy * np.square(window).sum())
        alike = np.abs(products) / np.maximum(scale, 1e-9 * max(float(scale.max()), 1e-30))
        best = int(alike.argmax())
        found.append((min(float(alike[best]), 1.0), (past.shape[1] + start - best) / rate))
    return WaveformRepeat(float(np.median([correlation for correlation, _ in found])), max(found)[1])
