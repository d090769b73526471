"""Cochleagram: compressed envelopes of ERB-spaced bands, and gains applied to such bands.

McDermott & Simoncelli (2011), Neuron 71:926-940: half-cosine lobes equally spaced on the ERB-rate scale of
Glasberg & Moore (1990), Hilbert envelopes raised to the power 0.3, low-passed and sampled at 400 Hz. The squares of the
lobes sum to one, so bands that are filtered once more add up to the sound that they came from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording

FRAME_RATE = 400  # Hz, of envelopes
COMPRESSION = 0.3
BANDS = 32
MIN_HZ, MAX_HZ = 50.0, 16000.0  # centres of the outermost bands, Hz
SEGMENT_SECONDS, MARGIN_SECONDS = 16, 1  # analysed at once; context on either side
Either = TypeVar("Either", np.ndarray, Tensor)
Analysis = Callable[[np.ndarray, int], np.ndarray]
"""``[channels, time]`` samples of whole seconds, and their rate -> ``[channels, bands, seconds * frame_rate]``."""
INAUDIBLE_RATIO = 10 ** (-70 / 20)  # of a recording's RMS: roughly the threshold of hearing


def audibility_floor(samples: np.ndarray) -> float:
    """Amplitude below which a band of a recording ``[channels, time]`` is inaudible."""
    return INAUDIBLE_RATIO * max(float(np.sqrt(np.mean(np.square(samples)))), 1e-5)


def band_edges(nyquist: float) -> np.ndarray:
    """Lower edge, centre and upper edge ``[bands, 3]`` in Hz of the bands below ``nyquist``.

    Equally spaced on the ERB-rate scale 21.4 log10(1 + 0.00437 f) of Glasberg & Moore (1990).
    """
    low, high = (21.4 * np.log10(1 + 0.00437 * f) for f in (MIN_HZ, MAX_HZ))
    spacing = (high - low) / (BANDS - 1)
    rates = low + spacing * np.arange(-1, BANDS + 1)
    hertz = (10 ** (rates / 21.4) - 1) / 0.00437
    edges = np.stack([hertz[:-2], hertz[1:-1], hertz[2:]], axis=1)
    return edges[edges[:, 2] <= nyquist]


def envelopes(recording: Recording, floor: float = 0.0, frame_rate: int = FRAME_RATE) -> np.ndarray:
    """Compute compressed Hilbert envelopes of a recording, without its first and last 50 ms.

    Args:
        recording: any rate, any number of channels.
        floor: amplitude added (as power) to each envelope, which masks anything below it.
        frame_rate: Hz.

    Returns:
        ``[channels, bands, time]`` float32 at ``frame_rate``.
    """
    return in_segments(recording, lambda block, rate: block_envelopes(block, rate, floor, frame_rate), frame_rate)


def in_segments(recording: Recording, analyse: Analysis, frame_rate: int = FRAME_RATE) -> np.ndarray:
    """Analyse a recording of any length in overlapping segments, and drop its first and last 50 ms.

    Args:
        recording: any rate, any number of channels.
        analyse: of a segment; see `Analysis`.
        frame_rate: Hz, of the result of ``analyse``.

    Returns:
        ``[channels, bands, time]``.
    """
    rate, samples = recording.sample_rate, recording.samples
    seconds = samples.shape[-1] / rate
    pieces = []
    for start in range(0, max(1, int(np.ceil(seconds))), SEGMENT_SECONDS):
        # Whole seconds, so that frames fall on the same instants in each segment.
        stop = min(start + SEGMENT_SECONDS, int(np.ceil(seconds))) + MARGIN_SECONDS
        first, last = (start - MARGIN_SECONDS) * rate, stop * rate
        block = samples[:, max(0, first) : last]
        before = max(0, -first)
        block = np.pad(block, ((0, 0), (before, last - first - before - block.shape[-1])))
        wanted = slice(MARGIN_SECONDS * frame_rate, (MARGIN_SECONDS + SEGMENT_SECONDS) * frame_rate)
        pieces.append(analyse(block, rate)[..., wanted])
    whole = np.concatenate(pieces, axis=-1)[..., : int(seconds * frame_rate)]
    edge = frame_rate // 20
    return whole[..., edge:-edge] if whole.shape[-1] > 4 * edge else whole


def block_envelopes(block: np.ndarray, rate: int, floor: float, frame_rate: int = FRAME_RATE) -> np.ndarray:
    """Compute compressed envelopes of a block of whole seconds.

    The transform is circular: near the ends, for as long as bands ring (a tenth of a second in the lowest), envelopes
    are to be discarded.

    Args:
        block: ``[channels, time]`` samples.
        rate: Hz, of the samples.
        floor: as in `envelopes`.
        frame_rate: Hz.

    Returns:
        ``[channels, bands, seconds * frame_rate]`` float32.
    """
    time = block.shape[-1]
    frames = time * frame_rate // rate
    spectrum = torch.fft.rfft(torch.from_numpy(block.astype(np.float32)))
    result = torch.empty(len(block), len(band_edges(rate / 2)), frames)
    for k, (first, response, size) in enumerate(_filters(rate, time)):
        analytic = torch.view_as_real(
            _band(spectrum[:, first : first + len(response)], response * (2 * size / time), size)
        )
        envelope = (analytic.square().sum(-1) + (floor**2 + 1e-20)) ** (COMPRESSION / 2)
        slow = torch.fft.rfft(envelope)[:, : frames // 2 + 1] * _roll_off(frames)
        result[:, k] = torch.fft.irfft(slow, frames) * (frames / size)
    return result.clamp(min=1e-6).numpy()


def power(envelope: Either, floor: float) -> Either:
    """Power of bands from their compressed envelopes, without that of the floor; inverse of `compressed`."""
    return (envelope ** (2 / COMPRESSION) - floor**2).clip(min=0)


def compressed(power: Either, floor: float) -> Either:
    """Compressed envelopes of bands from their power."""
    return (power + floor**2) ** (COMPRESSION / 2)


def apply_band_gains(block: np.ndarray, rate: int, gains: np.ndarray) -> np.ndarray:
    """Apply time-varying gains to the bands of a signal. Unit gains give the signal back.

    Args:
        block: ``[channels, time]`` samples of whole seconds; circular, as in `block_envelopes`.
        rate: Hz.
        gains: ``[channels, bands, seconds * frame_rate]`` factors for the bands and frames of `block_envelopes`,
            interpolated linearly in time.

    Returns:
        ``[channels, time]`` float32.
    """
    time = block.shape[-1]
    samples = torch.from_numpy(block.astype(np.float32))
    spectrum = torch.fft.rfft(samples)
    change = torch.zeros_like(spectrum)
    deviations = torch.from_numpy(np.asarray(gains, np.float32)) - 1
    for k, (first, response, size) in enumerate(_filters(rate, time)):
        band = slice(first, first + len(response))
        analytic = _band(spectrum[:, band], response, size) * _interpolate(deviations[:, k], size)
        change[:, band] += torch.fft.fft(analytic)[:, : len(response)] * response
    return (samples + torch.fft.irfft(change, time)).numpy()


def _band(bins: Tensor, response: Tensor, size: int) -> Tensor:
    """Analytic signal of a band, shifted to zero frequency, at the low rate that its width needs: same envelope."""
    return torch.fft.ifft(bins * response, size)


def _interpolate(values: Tensor, size: int) -> Tensor:
    """Linear interpolation of ``[..., time]`` values at ``size`` equally spaced points; the last value is held."""
    position = torch.arange(size) * (values.shape[-1] / size)
    before = position.long()
    after = (before + 1).clamp(max=values.shape[-1] - 1)
    return torch.lerp(values[..., before], values[..., after], position - before)


@lru_cache(maxsize=8)
def _filters(rate: int, time: int) -> list[tuple[int, Tensor, int]]:
    """For each band: first bin, response, and length of the inverse transform."""
    frames = time * FRAME_RATE // rate
    filters = []
    for low, centre, high in band_edges(rate / 2):
        low = max(low, 1.0)
        bins = np.arange(int(np.ceil(low * time / rate)), int(high * time / rate) + 1)
        erb = np.log10(1 + 0.00437 * bins * rate / time)
        middle, below, above = (np.log10(1 + 0.00437 * f) for f in (centre, low, high))
        position = np.where(erb < middle, (erb - middle) / (middle - below), (erb - middle) / (above - middle))
        response = torch.from_numpy(np.cos(np.pi / 2 * position).astype(np.float32))
        filters.append((int(bins[0]), response, max(2 * frames, _fast_length(2 * len(bins)))))
    return filters


def _fast_length(length: int) -> int:
    """Next length whose transform is fast: a power of two times at most 15."""
    step = 1 << max(length.bit_length() - 4, 0)
    return -(-length // step) * step


@lru_cache(maxsize=8)
def _roll_off(frames: int) -> Tensor:
    """Anti-aliasing response ``[frames // 2 + 1]``: 1 up to 4/5 of the highest modulation, then a quarter cosine."""
    ramp = np.clip(np.linspace(0, 5, frames // 2 + 1) - 4, 0, 1)
    return torch.from_numpy(np.cos(np.pi / 2 * ramp).astype(np.float32))
