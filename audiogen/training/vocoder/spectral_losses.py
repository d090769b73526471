"""Spectral losses of a vocoder: multi-resolution STFT and log-mel distances."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, log_mel

WINDOWS = (512, 1024, 2048)  # samples; hops of a quarter
MAGNITUDE_FLOOR = 1e-5  # of logarithms


def multi_resolution_stft_loss(output: Tensor, real: Tensor) -> Tensor:
    """Spectral convergence plus log-magnitude distance, averaged over `WINDOWS`.

    Yamamoto et al. 2020 (Parallel WaveGAN, arXiv 1910.11480), equations 4 to 6.

    Args:
        output, real: samples ``[batch, time]``.
    """
    total = output.new_zeros(())
    for size in WINDOWS:
        window = torch.hann_window(size, device=output.device)
        ours, theirs = (
            torch.fft.rfft(samples.unfold(-1, size, size // 4) * window).abs() for samples in (output, real)
        )
        convergence = (ours - theirs).flatten(1).norm(dim=1) / theirs.flatten(1).norm(dim=1).clamp(min=1e-3)
        log_ours, log_theirs = (magnitudes.clamp(min=MAGNITUDE_FLOOR).log() for magnitudes in (ours, theirs))
        total = total + convergence.mean() + (log_ours - log_theirs).abs().mean()
    return total / len(WINDOWS)


def mel_loss(output: Tensor, real: Tensor, spec: MelSpec) -> Tensor:
    """Mean absolute difference of the log-mel frames of samples ``[batch, time]``."""
    return (log_mel(output, spec, padded=True) - log_mel(real, spec, padded=True)).abs().mean()
