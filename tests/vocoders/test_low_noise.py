"""Low-noise noise: white, even in time and frequency, different per channel, reproducible by seed."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.phase_reconstruction.low_noise import loop, low_noise, save
from audiogen.vocoders.phase_reconstruction.projection import analyse

SPEC = MelSpec()
SHAPE = torch.Size((2, 100))


def fluctuation(samples: Tensor, window: int) -> float:
    """Mean distance of magnitudes from their median, dB; 4.2 for white noise."""
    spec = MelSpec(n_fft=window, win=window, hop=window // 4, n_mels=20)
    levels = 20 * analyse(samples[None], spec)[..., 2:-2].abs().clamp(min=1e-6).log10()
    return float((levels - levels.median()).abs().mean())


def test_magnitudes_hardly_fluctuate_at_any_window_position():
    white = torch.randn(2**17, generator=torch.Generator().manual_seed(0))
    for window in (512, 1024, 2048):
        for offset in (0, 100, 333):
            assert fluctuation(loop()[offset : offset + 2**17], window) < 0.6 * fluctuation(white, window)


def test_it_is_white_and_of_unit_power():
    spectra = low_noise(SHAPE, SPEC, torch.Generator().manual_seed(0))
    assert spectra.shape == (2, 100, SPEC.bins)
    power = spectra.abs().square()
    assert abs(float(power[..., 2:-2].mean()) - 1) < 0.02
    bands = power[..., 1:-1].unflatten(-1, (33, 31)).mean(dim=(0, 1, 3))
    assert float((bands - 1).abs().max()) < 0.15
    assert 2.5 < float((loop() ** 4).mean()) < 3.5  # kurtosis of noise, not of a pulse train


def test_channels_differ_and_seeds_are_reproducible():
    one, again, other = (low_noise(SHAPE, SPEC, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    alike = (one[0] * one[1].conj()).mean().abs() / one.abs().square().mean()
    assert float(alike) < 0.1


def test_a_block_longer_than_the_loop_wraps_around():
    frames = len(loop()) // SPEC.hop + 20
    spectra = low_noise(torch.Size((1, frames)), SPEC, torch.Generator().manual_seed(0))
    assert spectra.shape[1] == frames
    lap = len(loop()) // SPEC.hop
    torch.testing.assert_close(spectra[:, :10], spectra[:, lap : lap + 10], atol=1e-3, rtol=0)


def test_saving_and_loading(tmp_path, monkeypatch):
    noise = torch.randn(4096, generator=torch.Generator().manual_seed(3))
    save(noise, tmp_path / "noise.safetensors")
    monkeypatch.setattr("audiogen.vocoders.phase_reconstruction.low_noise.SHIPPED", tmp_path / "noise.safetensors")
    loop.cache_clear()
    try:
        read = loop()
    finally:
        loop.cache_clear()
    assert float((read - noise / noise.square().mean().sqrt()).abs().max()) < 0.03
