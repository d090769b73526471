"""Every registered vocoder: lengths, streaming, seeds, silence, levels, the join, channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.testing import check_vocoder
from audiogen.vocoders import griffin_lim, neural
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.registry import VOCODERS, build

SPEC = MelSpec()
OVERLAP = SPEC.win - SPEC.hop
PUBLISHED = ("bigvgan", "vocos")  # without their weights; see test_published.py
BLOCK, AHEAD = 64, 8  # frames
Texture = Callable[..., Recording]


def samples_of(recording: Recording) -> Tensor:
    return torch.from_numpy(recording.samples)


def frames_of(samples: Tensor, start: int) -> Tensor:
    """Frames of ``[channels, time]`` samples from ``start``, aligned as in the vocoders."""
    return log_mel(samples[:, start - OVERLAP :], SPEC, padded=True)


def decibels(samples: Tensor) -> float:
    return 10 * float(torch.log10(samples.double().square().mean() + 1e-20))


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens blocks, so that a second of sound has several seams."""
    for module in (griffin_lim, neural):
        monkeypatch.setattr(module, "BLOCK", BLOCK)


@pytest.fixture(scope="module", params=["griffin_lim", "source", "neural"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def mono(texture: Texture) -> Tensor:
    return samples_of(texture(3.0))


@pytest.fixture
def vocoder(kind: str, mono: Tensor) -> Vocoder:
    return build(kind, SPEC, mono)


@pytest.mark.parametrize("kind", [kind for kind in VOCODERS if kind not in PUBLISHED])
def test_the_contract(kind: str):
    check_vocoder(VOCODERS[kind])


def test_a_stream_returns_samples_up_to_its_look_ahead(vocoder: Vocoder, mono: Tensor):
    stream = vocoder.open(1, None)
    ready = stream.push(frames_of(mono, 4096)[:, :150]).shape[1]
    assert 150 - BLOCK - AHEAD < ready / SPEC.hop <= 150


def test_silence_stays_silent(vocoder: Vocoder):
    out = vocoder.vocode(torch.full((1, 80, SPEC.n_mels), SPEC.silence))
    assert decibels(out) < -95


def test_bands_and_level_match_the_frames(kind: str, vocoder: Vocoder, mono: Tensor):
    past, wanted = mono[:, :4096], frames_of(mono, 4096)[:, :200]
    out = vocoder.vocode(wanted, past)
    found = frames_of(torch.cat([past, out], dim=1), 4096)
    assert float((found - wanted).abs().mean()) < 0.12  # nepers: 1 dB
    # Magnitudes moved to their expected values lose peaks: the band sums are the same, but not the powers.
    limit = 1.0 if kind == "neural" else 0.5
    assert abs(decibels(out) - decibels(mono[:, 4096 : 4096 + out.shape[1]])) < limit


def test_the_waveform_continues_the_past(kind: str):
    time = torch.arange(3 * SPEC.sample_rate) / SPEC.sample_rate
    tone = 0.3 * torch.sin(2 * np.pi * 330.0 * time)[None]
    start = 60_123
    out = build(kind, SPEC, tone[:, :start]).vocode(frames_of(tone, start)[:, :40], tone[:, :start])
    step = float((out[0, 0] - tone[0, start - 1]).abs())
    assert step < 1.5 * float(tone.diff().abs().max())
    # The first hop is still the same tone, phase included.
    error = out[:, : SPEC.hop] - tone[:, start : start + SPEC.hop]
    assert decibels(error) < decibels(tone) - 12


@pytest.mark.parametrize("hertz", [110.0, 997.0, 6000.0])
def test_a_tone_keeps_its_level_and_frequency(kind: str, hertz: float):
    time = torch.arange(2 * SPEC.sample_rate) / SPEC.sample_rate
    tone = 0.2 * torch.sin(2 * np.pi * hertz * time)[None]
    out = build(kind, SPEC, tone).vocode(frames_of(tone, 8192)[:, :100], tone[:, :8192])[0, 8192:40960]
    power = torch.fft.rfft(out * torch.hann_window(len(out))).abs().square()
    peak = int(power.argmax())
    # Above 4 kHz the initial signal is noise: a single tone there fluctuates, and so is quieter.
    unsteady = kind != "source" and hertz > 4000
    bin_width = SPEC.sample_rate / SPEC.n_fft
    assert abs(peak * SPEC.sample_rate / len(out) - hertz) < bin_width * (1.0 if unsteady else 0.25)
    near = power[max(peak - 40, 0) : peak + 40].sum() / power.sum()
    assert float(near) > 0.9  # within 54 Hz of the peak: a mel band does not give the frequency within it
    assert abs(decibels(out) - decibels(tone)) < (3.0 if unsteady else 1.0)


def test_uncorrelated_principal_channels_stay_uncorrelated(kind: str, texture: Texture):
    stereo = samples_of(texture(3.0, channels=2))
    left, right = stereo[0], stereo[1]
    coherent = torch.stack([left + 0.5 * right, 0.5 * right - 0.2 * left])
    moments = coherent.numpy() @ coherent.numpy().T
    _, vectors = np.linalg.eigh(moments)
    rotation = torch.from_numpy(np.ascontiguousarray(vectors.T[::-1])).float()
    principal = rotation @ coherent
    out = build(kind, SPEC, principal).vocode(frames_of(principal, 4096)[:, :200], principal[:, :4096])
    back, real = rotation.T @ out, coherent[:, 4096 : 4096 + out.shape[1]]
    assert abs(float(torch.corrcoef(back)[0, 1] - torch.corrcoef(real)[0, 1])) < 0.05


@pytest.mark.parametrize("kind", ["griffin_lim", "source"])
def test_any_spec_is_rendered(kind: str, mono: Tensor):
    spec = MelSpec(22050, 1024, 1024, 256, 80, fmax=11025.0)
    out = build(kind, spec, mono).vocode(log_mel(mono, spec)[:, :30])
    assert out.shape == (1, 30 * 256)
    assert abs(decibels(out) - decibels(mono[:, : 30 * 256])) < 1.5


def test_unknown_kinds_and_missing_sources_are_reported():
    with pytest.raises(InputError, match="choose from griffin_lim, source"):
        build("vocoder", SPEC)
    with pytest.raises(InputError, match="give --source"):
        build("source", SPEC)


def test_every_vocoder_declares_its_options():
    assert {name for name, vocoder in VOCODERS.items() if vocoder.needs_source} == {"source"}
    for vocoder in VOCODERS.values():
        assert is_dataclass(vocoder.Options)
        assert vocoder.Options() == vocoder.Options()  # equal by value: a dataclass
