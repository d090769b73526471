"""Short-time spectra, third-octave bands and log-mel frames, shared by the metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.fourier import rfft

if TYPE_CHECKING:
    from audiogen.representation.mel import MelSpec

POWER_FLOOR = 1e-10  # mean square treated as silence: -100 dBFS
MEL_BANDS = 64
MAX_MEL_HERTZ = 16000.0
MEL_FLOOR = 1e-7  # of the mean band power, added to each: differences 70 dB below it do not count


def frame_size(rate: int, seconds: float = 0.0464) -> int:
    """The power of two nearest to ``seconds``, in samples: 2048 at 44.1 kHz by default."""
    return 2 ** int(np.clip(round(np.log2(rate * seconds)), 4, 20))


def spectra(samples: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Hann-windowed spectra of whole frames, scaled so that their squares sum to the mean square.

    Args:
        samples: ``[channels, time]``, time >= size.
        size: frame length in samples.
        hop: samples between the starts of two frames.

    Returns:
        ``[channels, frames, size / 2 + 1]`` complex64.
    """
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size, axis=-1)[:, ::hop]
    spectrum = rfft(frames * window) * np.float32(np.sqrt(2 / (size * np.sum(window**2))))
    spectrum[..., 0] *= np.sqrt(0.5)
    spectrum[..., -1] *= np.sqrt(0.5)
    return spectrum


@lru_cache(maxsize=8)
def third_octaves(rate: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Third-octave bands (IEC 61260, base two) that contain at least one bin of a spectrum.

    Returns:
        Centres ``[bands]`` in Hz, and ``[bins, bands]`` float32 of zeros and ones that sums power spectra to bands.
    """
    hertz = np.fft.rfftfreq(size, 1 / rate)
    centres = 1000 * 2.0 ** (np.arange(-15, 14) / 3)
    inside = (hertz[:, None] >= centres * 2 ** (-1 / 6)) & (hertz[:, None] < centres * 2 ** (1 / 6))
    used = inside.any(axis=0) & (centres * 2 ** (1 / 6) <= rate / 2)
    return centres[used], inside[:, used].astype(np.float32)


def third_octave_levels(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Long-term third-octave levels, powers averaged over channels.

    Returns:
        Centres ``[bands]`` in Hz and levels ``[bands]`` in dB relative to full scale.
    """
    rate, size = recording.sample_rate, frame_size(recording.sample_rate)
    samples = recording.samples
    if samples.shape[1] < size:
        samples = np.pad(samples, ((0, 0), (0, size - samples.shape[1])))
    hertz, bands = third_octaves(rate, size)
    total, step = np.zeros(len(hertz)), 64 * size
    for first in range(0, samples.shape[1] - size + 1, step):
        power = np.abs(spectra(samples[:, first : first + step + size // 2], size, size // 2)) ** 2
        total += power.sum(axis=(0, 1), dtype=np.float64) @ bands
    return hertz, decibels(total / max(1, samples.shape[1] // (size // 2)) / len(samples))


def decibels(power: np.ndarray | float) -> np.ndarray:
    """``10 log10(power)``, at least -100 dB."""
    return 10 * np.log10(np.maximum(power, POWER_FLOOR))


def mel_frames(recording: Recording) -> tuple[np.ndarray, float]:
    """Log-mel frames ``[time, 64]`` float32, powers averaged over channels, and their frame rate in Hz."""
    rate = recording.sample_rate
    size = frame_size(rate)
    frame_rate = rate / (size // 4)
    if recording.samples.shape[-1] < size:
        return np.zeros((0, MEL_BANDS), np.float32), frame_rate
    power = mel_power(recording, size, MEL_BANDS, min(MAX_MEL_HERTZ, rate / 2))
    return np.log(power + MEL_FLOOR * max(float(power.mean()), 1e-9)).astype(np.float32), frame_rate


def mel_power(recording: Recording, size: int, bands: int, top: float) -> np.ndarray:
    """Mel band powers ``[time, bands]`` of frames of ``size`` samples at a hop of a quarter, averaged over channels.

    Args:
        recording: any audio.
        size: frame length in samples.
        bands: number of mel bands from 0 Hz.
        top: upper edge of the highest band, Hz.
    """
    import torch

    from audiogen.representation.mel import log_mel

    spec = _mel_spec(recording.sample_rate, size, bands, top)
    with torch.no_grad():
        channels = [log_mel(torch.from_numpy(np.ascontiguousarray(row)), spec).exp() for row in recording.samples]
    return sum(channels[1:], channels[0]).numpy() / len(channels)


def mel_power_stream(
    blocks: Iterable[np.ndarray], rate: int, size: int, bands: int, top: float
) -> Iterator[np.ndarray]:
    """`mel_power` of audio that arrives in blocks ``[channels, time]``: ``[time, bands]`` at a time."""
    import torch

    from audiogen.representation.mel import log_mel_stream

    spec = _mel_spec(rate, size, bands, top)
    with torch.no_grad():
        for frames in log_mel_stream((torch.from_numpy(np.ascontiguousarray(block)) for block in blocks), spec):
            yield frames.exp().mean(dim=0).numpy()


def _mel_spec(rate: int, size: int, bands: int, top: float) -> MelSpec:
    from audiogen.representation.mel import MelSpec

    return MelSpec(
        sample_rate=rate, n_fft=size, win=size, hop=size // 4, n_mels=bands, fmax=top, power=2.0, floor=1e-12
    )
