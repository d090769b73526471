"""What a vocoder is trained by, besides its discriminators."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.mel_inversion import spread
from audiogen.vocoders.neural import inverted

WINDOWS = (512, 1024, 2048)  # samples; a quarter of each from one to the next
FAINT = 1e-5  # magnitudes are compared down to this
FARTHEST = 1e3  # times its expected power that a bin counts as at most: it grows without limit where none is expected
SILENT = 1e-3  # log units above a spec's silence: bands below are not judged, nothing is known of them


def rice(squared: Tensor, gain: Tensor, odds: Tensor) -> Tensor:
    """Negative log likelihood of squared magnitudes under a steady part within Gaussian noise (Rice 1945).

    Args:
        squared: magnitudes over those of the inverted frames, squared.
        gain: log of the root of the expected power, on the same scale.
        odds: log odds of steady power against noise.

    Returns:
        Nats, elementwise, up to a constant that does not depend on the prediction.
    """
    power = (2.0 * gain).exp()
    noise, steady = odds.neg().sigmoid() * power, (odds.sigmoid() * power).sqrt()
    magnitude = (squared + 1e-10).sqrt()
    bessel = torch.special.i0e(2.0 * magnitude * steady / noise).log()
    return noise.log() + (magnitude - steady).square() / noise - bessel


def likelihood(
    spectrum: Tensor, frames: Tensor, shape: Tensor | None, gain: Tensor, odds: Tensor, spec: MelSpec
) -> Tensor:
    """Mean `rice` over the bins of ``[batch, time, bins]`` true spectra whose bands are above silence.

    Args:
        frames: ``[batch, time, n_mels]`` log-mel.
        shape: ``[batch, 1, bins]``, long-term spectra of the recordings, if known.
        gain: as the network corrects the inverted frames, ``[batch, time, bins]``.
        odds: likewise.
    """
    squared = spectrum.real.square() + spectrum.imag.square()
    heard = spread((frames > spec.silence + SILENT).float(), spec) > 0.99
    relative = squared / inverted(frames, spec, shape).square().clamp(min=FAINT**2)
    nats = rice(torch.where(heard, relative.clamp(max=FARTHEST), 1.0), gain, odds)
    return (nats * heard).sum() / heard.sum().clamp(min=1)


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
