"""Band equaliser: adjusts the power of rendered bands to the recording's, within its limits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.phase_reconstruction.equaliser import MAX_GAIN, Equaliser
from audiogen.vocoders.phase_reconstruction.projection import overlap
from audiogen.vocoders.phase_reconstruction.source_spectrum import band_power_ratio

SPEC = MelSpec()
FRAMES = 72


def noise(seed: int, frames: int) -> Tensor:
    samples = torch.randn(1, overlap(SPEC) + frames * SPEC.hop, generator=torch.Generator().manual_seed(seed))
    return 0.1 * samples


def decibels(samples: Tensor, reference: Tensor) -> float:
    return 10 * float(torch.log10(samples.square().mean() / reference.square().mean()))


@pytest.mark.parametrize(("change", "expected"), [(0.0, 0.0), (-0.6, 0.0), (0.6, 0.0), (-6.0, -6.0 + MAX_GAIN)])
def test_gains_are_limited(change: float, expected: float):
    sound = noise(1, FRAMES)
    past, real = sound[:, : overlap(SPEC)], sound[:, overlap(SPEC) :]
    equalise = Equaliser(band_power_ratio(noise(0, 400), SPEC), SPEC)
    out = equalise(real * 10 ** (change / 20), past, log_mel(sound, SPEC, padded=True), FRAMES)
    # Without the first and last windows, which extend beyond the block.
    inside = slice(SPEC.win, -SPEC.win)
    assert abs(decibels(out[:, inside], real[:, inside]) - expected) < 0.15


def test_uneven_bands_have_more_power():
    seconds = torch.arange(200 * SPEC.hop) / SPEC.sample_rate
    partial = 0.1 * torch.sin(2 * torch.pi * 5000.0 * seconds)[None]
    band = int(log_mel(partial, SPEC).mean(dim=1).argmax())
    steady, noisy = (float(band_power_ratio(sound, SPEC)[0, 0, band]) for sound in (partial, noise(0, 200)))
    assert steady > 2 * noisy  # a tone occupies four bins of the band, noise all of them


def test_silence_is_unchanged():
    equalise = Equaliser(band_power_ratio(torch.zeros(1, 8 * SPEC.win), SPEC), SPEC)
    silence = torch.zeros(1, FRAMES * SPEC.hop)
    out = equalise(silence, silence, torch.full((1, FRAMES, SPEC.n_mels), SPEC.silence), FRAMES)
    assert float(out.abs().max()) == 0.0
