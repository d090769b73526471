"""The neural vocoder: shipped weights, gradients, use of the source recording, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from audiogen.audio import Recording, read
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.training.vocoder.spectral_losses import multi_resolution_stft_loss
from audiogen.vocoders.magnitude_network import (
    INIT_MOMENTUM,
    INIT_WEIGHT,
    MagnitudeNetwork,
    NetworkSize,
    read_description,
    save_network,
)
from audiogen.vocoders.neural import SHIPPED, Neural, NeuralOptions, load_network
from audiogen.vocoders.phase_reconstruction.source_spectrum import mean_magnitude
from audiogen.vocoders.registry import build, check

SPEC = MelSpec()
SMALL = NetworkSize(8, 16, 1, iterations=2, magnitudes=True)
Texture = Callable[..., Recording]


def distance(network: MagnitudeNetwork, samples: Tensor) -> float:
    """Multi-resolution STFT distance between ``[1, time]`` samples and their resynthesis by a network."""
    past, real = samples.split([SPEC.win, samples.shape[1] - SPEC.win], dim=1)
    frames = log_mel(samples[:, SPEC.hop :], SPEC, padded=True)
    out = Neural(network, source=samples).vocode(frames, past)
    return float(multi_resolution_stft_loss(out, real[:, : out.shape[1]]))


def test_shipped_weights_are_small_and_have_a_card():
    assert SHIPPED.stat().st_size < 25e6
    card = SHIPPED.with_suffix(".md").read_text("utf-8")
    assert all(word in card for word in ("Licence", "Data", "Figures", "CC-BY"))
    assert read_description(SHIPPED)[0] == SPEC


@pytest.mark.parametrize("name", ["waterfall", "birds_spring"])
def test_shipped_weights_are_better_than_untrained_ones(shared_data: Path, name: str):
    recording = read(shared_data / "textures" / f"{name}.ogg").resampled(SPEC.sample_rate)
    samples = torch.from_numpy(recording.samples)[:1, : SPEC.win + 200 * SPEC.hop]
    torch.manual_seed(0)
    untrained = MagnitudeNetwork(SPEC, read_description(SHIPPED)[1])
    assert distance(load_network(NeuralOptions()), samples) < distance(untrained, samples)


def test_gradients_reach_every_weight(texture: Texture):
    samples = torch.from_numpy(texture(0.5).samples)[:, : SPEC.win + 16 * SPEC.hop]
    torch.manual_seed(0)
    vocoder = Neural(MagnitudeNetwork(SPEC, SMALL))
    frames = log_mel(samples[:, SPEC.hop :], SPEC, padded=True)
    out = vocoder.excerpt(frames, samples[:, : SPEC.win])
    assert out.shape == (1, 16 * SPEC.hop)
    (out - samples[:, SPEC.win :]).abs().mean().backward()
    for name, weight in vocoder.network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert float(weight.grad.abs().max()) > 0, name


def test_the_training_excerpt_equals_the_stream(texture: Texture):
    samples = torch.from_numpy(texture(0.5).samples)[:, : SPEC.win + 16 * SPEC.hop]
    torch.manual_seed(0)
    # Without noise and with a receptive field of one frame, only the look-ahead at the end differs.
    vocoder = Neural(
        MagnitudeNetwork(SPEC, NetworkSize(8, 16, 1, iterations=1, magnitudes=True)), NeuralOptions(noise_above=22050.0)
    )
    torch.nn.init.zeros_(vocoder.network.out.weight)
    frames, past = log_mel(samples[:, SPEC.hop :], SPEC, padded=True), samples[:, : SPEC.win]
    excerpt, stream = (out[:, : 8 * SPEC.hop] for out in (vocoder.excerpt(frames, past), vocoder.vocode(frames, past)))
    assert float((excerpt.detach() - stream).norm() / stream.norm()) < 0.1


def test_the_source_determines_the_spectrum_within_bands():
    seconds = torch.arange(2 * SPEC.sample_rate) / SPEC.sample_rate
    hertz = 5000.0
    source = 0.1 * torch.sin(2 * torch.pi * hertz * seconds)[None]
    torch.manual_seed(0)
    network, frames = MagnitudeNetwork(SPEC, SMALL).eval(), log_mel(source, SPEC)[:, 20:40]
    bins = round(hertz / SPEC.sample_rate * SPEC.n_fft) + torch.arange(-2, 3)

    def share(shape: Tensor | None) -> float:
        with torch.no_grad():
            power = network(frames, shape).magnitude.square().mean(dim=1)
        return float(power[0, bins].sum() / power.sum())

    assert share(mean_magnitude(source, SPEC)) > 0.9
    assert share(None) < 0.7
    with pytest.raises(ValueError, match="1 channels, the frames 2"):
        Neural(network, source=source).open(2)


def test_the_schedule_is_learned(texture: Texture):
    torch.manual_seed(0)
    network = MagnitudeNetwork(SPEC, SMALL)
    with torch.no_grad():
        assert torch.tensor(network.steps).flatten().tolist() == pytest.approx([INIT_WEIGHT, INIT_MOMENTUM] * 2)
    frames = log_mel(torch.from_numpy(texture(0.5).samples), SPEC)
    before = Neural(network).vocode(frames)
    torch.nn.init.constant_(network.schedule, -0.1)
    assert not torch.equal(Neural(network).vocode(frames), before)


def test_saving_and_loading(tmp_path: Path):
    network = MagnitudeNetwork(SPEC, SMALL)
    save_network(network, tmp_path / "model.safetensors")
    for named in (tmp_path, tmp_path / "model.safetensors"):  # the folder of a Run, or the file
        back = load_network(NeuralOptions(str(named)))
        assert back.size == SMALL
        assert all(torch.equal(back.state_dict()[name], value) for name, value in network.state_dict().items())


def test_another_spec_is_rejected_before_building():
    spec = MelSpec(22050, 1024, 1024, 256, 80, fmax=11025.0)
    refusal = r"sample_rate 44100, .*not sample_rate 22050"
    with pytest.raises(InputError, match=refusal):
        build("neural", spec)
    with pytest.raises(InputError, match=refusal):
        check("neural", spec, NeuralOptions())


def test_invalid_weights_are_rejected(tmp_path: Path):
    with pytest.raises(InputError, match="no weights of the vocoder neural"):
        build("neural", SPEC, None, NeuralOptions(str(tmp_path)))
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"RIFF")
    with pytest.raises(InputError, match="holds no weights"):
        build("neural", SPEC, None, NeuralOptions(str(wrong)))
    save_file({"a": torch.zeros(1)}, wrong)
    with pytest.raises(InputError, match="does not describe a vocoder"):
        build("neural", SPEC, None, NeuralOptions(str(wrong)))
    save_file({"a": torch.zeros(1)}, wrong, MagnitudeNetwork(SPEC, SMALL).metadata())
    with pytest.raises(InputError, match="does not fit its configuration"):
        build("neural", SPEC, None, NeuralOptions(str(wrong)))
