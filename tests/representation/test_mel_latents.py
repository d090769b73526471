"""Latents: partially whitened principal components of patches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from audiogen.representation import mel_latents as module
from audiogen.representation.mel_latents import Latents, MelLatents, MelOptions, fit_latents


def frames(time: int = 200, feature: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    spread = torch.linspace(2.0, 0.5, feature)
    return torch.randn(time, feature, generator=generator) * spread + torch.arange(feature)


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [0, 24])
def test_a_code_of_full_rank_reconstructs_exactly(size: int, whitening: float):
    data = frames()
    code = fit_latents([data], 4, size, whitening)
    assert code.size == 24
    assert (code.decode(code.encode(data)) - data).abs().max() < 1e-3


def test_a_batch_is_encoded_like_its_items():
    data = frames()
    code = fit_latents([data], 4, 5, 0.5)
    batch = torch.stack([data[:40], data[40:80]])
    assert torch.allclose(code.encode(batch)[1], code.encode(data[40:80]), atol=1e-6)
    assert code.decode(code.encode(batch)).shape == (2, 40, 6)


def test_leading_components_explain_the_most():
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(500, 2, generator=generator)
    data = hidden @ torch.randn(2, 8, generator=generator) + 0.05 * torch.randn(500, 8, generator=generator)
    code = fit_latents([data], 1, 2, 0.0)
    left = (code.decode(code.encode(data)) - data).square().mean() / (data - data.mean(0)).square().mean()
    assert left < 0.02
    worse = fit_latents([data], 1, 1, 0.0)
    assert (worse.decode(worse.encode(data)) - data).square().mean() / data.var() > 2 * left


def test_more_latents_never_explain_less():
    data = frames()
    errors = []
    for size in (1, 4, 8, 16, 24):
        code = fit_latents([data], 4, size, 0.5)
        errors.append(float((code.decode(code.encode(data)) - data).square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6 < errors[0]


def all_offsets(code: Latents, data: Tensor) -> Tensor:
    return torch.cat([code.encode(data[start : start + 4]) for start in range(len(data) - 3)])


@pytest.mark.parametrize("whitening", [0.0, 0.25, 0.5, 1.0])
def test_latents_have_mean_square_one_and_variances_by_the_exponent(whitening: float):
    data = frames(800)
    data[1:] += 0.9 * data[:-1]  # correlated neighbours: components of different variance
    code = fit_latents([data], 4, 10, whitening)
    spread = all_offsets(code, data).square().mean(0).sqrt()
    assert float(spread.square().mean()) == pytest.approx(1.0, rel=0.02)
    plain = all_offsets(fit_latents([data], 4, 10, 0.0), data).square().mean(0).sqrt()
    assert torch.allclose(spread / spread[0], (plain / plain[0]) ** (1 - whitening), rtol=0.02)


def test_centring_removes_the_level_of_a_recording():
    quiet, loud = frames(seed=1), frames(seed=1) + 3.0
    code = fit_latents([quiet, loud], 4, 24, 0.5, centred=True)
    assert torch.allclose(code.encode(quiet, quiet.mean(0)), code.encode(loud, loud.mean(0)), atol=1e-4)
    decoded = code.decode(code.encode(loud, loud.mean(0)), loud.mean(0))
    assert (decoded - loud).abs().max() < 1e-3
    assert float(code.deviation[0]) == pytest.approx(float(quiet[:, 0].std()), rel=0.05)


def test_fitting_in_chunks_equals_fitting_at_once(monkeypatch: pytest.MonkeyPatch):
    data = [frames(97), frames(3), frames(150, seed=4)]  # the second is shorter than a patch
    whole = fit_latents(data, 4, 6, 0.5)
    monkeypatch.setattr(module, "PATCHES_AT_ONCE", 10)
    pieces = fit_latents(data, 4, 6, 0.5)
    assert torch.allclose(whole.basis, pieces.basis, atol=1e-3)
    assert torch.allclose(whole.scale, pieces.scale, rtol=1e-4)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(torch.full((50, 6), -11.5), id="silence"),
        pytest.param(frames(4), id="one patch"),
        pytest.param(frames(9), id="fewer patches than latents"),
        pytest.param(torch.cat([frames(20), torch.full((20, 6), -11.5)]), id="half silence"),
        pytest.param(1e-6 * frames(50), id="next to nothing"),
    ],
)
@pytest.mark.parametrize("whitening", [0.0, 1.0])
def test_degenerate_recordings_give_finite_numbers(data: Tensor, whitening: float):
    code = fit_latents([data], 4, 16, whitening, centred=True)
    whole = data[: len(data) // 4 * 4]
    encoded = code.encode(whole, data.mean(0))
    assert encoded.shape == (len(whole) // 4, code.size)
    assert encoded.isfinite().all()
    assert code.decode(encoded, data.mean(0)).isfinite().all()
    assert all(tensor.isfinite().all() for tensor in code.tensors().values())


def test_a_recording_shorter_than_a_patch_is_rejected():
    with pytest.raises(ValueError, match="4 frames of a patch"):
        fit_latents([frames(3)], 4, 2, 0.5)


def test_saving_and_loading():
    options = MelOptions(patch=4, latents=7)
    data = torch.randn(60, 128, generator=torch.Generator().manual_seed(0))
    fitted = MelLatents.fit(options, [data])
    again = MelLatents.from_tensors(options, fitted.tensors())
    assert again.features == fitted.features == 7
    assert again.channels == 1
    assert again.patch == 4
    assert again.step_seconds == pytest.approx(4 * 512 / 44100)
    assert torch.equal(again.encode(data), fitted.encode(data))
    assert torch.equal(fitted.centre(data), data.mean(0))
    common = MelLatents.fit(MelOptions(patch=4, latents=7, centred=False), [data])
    assert torch.equal(common.centre(data[:10]), common.latents.mean)
