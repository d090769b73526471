"""The drift guard brings what strays back to the source, and leaves alone what does not."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.generation.guard import DB, LARGEST_BAND, SpectrumGuard
from audiogen.representation.mel import MelSpec

SPEC = MelSpec()


def swelling(seconds: float, depth: float, seed: int) -> Tensor:
    """``[time, n_mels]`` log-mel frames of noise that swells by ``depth`` (of a logarithm) every 3 s."""
    time = torch.arange(round(seconds * SPEC.frame_rate)) / SPEC.frame_rate
    noise = torch.randn(len(time), SPEC.n_mels, generator=torch.Generator().manual_seed(seed))
    return 0.3 * noise - 4 + depth * torch.sin(2 * torch.pi * time / 3)[:, None]


def brightness(frames: Tensor) -> float:
    """dB by which the upper half of the bands has more magnitude than the lower."""
    mean = frames.exp().mean(0)
    return float((mean[SPEC.n_mels // 2 :].mean() / mean[: SPEC.n_mels // 2].mean()).log() * DB)


def test_crests_that_are_brighter_are_taken_back() -> None:
    source, strayed = swelling(20.0, 1.0, 0), swelling(60.0, 1.0, 1)
    # Crests brighter, troughs as much darker: the mean logarithm does not tell, the magnitude does.
    tilt = torch.linspace(-1, 1, SPEC.n_mels) * 0.15
    level = strayed.mean(1, keepdim=True) - strayed.mean()
    strayed = strayed + tilt * level.sign()
    guard = SpectrumGuard(source, SPEC)
    held = torch.cat([guard(piece) for piece in strayed.split(64)])
    late = len(held) // 2
    before, after = (abs(brightness(frames[late:]) - brightness(source)) for frames in (strayed, held))
    assert before > 0.4
    assert after < 0.4 * before
    assert 0 < guard.largest <= LARGEST_BAND


def test_more_of_the_same_is_left_alone() -> None:
    guard = SpectrumGuard(swelling(20.0, 1.0, 0), SPEC)
    more = swelling(30.0, 1.0, 1)
    held = torch.cat([guard(piece) for piece in more.split(64)])
    assert float((held - more).abs().mean()) * DB < 0.2
