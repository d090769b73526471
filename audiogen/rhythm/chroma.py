"""Chroma: the power in each of the twelve pitch classes over time."""

from __future__ import annotations

import numpy as np
import torch

WINDOW_SECONDS = 0.186  # resolves semitones from 100 Hz on
HOPS_PER_WINDOW = 4
FRAMES_PER_TILE = 128  # transformed at once: bounds memory
MIN_HERTZ, MAX_HERTZ = 65.0, 2100.0  # C2 to C7


def chroma(samples: np.ndarray, sample_rate: int) -> tuple[np.ndarray, float]:
    """Chroma of a signal (Fujishima 1999, ICMC), square roots of the power so that quiet notes count too.

    Args:
        samples: ``[channels, time]``.
        sample_rate: Hz.

    Returns:
        ``[frames, 12]`` of unit norm (zero in silence), and frames per second. Frame ``t`` is centred on ``t / rate``.
    """
    size = 2 ** round(np.log2(WINDOW_SECONDS * sample_rate))
    hop = size // HOPS_PER_WINDOW
    hertz = np.fft.rfftfreq(size, 1 / sample_rate)
    used = np.flatnonzero((hertz >= MIN_HERTZ) & (hertz <= MAX_HERTZ))
    pitch = 12 * np.log2(hertz[used] / 440)
    # Each bin counts for the pitch classes within a semitone of it.
    distance = np.abs((pitch[:, None] - np.arange(12) + 6) % 12 - 6)
    folding = torch.from_numpy(np.clip(1 - distance, 0, None).astype(np.float32))
    padded = torch.from_numpy(np.pad(samples.astype(np.float32), ((0, 0), (size // 2, size // 2))))
    window = torch.hann_window(size)
    tiles = []
    for tile in padded.unfold(-1, size, hop).split(FRAMES_PER_TILE, dim=1):
        spectrum = torch.fft.rfft(tile * window)[..., int(used[0]) : int(used[-1]) + 1]
        tiles.append((spectrum.abs().square().sum(0) @ folding).sqrt())
    return torch.nn.functional.normalize(torch.cat(tiles), dim=1, eps=1e-6).numpy(), sample_rate / hop
