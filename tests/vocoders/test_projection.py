"""Griffin-Lim: exact transforms, decreasing inconsistency, convergence as in torchaudio and librosa."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from types import ModuleType

import librosa
import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.phase_reconstruction.mel_band_projection import MelBandProjection, Target, fixed
from audiogen.vocoders.phase_reconstruction.phase_gradients import gradients, integrate
from audiogen.vocoders.phase_reconstruction.projection import analyse, overlap, refine, synthesise

SPEC = MelSpec()


def iterate(signal: Tensor, target: Target, spec: MelSpec, iterations: int, momentum: float = 0.99) -> Tensor:
    return refine(signal, [(target, momentum)] * iterations, spec)


@pytest.fixture
def signal(texture: Callable[..., Recording]) -> Tensor:
    """``[1, overlap + 80 hops]``."""
    return torch.from_numpy(texture(2.0).samples[:, : overlap(SPEC) + 80 * SPEC.hop])


def random_phases(magnitude: Tensor) -> Tensor:
    phases = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0)) * 2 * np.pi
    return torch.polar(magnitude, phases)


def convergence(signal: Tensor, magnitude: Tensor) -> float:
    """Spectral convergence away from the edges, dB."""
    found = analyse(signal, SPEC).abs()
    inner = slice(4, -4)
    return 20 * float(torch.log10((found - magnitude)[:, inner].norm() / magnitude[:, inner].norm()))


def test_synthesis_inverts_analysis(signal: Tensor):
    back = synthesise(analyse(signal, SPEC), signal[:, : overlap(SPEC)], SPEC)
    # At the end fewer windows overlap, so the weights there are not complete.
    torch.testing.assert_close(back[:, : -SPEC.hop], signal[:, : -SPEC.hop], rtol=0.0, atol=1e-4)


def test_the_past_is_unchanged(signal: Tensor):
    magnitude = analyse(signal, SPEC).abs()
    past = signal[:, : overlap(SPEC)]
    out = iterate(synthesise(random_phases(magnitude), past, SPEC), fixed(magnitude), SPEC, 4)
    assert torch.equal(out[:, : overlap(SPEC)], past)


def test_inconsistency_decreases(signal: Tensor):
    magnitude = analyse(signal, SPEC).abs()
    start = synthesise(random_phases(magnitude), signal[:, : overlap(SPEC)], SPEC)
    plain = [convergence(iterate(start, fixed(magnitude), SPEC, n, 0.0), magnitude) for n in (0, 1, 2, 4, 8, 16)]
    assert all(after < before for before, after in pairwise(plain))
    fast = convergence(iterate(start, fixed(magnitude), SPEC, 16, 0.99), magnitude)
    assert fast < plain[-1] - 1.0


def test_in_place_and_differentiable_versions_agree(signal: Tensor):
    magnitude = analyse(signal, SPEC).abs()
    frames = log_mel(signal[:, overlap(SPEC) - (SPEC.win - SPEC.hop) :], SPEC, padded=True)
    bands = MelBandProjection(frames, SPEC, 30.0, magnitude)
    steps = [(bands.towards_expected(torch.tensor(0.4)), 0.9), (fixed(magnitude), 1.1), (bands, torch.tensor(0.5))]
    start = synthesise(random_phases(magnitude), signal[:, : overlap(SPEC)], SPEC)
    before = start.clone()
    recorded = refine(start, steps, SPEC)
    with torch.no_grad():
        in_place = refine(start, steps, SPEC)
    torch.testing.assert_close(in_place, recorded, rtol=0.0, atol=1e-5)
    assert torch.equal(start, before)


def test_bins_move_to_expected_magnitudes_before_the_bands_are_met():
    frames = torch.full((1, 8, SPEC.n_mels), -3.0)
    square = torch.rand(1, 8, SPEC.bins, generator=torch.Generator().manual_seed(0)).square()
    expected = 2.0 * torch.rand(square.shape, generator=torch.Generator().manual_seed(1)) + 0.1
    bands = MelBandProjection(frames, SPEC, 60.0, expected)
    untouched, all_the_way = (bands.towards_expected(torch.tensor(part))(square.clone()) for part in (0.0, 1.0))
    torch.testing.assert_close(untouched, bands(square.clone()))
    ratio = (all_the_way * square.sqrt() / expected)[..., 1:-1]  # the remaining gains of the bands are smooth
    assert float((ratio[..., 1:] / ratio[..., :-1]).log().abs().mean()) < 0.05
    with pytest.raises(ValueError, match="no expected magnitudes"):
        MelBandProjection(frames, SPEC, 60.0).towards_expected(torch.tensor(0.5))


def test_the_true_signal_is_a_fixed_point(signal: Tensor):
    magnitude = analyse(signal, SPEC).abs()
    out = iterate(signal, fixed(magnitude), SPEC, 3)
    torch.testing.assert_close(out[:, : -4 * SPEC.hop], signal[:, : -4 * SPEC.hop], rtol=0.0, atol=1e-3)


def test_convergence_is_as_good_as_in_librosa_and_torchaudio(signal: Tensor, torchaudio: ModuleType):
    magnitude = analyse(signal, SPEC).abs()
    start = synthesise(random_phases(magnitude), signal[:, : overlap(SPEC)], SPEC)
    ours = convergence(iterate(start, fixed(magnitude), SPEC, 32), magnitude)
    theirs = librosa.griffinlim(
        magnitude[0].T.numpy(), n_iter=32, hop_length=SPEC.hop, window="hann", center=False, random_state=0
    )
    theirs_signal = torch.nn.functional.pad(torch.from_numpy(theirs)[None], (0, signal.shape[1] - len(theirs)))
    assert ours < convergence(theirs_signal, magnitude) + 0.5
    transform = torchaudio.transforms.GriffinLim(
        n_fft=SPEC.n_fft, hop_length=SPEC.hop, power=1.0, n_iter=32, momentum=0.99
    )
    centred = torch.stft(signal, SPEC.n_fft, SPEC.hop, window=torch.hann_window(SPEC.win), return_complex=True).abs()
    torch.manual_seed(0)
    other = transform(centred)
    found = torch.stft(other, SPEC.n_fft, SPEC.hop, window=torch.hann_window(SPEC.win), return_complex=True).abs()
    found = found[..., : centred.shape[-1]]
    inner = (slice(None), slice(None), slice(4, -4))
    apart = (found - centred[..., : found.shape[-1]])[inner].norm() / centred[inner].norm()
    assert ours < 20 * float(torch.log10(apart)) + 0.5


def test_bands_are_matched_and_those_at_the_floor_only_lowered(signal: Tensor):
    frames = torch.full((1, 80, SPEC.n_mels), -4.0)
    frames[..., 100:] = SPEC.silence
    square = torch.full((1, 80, SPEC.bins), 1e-4)
    factors = MelBandProjection(frames, SPEC, 60.0)(square.clone())
    bank = torch.tensor(SPEC.filterbank())
    found = (factors * (square + 1e-9).sqrt()) @ bank.T
    torch.testing.assert_close(found[..., 2:98].log(), frames[..., 2:98], rtol=0.0, atol=0.1)
    assert bool((factors[..., -100:] <= 1.0).all())
    quiet = MelBandProjection(frames, SPEC, 60.0)(torch.full_like(square, 1e-14))
    assert bool((quiet[..., -100:] <= 1.0).all())


def test_phases_of_a_tone_advance_by_its_frequency():
    time = torch.arange(40 * SPEC.hop) / SPEC.sample_rate
    hertz = 1234.5
    spectrum = analyse(torch.sin(2 * np.pi * hertz * time)[None], SPEC)
    in_time, _ = gradients(spectrum.abs().clamp(min=1e-9).log(), SPEC)
    peak = round(hertz * SPEC.n_fft / SPEC.sample_rate)
    advance = 2 * np.pi * hertz * SPEC.hop / SPEC.sample_rate
    wrong = (in_time[0, 5:30, peak] - advance + np.pi).remainder(2 * np.pi) - np.pi
    assert float(wrong.abs().max()) < 0.05


def test_integrated_phases_are_better_than_random_ones(signal: Tensor):
    spectrum = analyse(signal, SPEC)
    magnitude, past = spectrum.abs(), signal[:, : overlap(SPEC)]
    phases = integrate(magnitude, spectrum[:, 0].angle(), SPEC)
    guided = torch.polar(magnitude, torch.cat([spectrum[:, :1].angle(), phases], dim=1))
    reached = [
        convergence(iterate(synthesise(start, past, SPEC), fixed(magnitude), SPEC, 4), magnitude)
        for start in (guided, random_phases(magnitude))
    ]
    assert reached[0] < reached[1] - 1.0


@pytest.mark.parametrize("hop", [441, 500, 512, 1024])
def test_synthesis_inverts_analysis_for_any_hop(hop: int) -> None:
    """Also a hop that does not divide the window."""
    spec = MelSpec(hop=hop)
    length = overlap(spec) + 12 * hop
    signal = torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    given = synthesise(analyse(signal, spec), signal[:, : overlap(spec)], spec)
    assert given.shape == signal.shape
    inner = slice(overlap(spec), length - overlap(spec))  # where all windows overlap
    torch.testing.assert_close(given[:, inner], signal[:, inner], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("largest", [0.0, 6.0, 20.0])
def test_the_gain_of_a_band_is_limited(largest: float) -> None:
    loud, quiet = (torch.full((1, 1, SPEC.n_fft // 2 + 1), level) for level in (1.0, 1e-4))
    wanted = torch.log(torch.tensor(SPEC.filterbank()) @ loud[0, 0])[None, None]
    factor = MelBandProjection(wanted, SPEC, largest)(quiet.square())
    held = factor[0, 0, 50:900]  # away from the ends of the bands
    torch.testing.assert_close(20 * held.log10(), torch.full_like(held, largest), atol=0.1, rtol=0)
