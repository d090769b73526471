"""The auditory front end of the texture statistics: ERB-spaced bands and their compressed Hilbert envelopes.

McDermott & Simoncelli (2011), Neuron 71:926-940: half-cosine lobes equally spaced on the ERB-rate scale of
Glasberg & Moore (1990), Hilbert envelopes raised to the power 0.3, low-passed and sampled at 400 Hz.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from audiogen.audio import Recording

FRAME_RATE = 400  # envelope samples a second
COMPRESSION = 0.3
BANDS = 32
LOWEST, HIGHEST = 50.0, 16000.0  # centres of the outermost bands, Hz
SEGMENT, MARGIN = 16, 1  # seconds analysed at once, and seconds of context on either side of them


def band_edges(nyquist: float) -> np.ndarray:
    """``[bands, 3]`` lower edge, centre and upper edge in Hz of the bands that lie below ``nyquist``.

    Glasberg & Moore (1990), ERB-rate scale 21.4 log10(1 + 0.00437 f).
    """
    low, high = (21.4 * np.log10(1 + 0.00437 * f) for f in (LOWEST, HIGHEST))
    spacing = (high - low) / (BANDS - 1)
    rates = low + spacing * np.arange(-1, BANDS + 1)
    hertz = (10 ** (rates / 21.4) - 1) / 0.00437
    edges = np.stack([hertz[:-2], hertz[1:-1], hertz[2:]], axis=1)
    return edges[edges[:, 2] <= nyquist]


def envelopes(recording: Recording, floor: float = 0.0) -> np.ndarray:
    """Compressed Hilbert envelopes of a recording, its first and last 50 ms left out.

    Args:
        recording: any rate, any number of channels.
        floor: amplitude added (as energy) to each envelope: what lies below it is not compared.

    Returns:
        ``[channels, bands, time]`` float32 at 400 Hz.
    """
    rate, samples = recording.sample_rate, recording.samples
    seconds = samples.shape[-1] / rate
    pieces = []
    for start in range(0, max(1, int(np.ceil(seconds))), SEGMENT):
        # Whole seconds, so that envelope samples fall on the same instants in each segment.
        stop = min(start + SEGMENT, int(np.ceil(seconds))) + MARGIN
        first, last = (start - MARGIN) * rate, stop * rate
        block = samples[:, max(0, first) : last]
        before = max(0, -first)
        block = np.pad(block, ((0, 0), (before, last - first - before - block.shape[-1])))
        found = np.stack([_block_envelopes(channel, rate, floor) for channel in block])
        pieces.append(found[..., MARGIN * FRAME_RATE : (MARGIN + SEGMENT) * FRAME_RATE])
    whole = np.concatenate(pieces, axis=-1)[..., : int(seconds * FRAME_RATE)]
    edge = FRAME_RATE // 20
    return whole[..., edge:-edge] if whole.shape[-1] > 4 * edge else whole


def _block_envelopes(block: np.ndarray, rate: int, floor: float) -> np.ndarray:
    """``[time]`` samples, whole seconds -> ``[bands, seconds * 400]`` compressed envelopes."""
    from scipy import fft

    time = len(block)
    frames = time * FRAME_RATE // rate
    spectrum = fft.rfft(block.astype(np.float32))
    found = np.empty((len(band_edges(rate / 2)), frames), np.float32)
    for k, (first, response, size, roll_off) in enumerate(_filters(rate, time)):
        # The band alone, moved to zero frequency and so at the low rate that its width needs: same envelope.
        band = np.zeros(size, np.complex64)
        band[: len(response)] = spectrum[first : first + len(response)] * response
        analytic = fft.ifft(band, overwrite_x=True)
        envelope = (analytic.real**2 + analytic.imag**2 + np.float32(floor**2 + 1e-20)) ** (COMPRESSION / 2)
        slow = fft.rfft(envelope)[: frames // 2 + 1] * roll_off
        found[k] = np.maximum(fft.irfft(slow, frames) * np.float32(frames / size), 1e-6)
    return found


@lru_cache(maxsize=8)
def _filters(rate: int, time: int) -> list[tuple[int, np.ndarray, int, np.ndarray]]:
    """Of each band: first bin, scaled response, length of its inverse transform, anti-alias roll-off."""
    from scipy import fft

    frames = time * FRAME_RATE // rate
    roll_off = np.cos(np.pi / 2 * np.clip(np.linspace(0, 5, frames // 2 + 1) - 4, 0, 1)).astype(np.float32)
    filters = []
    for low, centre, high in band_edges(rate / 2):
        low = max(low, 1.0)
        bins = np.arange(int(np.ceil(low * time / rate)), int(high * time / rate) + 1)
        erb = np.log10(1 + 0.00437 * bins * rate / time)
        middle, below, above = (np.log10(1 + 0.00437 * f) for f in (centre, low, high))
        place = np.where(erb < middle, (erb - middle) / (middle - below), (erb - middle) / (above - middle))
        size = max(2 * frames, fft.next_fast_len(2 * len(bins)))
        response = np.cos(np.pi / 2 * place) * (2 * size / time)
        filters.append((int(bins[0]), response.astype(np.float32), size, roll_off))
    return filters
