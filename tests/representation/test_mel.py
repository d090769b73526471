"""Log-mel spectrograms: fixed values, agreement with librosa and torchaudio, physical properties."""

from __future__ import annotations

import hashlib
import math
from types import ModuleType

import librosa
import numpy as np
import pytest
import torch

from audiogen.representation.mel import MelSpec, log_mel, log_mel_stream, pad

SPEC = MelSpec()
CENTRED = MelSpec(24000, 1024, 1024, 256, 100, 0, 12000, "htk", "none", 1.0, "center", 1e-7)


def noise(length: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(1, length, generator=torch.Generator().manual_seed(seed))


def tone(hertz: float, seconds: float = 1.0) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(int(44100 * seconds)) / 44100)[None]


def test_the_filterbank_equals_that_of_the_published_vocoder():
    bank = SPEC.filterbank()
    assert bank.shape == (128, 1025)
    assert bank.dtype == np.float32
    digest = hashlib.sha256(bank.tobytes("C")).hexdigest()
    assert digest == "ac731832a9c3585e15c48b96defd3923a4f98f90f61d298460d62923302c3f16"


def test_the_filterbank_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        SPEC.filterbank()[0, 0] = 1


def test_log_mel_agrees_with_librosa():
    samples = noise(44032)
    padded = np.pad(samples[0].numpy(), 768, mode="reflect")
    spectrum = librosa.stft(padded, n_fft=2048, hop_length=512, window="hann", center=False)
    mel = librosa.filters.mel(sr=44100, n_fft=2048, n_mels=128, fmin=0, fmax=22050) @ np.sqrt(
        np.abs(spectrum) ** 2 + 1e-9
    )
    expected = np.log(np.maximum(mel, 1e-5)).T
    assert np.abs(log_mel(samples, SPEC)[0].numpy() - expected).max() < 1e-4


def test_log_mel_agrees_with_torchaudio(torchaudio: ModuleType):
    spectrogram = torchaudio.transforms.Spectrogram(2048, 2048, 512, power=1.0, center=False)
    bands = torchaudio.transforms.MelScale(128, 44100, 0.0, 22050.0, 1025, norm="slaney", mel_scale="slaney")
    samples = noise(44032, 1)
    padded = torch.nn.functional.pad(samples[None], (768, 768), mode="reflect")[0]
    expected = bands(spectrogram(padded)).clamp(min=1e-5).log()[0].T
    assert (log_mel(samples, SPEC)[0] - expected).abs().max() < 1e-3  # its filterbank is computed in float32


def test_a_centred_spec_agrees_with_librosa():
    samples = noise(24000, 2)
    mel = librosa.feature.melspectrogram(
        y=samples[0].numpy(),
        sr=24000,
        n_fft=1024,
        hop_length=256,
        n_mels=100,
        power=1.0,
        htk=True,
        norm=None,
        pad_mode="reflect",
    )
    found = log_mel(samples, CENTRED)[0].numpy()
    assert found.shape == (94, 100)
    assert np.abs(found - np.log(mel.T)).max() < 1e-3


@pytest.mark.parametrize("length", [1, 2, 100, 511])
def test_less_than_a_hop_gives_one_frame(length: int):
    frames = log_mel(noise(length), SPEC)
    assert frames.shape == (1, 1, 128)
    assert frames.isfinite().all()


def test_silence_has_one_value():
    frames = log_mel(torch.zeros(1, 4096), SPEC)
    assert torch.equal(frames, torch.full_like(frames, SPEC.silence))
    assert SPEC.silence == pytest.approx(-11.512925, abs=1e-6)


@pytest.mark.parametrize("hops", [1, 2, 3, 7, 200])
def test_one_frame_per_hop(hops: int):
    assert log_mel(noise(512 * hops), SPEC).shape == (1, hops, 128)


@pytest.mark.parametrize("hertz", [200.0, 440.0, 1000.0, 5000.0, 15000.0])
def test_a_tone_peaks_in_its_band(hertz: float):
    centres = librosa.mel_frequencies(130, fmin=0, fmax=22050)[1:-1]
    strongest = int(log_mel(tone(hertz), SPEC)[0, 20].argmax())
    assert abs(strongest - int(np.abs(centres - hertz).argmin())) <= 1


def test_six_decibels_are_the_logarithm_of_two():
    samples = noise(22528)
    shift = log_mel(2 * samples, SPEC) - log_mel(samples, SPEC)
    assert (shift - math.log(2)).abs().max() < 1e-3


def test_a_delay_of_a_hop_is_a_delay_of_a_frame():
    samples = noise(30 * 512)
    late = torch.cat([torch.zeros(1, 512), samples], dim=1)
    assert (log_mel(late, SPEC)[:, 5:29] - log_mel(samples, SPEC)[:, 4:28]).abs().max() < 1e-4


@pytest.mark.parametrize("spec", [SPEC, CENTRED])
@pytest.mark.parametrize("length", [1, 2, 700, 1537, 2048, 5000, 40000])
def test_streamed_frames_equal_those_of_the_whole(spec: MelSpec, length: int):
    samples = torch.cat([noise(length), noise(length, 1)])
    whole = log_mel(samples, spec)
    for size in (1 if length < 1000 else 331, 509, 4097, length):
        streamed = torch.cat(list(log_mel_stream(samples.split(size, dim=1), spec)), dim=1)
        assert streamed.shape == whole.shape
        assert (streamed - whole).abs().max() < 1e-4


@pytest.mark.parametrize("spec", [SPEC, CENTRED, MelSpec(hop=2048)])
@pytest.mark.parametrize("windows", [127, 128, 131, 300])
@pytest.mark.parametrize("more", [0, 1, 511])
def test_ends_are_reflected_without_a_copy_of_the_whole(spec: MelSpec, windows: int, more: int):
    samples = noise(windows * spec.hop + spec.win + more)
    frames, expected = log_mel(samples, spec), log_mel(pad(samples, spec), spec, padded=True)
    assert frames.shape == expected.shape
    assert (frames - expected).abs().max() < 1e-5


def test_gradients_do_not_change_the_frames():
    samples = noise(9000)
    assert (log_mel(samples.clone().requires_grad_(), SPEC) - log_mel(samples, SPEC)).abs().max() < 1e-5


def test_empty_blocks_change_nothing():
    samples = noise(9000)
    blocks = [samples[:, :0], samples[:, :5000], samples[:, :0], samples[:, 5000:]]
    streamed = torch.cat(list(log_mel_stream(blocks, SPEC)), dim=1)
    assert (streamed - log_mel(samples, SPEC)).abs().max() < 1e-5


def test_an_empty_stream_has_no_frames():
    assert list(log_mel_stream([], SPEC)) == []
    assert list(log_mel_stream([torch.zeros(1, 0)], SPEC)) == []


@pytest.mark.parametrize("wrong", [{"win": 1024}, {"hop": 0}, {"hop": 4096}, {"fmax": 30000.0}, {"fmin": 22050.0}])
def test_impossible_specs_are_rejected(wrong: dict):
    with pytest.raises(ValueError):  # noqa: PT011  (the texts differ)
        MelSpec(**wrong)


@pytest.mark.parametrize("spec", [SPEC, CENTRED])
@pytest.mark.parametrize("length", [300, 9000])
def test_any_dimensions_before_time_are_kept(spec: MelSpec, length: int):
    samples = torch.randn(2, 3, length, generator=torch.Generator().manual_seed(0))
    together = log_mel(samples, spec)
    assert together.shape[:2] == (2, 3)
    torch.testing.assert_close(together[1, 2], log_mel(samples[1, 2], spec), atol=1e-4, rtol=1e-4)
