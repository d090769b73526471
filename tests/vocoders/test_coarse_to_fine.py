"""Coarse-to-fine Griffin-Lim: the reduced spec has the same bins and bands, and the low end converges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.phase_reconstruction.coarse_to_fine import FACTORS, coarse_to_fine, reduced
from audiogen.vocoders.phase_reconstruction.projection import analyse, overlap, synthesise

SPEC = MelSpec()


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("spec", [SPEC, MelSpec(8000, 512, 512, 128, 40, fmax=4000.0, scale="htk", norm="none")])
def test_reduced_bands_equal_the_original_ones(spec: MelSpec, factor: int):
    low = reduced(spec, factor)
    assert low is not None
    bank = low.filterbank()
    wanted = spec.filterbank()[: low.n_mels, : low.bins]
    shift = 1 - low.sample_rate * factor / spec.sample_rate  # the rate is rounded to whole Hz
    np.testing.assert_allclose(bank, wanted, atol=(1e-6 + shift * low.bins) * wanted.max())
    assert low.fmax <= low.sample_rate / 2


def test_specs_that_do_not_divide_are_skipped():
    spec = MelSpec(22050, 1000, 1000, 250, 80, fmax=11025.0)
    assert all(reduced(spec, factor) is None for factor in FACTORS)
    start = torch.randn(1, 4, spec.bins, dtype=torch.complex64)
    past, frames = torch.zeros(1, 2 * spec.win), torch.zeros(1, 4, spec.n_mels)
    assert torch.equal(coarse_to_fine(start, start.abs(), torch.tensor(0.3), frames, past, spec, 8), start)


def test_the_low_end_converges_and_the_rest_is_unchanged(texture: Callable[..., Recording]):
    samples = torch.from_numpy(texture(1.5).samples)[:, : 2 * SPEC.win + 64 * SPEC.hop]
    past, signal = samples[:, : 2 * SPEC.win], samples[:, 2 * SPEC.win - overlap(SPEC) :]
    true = analyse(signal, SPEC)
    frames = log_mel(signal[:, overlap(SPEC) - SPEC.win + SPEC.hop :], SPEC, padded=True)
    phases = 2 * np.pi * torch.rand(true.shape, generator=torch.Generator().manual_seed(0))
    start = torch.polar(true.abs(), phases)

    def error(spectrum: Tensor) -> float:
        found = analyse(synthesise(spectrum, past, SPEC), SPEC).abs()[:, 4:-4, 4:200]
        return float((found - true.abs()[:, 4:-4, 4:200]).norm() / true.abs()[:, 4:-4, 4:200].norm())

    with torch.no_grad():
        settled = coarse_to_fine(start, true.abs(), torch.tensor(1.0), frames, past, SPEC, 16)
    assert error(settled) < 0.6 * error(start)
    assert torch.equal(settled[..., 257:], start[..., 257:])
