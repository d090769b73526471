"""What channels share by chance is taken out of the weaker one, and no more than that."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.balance import MOST, Balance

SPEC = MelSpec()
BLOCKS, FRAMES = 6, 64


def correlated(share: float) -> Tensor:
    """``[2, time]`` noise, the second channel half as strong, correlated by ``share``."""
    noise = torch.randn(2, BLOCKS * FRAMES * SPEC.hop, generator=torch.Generator().manual_seed(0))
    return torch.stack([noise[0], 0.5 * (share * noise[0] + (1 - share**2) ** 0.5 * noise[1])])


def balanced(samples: Tensor) -> Tensor:
    balance = Balance(len(samples), SPEC)
    return torch.cat([balance(block, FRAMES) for block in samples.split(FRAMES * SPEC.hop, dim=1)], dim=1)


@pytest.mark.parametrize(("share", "left"), [(0.0, 0.0), (0.2, 0.0), (-0.2, 0.0), (0.8, 0.8 - MOST)])
def test_correlation_is_taken_out_within_limits(share: float, left: float):
    samples = correlated(share)
    out = balanced(samples)
    found = float(torch.corrcoef(out)[0, 1])
    assert found < 0.02 if left == 0.0 else 0.7 * left < found < share
    assert torch.equal(out[0], samples[0])
    assert float((out[1] - samples[1]).norm() / samples[1].norm()) < MOST + 0.01


def test_what_was_rendered_before_is_made_up_for():
    samples = correlated(0.0)
    half = samples.shape[1] // 2
    samples[1, :half] += 0.5 * 0.5 * samples[0, :half]  # more than may be taken out at once
    out = balanced(samples)
    assert abs(float(torch.corrcoef(out)[0, 1])) < 0.1 < float(torch.corrcoef(out[:, :half])[0, 1])


def test_mono_and_silence_are_left_alone():
    mono, silence = correlated(0.0)[:1], torch.zeros(2, 4 * FRAMES * SPEC.hop)
    assert torch.equal(balanced(mono), mono)
    assert float(balanced(silence).abs().max()) == 0.0
