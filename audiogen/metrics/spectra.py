"""Short-time spectra and third-octave bands, for the measures that need no perceptual model."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from audiogen.audio import Recording

POWER_FLOOR = 1e-10  # mean square of what counts as nothing: -100 dBFS
MEL_BANDS = 64
MAX_MEL_HERTZ = 16000.0  # Hz
MEL_FLOOR = 1e-7  # of the mean band power: what lies 70 dB lower is not compared


def frame_size(rate: int, seconds: float = 0.0464) -> int:
    """The power of two that is nearest to ``seconds``: 2048 samples at 44.1 kHz by default."""
    return 2 ** int(np.clip(round(np.log2(rate * seconds)), 4, 20))


def spectra(samples: np.ndarray, size: int, hop: int) -> np.ndarray:
    """Hann-windowed spectra of whole frames, scaled so that their squares sum to the mean square.

    Args:
        samples: ``[channels, time]``, time >= size.
        size: frame length in samples.
        hop: samples from frame to frame.

    Returns:
        ``[channels, frames, size / 2 + 1]`` complex64.
    """
    from scipy import fft

    window = np.hanning(size + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, size, axis=-1)[:, ::hop]
    found = fft.rfft(frames * window, axis=-1) * np.float32(np.sqrt(2 / (size * np.sum(window**2))))
    found[..., 0] *= np.sqrt(0.5)
    found[..., -1] *= np.sqrt(0.5)
    return found


@lru_cache(maxsize=8)
def third_octaves(rate: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Third-octave bands (IEC 61260, base two) that hold a bin at least.

    Returns:
        Centres ``[bands]`` in Hz and ``[bins, bands]`` float32 of zeros and ones.
    """
    hertz = np.fft.rfftfreq(size, 1 / rate)
    centres = 1000 * 2.0 ** (np.arange(-15, 14) / 3)
    inside = (hertz[:, None] >= centres * 2 ** (-1 / 6)) & (hertz[:, None] < centres * 2 ** (1 / 6))
    used = inside.any(axis=0) & (centres * 2 ** (1 / 6) <= rate / 2)
    return centres[used], inside[:, used].astype(np.float32)


def decibels(power: np.ndarray | float) -> np.ndarray:
    """``10 log10(power)``, from -100 dB up."""
    return 10 * np.log10(np.maximum(power, POWER_FLOOR))


def mel_frames(recording: Recording) -> tuple[np.ndarray, float]:
    """Log-mel power frames ``[time, 64]`` float32, powers averaged over channels, and their rate in Hz."""
    import torch

    from audiogen.representation.mel import MelSpec, log_mel

    rate = recording.sample_rate
    size = 2 ** int(np.clip(round(np.log2(rate * 0.0464)), 6, 16))
    if recording.samples.shape[-1] < size:
        return np.zeros((0, MEL_BANDS), np.float32), rate / (size // 4)
    spec = MelSpec(
        sample_rate=rate,
        n_fft=size,
        win=size,
        hop=size // 4,
        n_mels=MEL_BANDS,
        fmax=min(MAX_MEL_HERTZ, rate / 2),
        power=2.0,
        floor=1e-12,
    )
    with torch.no_grad():
        channels = [log_mel(torch.from_numpy(np.ascontiguousarray(c)), spec).exp() for c in recording.samples]
    power = sum(channels[1:], channels[0]).numpy() / len(channels)
    return np.log(power + MEL_FLOOR * max(float(power.mean()), 1e-9)).astype(np.float32), spec.frame_rate
