"""What a vocoder is trained by, besides its discriminators."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, log_mel

WINDOWS = (512, 1024, 2048)  # samples; a quarter of each from one to the next
FAINT = 1e-5  # magnitudes are compared down to this


def multi_resolution(output: Tensor, real: Tensor) -> Tensor:
    """Multi-resolution STFT distance of ``[batch, time]`` samples (arXiv 1910.11480, equations 4 to 6)."""
    total = output.new_zeros(())
    for size in WINDOWS:
        window = torch.hann_window(size, device=output.device)
        found, wanted = (
            torch.fft.rfft(samples.unfold(-1, size, size // 4) * window).abs() for samples in (output, real)
        )
        missed = (found - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1).clamp(min=1e-3)
        total = total + missed.mean() + (found.clamp(min=FAINT).log() - wanted.clamp(min=FAINT).log()).abs().mean()
    return total / len(WINDOWS)


def mel_distance(output: Tensor, real: Tensor, spec: MelSpec) -> Tensor:
    """Mean absolute difference of the log-mel frames of ``[batch, time]`` samples."""
    return (log_mel(output, spec, padded=True) - log_mel(real, spec, padded=True)).abs().mean()
