"""The statistics of a stretch of sound that texture is recognised by, from its compressed envelopes.

After McDermott & Simoncelli (2011), Neuron 71:926-940. By class:

- ``spectrum``: mean of each envelope, in dB;
- ``moments``: coefficient of variation, skewness and kurtosis of each envelope;
- ``attack``: skewness of each envelope's rises over 10 ms: sharp onsets with slow decays against the
  reverse. It stands for the paper's C2, whose purpose it serves at a tenth of the cost;
- ``correlation``: between the envelopes of bands 1, 2, 3, 5, 8, 11, 16 and 21 apart (the paper's C);
- ``modulation``: power of each envelope in octave bands around 4 to 128 Hz, a share of its variance, in dB;
- ``slow modulation``: the same around 0.5, 1 and 2 Hz (swells, gusts, waves), averaged over 8 neighbouring
  bands: a stretch holds few such cycles, and band by band their scatter would hide a missing swell;
- ``comodulation``: correlation of neighbouring bands within each modulation band (the paper's C1).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from audiogen.evaluation.envelopes import COMPRESSION, FRAME_RATE

OFFSETS = (1, 2, 3, 5, 8, 11, 16, 21)  # of band pairs whose correlation is taken (the paper's)
MODULATIONS = tuple(2.0**octave for octave in range(-1, 8))  # 0.5 .. 128 Hz
SLOW = 4.0  # Hz: modulations below are slow
GROUP = 8  # neighbouring bands whose slow modulation power is averaged
RISE = FRAME_RATE // 100  # frames over which a rise is taken

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

Statistics = dict[str, np.ndarray]
"""Class name -> ``[channels, stretches, values]``."""


def statistics(envelope: np.ndarray, frames: int) -> Statistics:
    """Statistics of each stretch of a recording.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes at 400 Hz.
        frames: length of a stretch; stretches overlap by half, the last one ends with the recording.

    Returns:
        class -> ``[channels, stretches, values]``.
    """
    last = envelope.shape[-1] - frames
    starts = np.linspace(0, last, 1 + int(np.ceil(last / (frames / 2)))).round().astype(int)
    table = [[stretch_statistics(channel[:, s : s + frames]) for s in starts] for channel in envelope]
    return {name: np.array([[row[name] for row in rows] for rows in table]) for name in table[0][0]}


def stretch_statistics(envelope: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics of one stretch, ``[bands, time]`` compressed envelopes -> class -> ``[values]``."""
    mean = envelope.mean(axis=1, dtype=np.float64)
    centred = envelope - mean[:, None].astype(np.float32)
    # A band that lies at the inaudible floor is constant up to rounding: it has no shape to compare.
    variance = np.mean(centred**2, axis=1, dtype=np.float64) + (0.01 * mean) ** 2
    scaled = (centred / np.sqrt(variance)[:, None]).astype(np.float32)
    square = scaled**2
    skewness, kurtosis = np.mean(square * scaled, axis=1), np.mean(square * square, axis=1)
    correlation = scaled @ scaled.T / scaled.shape[1]
    return {
        "spectrum": 20 / COMPRESSION * np.log10(mean),
        "moments": np.concatenate([np.log(np.sqrt(variance) / mean), skewness, np.log(kurtosis + 1)]),
        "attack": _attack(scaled),
        "correlation": np.concatenate([np.diagonal(correlation, offset) for offset in OFFSETS]),
        **_modulation_statistics(scaled),
    }


def _attack(scaled: np.ndarray) -> np.ndarray:
    """Skewness of the rises of ``[bands, time]`` envelopes of unit variance, each averaged over 10 ms."""
    total = np.cumsum(scaled, axis=1, dtype=np.float64)
    smooth = (total[:, RISE:] - total[:, :-RISE]) / RISE
    rises = smooth[:, RISE:] - smooth[:, :-RISE]
    return np.mean(rises**3, axis=1) / (np.mean(rises**2, axis=1) + 1e-4) ** 1.5


def _modulation_statistics(scaled: np.ndarray) -> dict[str, np.ndarray]:
    """Modulation power and comodulation of ``[bands, time]`` envelopes of zero mean and unit variance."""
    from scipy import fft

    time = scaled.shape[1]
    window = np.hanning(time + 2)[1:-1].astype(np.float32)
    weighted = (scaled - (scaled @ window / window.sum())[:, None]) * window
    spectrum = fft.rfft(weighted, axis=1) * np.sqrt(2 / (time * np.sum(window**2)))
    slow, fast, together = [], [], []
    for centre, (bins, weight) in zip(MODULATIONS, _modulation_bands(time), strict=True):
        if centre * time < FRAME_RATE:
            continue
        part = spectrum[:, bins] * np.sqrt(weight)
        power = np.sum(np.abs(part) ** 2, axis=1)
        if centre < SLOW:
            groups = np.array_split(power, max(1, len(power) // GROUP))
            slow.append(10 * np.log10([group.mean() + 1e-3 for group in groups]))
            continue
        fast.append(10 * np.log10(power + 1e-3))
        norm = np.sqrt(power + 1e-6)
        cross = (part @ part.conj().T).real / (norm[:, None] * norm)
        together += [np.diagonal(cross, 1), np.diagonal(cross, 2)]
    classes = {"modulation": fast, "slow modulation": slow, "comodulation": together}
    return {name: np.concatenate(values) for name, values in classes.items() if values}


@lru_cache(maxsize=16)
def _modulation_bands(time: int) -> list[tuple[slice, np.ndarray]]:
    """Raised-cosine power weights an octave apart that sum to one; bins and weights of each band."""
    frequency = np.arange(1, time // 2 + 1) * FRAME_RATE / time
    bands = []
    for centre in MODULATIONS:
        octaves = np.log2(frequency / centre)
        used = np.flatnonzero(np.abs(octaves) < 1)
        weight = np.cos(np.pi / 2 * octaves[used]) ** 2
        bins = slice(1 + int(used[0]), 2 + int(used[-1])) if len(used) else slice(0, 0)
        bands.append((bins, weight.astype(np.float32)))
    return bands
