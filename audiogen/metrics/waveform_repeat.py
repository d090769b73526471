"""Sample-exact repetition in recordings, found by waveform cross-correlation.

Ambiences are often loops, or mixed from loops: their later segments repeat earlier ones sample by sample. The texture
distance between such segments, the unit of other distances, is nearly zero, and only a copy can be as close as that.
The normalised cross-correlation of waveforms detects it (two takes of the same rain correlate at less than 0.1 over 1
s).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording

WINDOW_SECONDS = 1.0
WINDOWS = 8  # spread over the later recording
MAX_SEARCH_SECONDS = 120.0  # end of the source that is searched
REPEAT_THRESHOLD = 0.8  # median correlation from which on a recording counts as repeating itself


@dataclass(frozen=True)
class WaveformRepeat:
    """Best correlation of later audio with an earlier recording, sample by sample.

    Args:
        correlation: median over windows of 1 s, 0 to 1.
        seconds: lag of the best window behind its earlier occurrence, if the later audio follows the source directly.
    """

    correlation: float
    seconds: float

    @property
    def repeats(self) -> bool:
        """Whether the audio repeats itself."""
        return self.correlation >= REPEAT_THRESHOLD


def waveform_repeat(later: Recording, source: Recording) -> WaveformRepeat | None:
    """Search the source for the samples of later audio, all channels together.

    Args:
        later: real audio of the source's sample rate and channels.
        source: the earlier recording.

    Returns:
        None if either is shorter than a window.
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
    matches = []
    for start in np.linspace(0, later.length - size, WINDOWS).astype(int):
        window = later.samples[:, start : start + size].astype(np.float64)
        products = fft.irfft((spectrum * fft.rfft(window, length).conj()).sum(axis=0), length)[: len(energy)]
        scale = np.sqrt(energy * np.square(window).sum())
        correlation = np.abs(products) / np.maximum(scale, 1e-9 * max(float(scale.max()), 1e-30))
        best = int(correlation.argmax())
        matches.append((min(float(correlation[best]), 1.0), (past.shape[1] + start - best) / rate))
    return WaveformRepeat(float(np.median([value for value, _ in matches])), max(matches)[1])
