"""What is done to training windows so that little audio teaches more."""

from __future__ import annotations

import importlib
import math
from types import ModuleType

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.experiment import Augmentation

NEPERS_PER_DB = math.log(10) / 20  # log-mel values are natural logarithms of magnitudes
MIXED_DB = 6.0  # standard deviation of the level between two recordings that are mixed


def augment(windows: Tensor, options: Augmentation, n_mels: int) -> Tensor:
    """Gain, tilt and masks on ``[batch, time, channels * n_mels]`` log-mel windows, drawn for each window."""
    batch = len(windows)
    if options.gain > 0:
        windows = windows + options.gain * NEPERS_PER_DB * torch.randn(batch, 1, 1, device=windows.device)
    if options.tilt > 0:
        slope = torch.linspace(-0.5, 0.5, n_mels, device=windows.device)
        slope = slope.repeat(windows.shape[-1] // n_mels)
        windows = windows + options.tilt * NEPERS_PER_DB * torch.randn(batch, 1, 1, device=windows.device) * slope
    if options.frequency_mask > 0 or options.time_mask > 0:
        windows = mask(windows, options, n_mels)
    return windows


def mix(windows: Tensor, centres: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Some windows with the next one of the batch added to them in power: a texture that was not recorded.

    Between-class learning (Tokozume et al. 2018, arXiv 1711.10282), on log-mel windows; what is added is first brought
    to about the same level. The centres ``[batch, 1, feature]`` are mixed alike, so that they stay nearly the mean.
    """
    if share == 0:
        return windows, centres
    batch = len(windows)
    mixed = torch.rand(batch, 1, 1, device=windows.device) < share
    apart = (centres - centres.roll(1, 0)).mean(-1, keepdim=True)
    shift = apart + MIXED_DB * NEPERS_PER_DB * torch.randn(batch, 1, 1, device=windows.device)

    def with_the_next(each: Tensor) -> Tensor:
        return torch.where(mixed, torch.logaddexp(2 * each, 2 * (each.roll(1, 0) + shift)) / 2, each)

    return with_the_next(windows), with_the_next(centres)


def mask(windows: Tensor, options: Augmentation, n_mels: int) -> Tensor:
    """SpecAugment (Park et al. 2019, arXiv 1904.08779): stretches become the mean frame."""
    audio = torchaudio_functional()
    spectrograms = windows.unflatten(-1, (-1, n_mels)).permute(0, 2, 3, 1)  # [batch, channel, band, time]
    mean = spectrograms.mean(dim=3, keepdim=True)
    centred = spectrograms - mean
    widest = (round(options.frequency_mask * n_mels), round(options.time_mask * windows.shape[1]))
    for axis, width in zip((2, 3), widest, strict=True):
        if width > 0:
            centred = audio.mask_along_axis_iid(centred, width, 0.0, axis)
    return (centred + mean).permute(0, 3, 1, 2).flatten(2)


def torchaudio_functional() -> ModuleType:
    """torchaudio's functions, on which masks rest.

    Raises:
        InputError: it is not there, or its binaries do not fit the installed torch, which its metadata does not tell.
    """
    try:
        return importlib.import_module("torchaudio.functional")
    except (ImportError, OSError) as error:
        cause = f"torchaudio does not load beside torch {torch.__version__} ({error})"
        cure = "install both from one index, or set augmentation.frequency_mask=0 and augmentation.time_mask=0"
        raise InputError("augmentation", cause, cure) from error
