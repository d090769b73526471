"""The auditory front end of the texture statistics: ERB-spaced bands, their compressed Hilbert envelopes, and back.

McDermott & Simoncelli (2011), Neuron 71:926-940: half-cosine lobes equally spaced on the ERB-rate scale of
Glasberg & Moore (1990), Hilbert envelopes raised to the power 0.3, low-passed and sampled at 400 Hz. The squares of the
lobes sum to one, so bands that are filtered once more add up to the sound that they came from.
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
INAUDIBLE = 10 ** (-70 / 20)  # of a recording's RMS: the threshold of hearing, roughly


def audible(samples: np.ndarray) -> float:
    """The amplitude below which nothing is heard of a recording ``[channels, time]``."""
    return INAUDIBLE * max(float(np.sqrt(np.mean(np.square(samples)))), 1e-5)


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


def envelopes(recording: Recording, floor: float = 0.0, frame_rate: int = FRAME_RATE) -> np.ndarray:
    """Compressed Hilbert envelopes of a recording, its first and last 50 ms left out.

    Args:
        recording: any rate, any number of channels.
        floor: amplitude added (as energy) to each envelope: what lies below it is not compared.
        frame_rate: Hz.

    Returns:
        ``[channels, bands, time]`` float32 at ``frame_rate``.
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
        found = block_envelopes(block, rate, floor, frame_rate)
        pieces.append(found[..., MARGIN * frame_rate : (MARGIN + SEGMENT) * frame_rate])
    whole = np.concatenate(pieces, axis=-1)[..., : int(seconds * frame_rate)]
    edge = frame_rate // 20
    return whole[..., edge:-edge] if whole.shape[-1] > 4 * edge else whole


def block_envelopes(block: np.ndarray, rate: int, floor: float, frame_rate: int = FRAME_RATE) -> np.ndarray:
    """Compressed envelopes ``[channels, bands, seconds * frame_rate]`` of whole seconds of samples.

    The ends hear each other: as much as bands ring, which in the lowest is a tenth of a second, is to be left out.
    """
    return np.stack([_channel_envelopes(channel, rate, floor, frame_rate) for channel in block])


def _channel_envelopes(channel: np.ndarray, rate: int, floor: float, frame_rate: int) -> np.ndarray:
    from scipy import fft

    time = len(channel)
    frames = time * frame_rate // rate
    spectrum = fft.rfft(channel.astype(np.float32))
    found = np.empty((len(band_edges(rate / 2)), frames), np.float32)
    for k, (first, response, size) in enumerate(_filters(rate, time)):
        analytic = _band(spectrum[first : first + len(response)], response * np.float32(2 * size / time), size)
        envelope = (analytic.real**2 + analytic.imag**2 + np.float32(floor**2 + 1e-20)) ** (COMPRESSION / 2)
        slow = fft.rfft(envelope)[: frames // 2 + 1] * _roll_off(frames)
        found[k] = np.maximum(fft.irfft(slow, frames) * np.float32(frames / size), 1e-6)
    return found


def reweighted(block: np.ndarray, rate: int, gains: np.ndarray) -> np.ndarray:
    """Turn bands of a sound up and down: 0 dB throughout gives it back.

    Args:
        block: ``[channels, time]`` samples of whole seconds. Its ends hear each other, as in `block_envelopes`.
        rate: Hz.
        gains: ``[channels, bands, seconds * frame_rate]`` factors, for the bands and instants of
            `block_envelopes`; between the instants they change linearly.

    Returns:
        ``[channels, time]`` float32.
    """
    return np.stack([_channel_reweighted(*pair, rate) for pair in zip(block, gains, strict=True)])


def _channel_reweighted(channel: np.ndarray, gains: np.ndarray, rate: int) -> np.ndarray:
    from scipy import fft

    time = len(channel)
    spectrum = fft.rfft(channel.astype(np.float32))
    change = np.zeros_like(spectrum)
    for (first, response, size), gain in zip(_filters(rate, time), gains, strict=True):
        band = slice(first, first + len(response))
        analytic = _band(spectrum[band], response, size)
        instants = np.arange(size) * (len(gain) / size)
        analytic *= (np.interp(instants, np.arange(len(gain)), gain) - 1).astype(np.float32)
        change[band] += fft.fft(analytic, overwrite_x=True)[: len(response)] * response
    return (channel + fft.irfft(change, time)).astype(np.float32)


def _band(bins: np.ndarray, response: np.ndarray, size: int) -> np.ndarray:
    """A band alone, moved to zero frequency and so at the low rate that its width needs: same envelope."""
    from scipy import fft

    band = np.zeros(size, np.complex64)
    band[: len(response)] = bins * response
    return np.asarray(fft.ifft(band, overwrite_x=True))


@lru_cache(maxsize=8)
def _filters(rate: int, time: int) -> list[tuple[int, np.ndarray, int]]:
    """Of each band: first bin, response, length of its inverse transform."""
    from scipy import fft

    frames = time * FRAME_RATE // rate
    filters = []
    for low, centre, high in band_edges(rate / 2):
        low = max(low, 1.0)
        bins = np.arange(int(np.ceil(low * time / rate)), int(high * time / rate) + 1)
        erb = np.log10(1 + 0.00437 * bins * rate / time)
        middle, below, above = (np.log10(1 + 0.00437 * f) for f in (centre, low, high))
        place = np.where(erb < middle, (erb - middle) / (middle - below), (erb - middle) / (above - middle))
        size = max(2 * frames, fft.next_fast_len(2 * len(bins)))
        filters.append((int(bins[0]), np.cos(np.pi / 2 * place).astype(np.float32), size))
    return filters


@lru_cache(maxsize=8)
def _roll_off(frames: int) -> np.ndarray:
    """``[frames // 2 + 1]`` against aliasing: 1 up to four fifths of the highest modulation, then a quarter cosine."""
    return np.cos(np.pi / 2 * np.clip(np.linspace(0, 5, frames // 2 + 1) - 4, 0, 1)).astype(np.float32)
