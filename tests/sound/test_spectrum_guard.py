"""The spectrum guard corrects drift towards the source's spectrum, and leaves everything else unchanged."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.dsp.decibels import DB_PER_NEPER
from audiogen.representation.mel import MelSpec
from audiogen.sound.spectrum_guard import MAX_BAND_DB, SpectrumGuard

SPEC = MelSpec()


def swelling(seconds: float, depth: float, seed: int) -> Tensor:
    """``[time, n_mels]`` log-mel frames of noise that swells by ``depth`` (of a logarithm) every 3 s."""
    time = torch.arange(round(seconds * SPEC.frame_rate)) / SPEC.frame_rate
    noise = torch.randn(len(time), SPEC.n_mels, generator=torch.Generator().manual_seed(seed))
    return 0.3 * noise - 4 + depth * torch.sin(2 * torch.pi * time / 3)[:, None]


def brightness(frames: Tensor) -> float:
    """dB by which the upper half of the bands has more magnitude than the lower."""
    mean = frames.exp().mean(0)
    return float((mean[SPEC.n_mels // 2 :].mean() / mean[: SPEC.n_mels // 2].mean()).log() * DB_PER_NEPER)


def test_brighter_crests_are_corrected() -> None:
    source, drifted = swelling(20.0, 1.0, 0), swelling(60.0, 1.0, 1)
    # Crests brighter, troughs as much darker: the mean logarithm does not change, the magnitude does.
    tilt = torch.linspace(-1, 1, SPEC.n_mels) * 0.15
    level = drifted.mean(1, keepdim=True) - drifted.mean()
    drifted = drifted + tilt * level.sign()
    guard = SpectrumGuard(source, SPEC)
    held = torch.cat([guard(piece) for piece in drifted.split(64)])
    late = len(held) // 2
    before, after = (abs(brightness(frames[late:]) - brightness(source)) for frames in (drifted, held))
    assert before > 0.4
    assert after < 0.4 * before
    assert 0 < guard.largest <= MAX_BAND_DB


def test_equal_statistics_are_not_changed() -> None:
    guard = SpectrumGuard(swelling(20.0, 1.0, 0), SPEC)
    more = swelling(30.0, 1.0, 1)
    held = torch.cat([guard(piece) for piece in more.split(64)])
    assert float((held - more).abs().mean()) * DB_PER_NEPER < 0.2
