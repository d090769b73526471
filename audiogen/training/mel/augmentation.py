"""Data augmentation of mel training windows: gain, spectral tilt, SpecAugment masks, mixing of recordings."""

from __future__ import annotations

import importlib
from types import ModuleType

import torch
from torch import Tensor

from audiogen.dsp.decibels import NEPERS_PER_DB
from audiogen.errors import InputError
from audiogen.experiment import Augmentation

MIXING_DB = 6.0  # standard deviation of the level difference between two mixed recordings


def augment(windows: Tensor, options: Augmentation, n_mels: int) -> Tensor:
    """Apply a random gain, tilt and masks to each of ``[batch, time, channels * n_mels]`` log-mel windows."""
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


def mix(windows: Tensor, centres: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Mix some windows with the next one of the batch, in power: textures that were never recorded.

    Between-class learning (Tokozume et al. 2018, arXiv 1711.10282) on log-mel windows. The window that is mixed in is
    first brought to about the same level.

    Args:
        windows: ``[batch, time, feature]`` log-mel frames.
        centres: ``[batch, 1, feature]`` mean frames of their recordings; mixed alike, they stay close to the mean.
        probability: of mixing, for each window.

    Returns:
        Windows and centres.
    """
    if probability == 0:
        return windows, centres
    batch = len(windows)
    mixed = torch.rand(batch, 1, 1, device=windows.device) < probability
    level_difference = (centres - centres.roll(1, 0)).mean(-1, keepdim=True)
    shift = level_difference + MIXING_DB * NEPERS_PER_DB * torch.randn(batch, 1, 1, device=windows.device)

    def with_the_next(each: Tensor) -> Tensor:
        return torch.where(mixed, torch.logaddexp(2 * each, 2 * (each.roll(1, 0) + shift)) / 2, each)

    return with_the_next(windows), with_the_next(centres)


def mask(windows: Tensor, options: Augmentation, n_mels: int) -> Tensor:
    """SpecAugment (Park et al. 2019, arXiv 1904.08779): set random bands and frames to their mean over the window."""
    audio = torchaudio_functional()
    spectrograms = windows.unflatten(-1, (-1, n_mels)).permute(0, 2, 3, 1)  # [batch, channel, band, time]
    mean = spectrograms.mean(dim=3, keepdim=True)
    centred = spectrograms - mean
    max_widths = (round(options.frequency_mask * n_mels), round(options.time_mask * windows.shape[1]))
    for axis, width in zip((2, 3), max_widths, strict=True):
        if width > 0:
            centred = audio.mask_along_axis_iid(centred, width, 0.0, axis)
    return (centred + mean).permute(0, 3, 1, 2).flatten(2)


def torchaudio_functional() -> ModuleType:
    """The module ``torchaudio.functional``, which the masks need.

    Raises:
        InputError: it is not installed, or its binaries do not fit the installed torch, which package metadata does
            not reveal.
    """
    try:
        return importlib.import_module("torchaudio.functional")
    except (ImportError, OSError) as error:
        cause = f"torchaudio does not load with torch {torch.__version__} ({error})"
        cure = "install both from one index, or set augmentation.frequency_mask=0 and augmentation.time_mask=0"
        raise InputError("augmentation", cause, cure) from error
