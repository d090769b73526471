"""Training a tiny vocoder: losses fall, it resumes, it fine-tunes weights, it renders predicted frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from audiogen.audio import Recording, write
from audiogen.errors import InputError
from audiogen.experiment import Experiment, VocoderTraining, read_experiment
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.representation.recording_features import extract_features
from audiogen.run import Run
from audiogen.training.trainer import train
from audiogen.training.vocoder.discriminators import Discriminators, discriminator_loss, generator_loss
from audiogen.training.vocoder.spectral_losses import multi_resolution_stft_loss
from audiogen.training.vocoder.vocoder_objective import Excerpts, VocoderObjective
from audiogen.training.vocoder.vocoder_splits import channels_of
from audiogen.vocoders.magnitude_network import MagnitudeNetwork, NetworkSize
from audiogen.vocoders.neural import Neural, NeuralOptions, load_network
from audiogen.vocoders.phase_reconstruction.source_spectrum import mean_magnitude
from audiogen.vocoders.registry import build
from tests.training.interruption import Killed, stop_at

CONFIGS = Path(__file__).parents[2] / "configs" / "vocoder"
SPEC = MelSpec()
SMALL = (
    "vocoder.size={channels: 8, hidden: 16, blocks: 1, iterations: 1, magnitudes: true}",
    "vocoder_training.init_from=''",
    "vocoder_training.discriminator_channels=2",
    "training.batch_size=2",
    "training.window=0.2",
    "training.steps=6",
    "training.warmup=2",
    "training.validate_every=2",
    "training.checkpoint_every=2",
    "training.log_media_every=2",
)
Texture = Callable[..., Recording]


def small(*overrides: str) -> Experiment:
    return read_experiment(CONFIGS / "neural.yaml", (*SMALL, *overrides))


def weights(run: object) -> dict[str, torch.Tensor]:
    return run.network.state_dict()  # type: ignore[attr-defined]


def test_it_overfits_one_excerpt(texture: Texture):
    """Magnitudes follow the mel bands from the start, so only phases are learned: a few steps would show nothing."""
    samples = torch.from_numpy(texture(0.5).samples)[:, : SPEC.win + 16 * SPEC.hop]
    excerpts = Excerpts(samples, log_mel(samples[:, SPEC.hop :], SPEC, padded=True), torch.ones(1, 1, SPEC.bins))
    torch.manual_seed(0)
    network = MagnitudeNetwork(SPEC, NetworkSize(8, 16, 1, iterations=1))
    objective = VocoderObjective(Neural(network), VocoderTraining(adversarial_weight=0)).train()
    optimizer = torch.optim.Adam(objective.parameters(), 0.01)
    losses = []
    for _ in range(40):
        loss = objective.loss(excerpts)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < np.mean(losses[:5]) - 0.003


def test_a_killed_training_is_resumed_to_the_same_weights(
    tmp_path: Path, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    few = small("training.steps=4", "training.log_media_every=0")
    whole = train(few, texture(1.0), tmp_path / "whole")
    with monkeypatch.context() as patched:
        stop_at(patched, 3)
        with pytest.raises(Killed):
            train(few, texture(1.0), tmp_path / "killed")
    resumed = train(few, texture(1.0), tmp_path / "killed", resume=True)
    assert all(torch.equal(weights(resumed)[name], value) for name, value in weights(whole).items())
    again = train(few, texture(1.0), tmp_path / "killed", resume=True)  # finished: only opened
    assert again.metrics == resumed.metrics


def test_tensorboard_has_losses_and_media_and_the_run_renders(tmp_path: Path, texture: Texture):
    train(small("training.steps=2"), texture(1.5), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    names = {f"train/{name}" for name in ("spectral", "mel", "discriminator_loss", "generator_loss", "features")}
    assert names | {"validation/loss"} <= set(events.Tags()["scalars"])
    assert {"audio/real", "audio/rendered"} <= set(events.Tags()["audio"])
    assert {"spectrogram/real", "spectrogram/rendered"} <= set(events.Tags()["images"])
    frames = log_mel(torch.from_numpy(texture(0.5).samples), SPEC)
    out = build("neural", SPEC, None, NeuralOptions(str(tmp_path))).vocode(frames)
    assert out.shape == (1, frames.shape[1] * SPEC.hop)
    with pytest.raises(InputError, match="contains a vocoder, not a Model"):
        Run.open(tmp_path)


def test_it_fine_tunes_the_shipped_weights(texture: Texture):
    shipped = load_network(NeuralOptions()).state_dict()
    unchanged = ("training.learning_rate=1e-9", "training.steps=1", "vocoder_training.init_from=shipped")
    run = train(small(*unchanged), texture(1.5))
    assert all(torch.allclose(weights(run)[name], value, atol=1e-6) for name, value in shipped.items())


def test_a_folder_is_split_by_recording(tmp_path: Path, texture: Texture):
    (tmp_path / "data").mkdir()
    for seed in range(4):
        write(tmp_path / "data" / f"{seed}.wav", texture(1.0, seed=seed, channels=2))
    run = train(small("training.steps=2"), tmp_path / "data", tmp_path / "run")
    assert sorted(run.metrics["split"].values()) == ["test", "train", "train", "validation"]


def test_frames_can_be_predicted_by_a_run(tmp_path: Path, tiny: Callable[..., Experiment], texture: Texture):
    recording = texture(4.0, channels=2)
    train(tiny(), recording, tmp_path / "model")
    features = extract_features(recording, SPEC)
    true, predicted = channels_of(features), channels_of(features, str(tmp_path / "model"))
    assert all(torch.equal(one.samples, other.samples) for one, other in zip(true, predicted, strict=True))
    errors = torch.stack([channel.errors for channel in predicted])
    assert errors.shape == features.frames.shape
    assert 0.1 < float(errors[:, 100:].abs().mean()) < 3.0
    settings = (f"vocoder_training.frames_from={tmp_path / 'model'}", "training.steps=2")
    assert np.isfinite(train(small(*settings), recording).metrics["train_loss"])


def test_excerpts_are_of_the_recording_and_preceded_by_silence_if_it_is_short(texture: Texture):
    features = extract_features(texture(1.0), SPEC)
    (channel,) = channels_of(features)
    samples, errors = channel.excerpt(10, 20)
    assert samples.shape == (SPEC.win + 20 * SPEC.hop,)
    assert errors.shape == (1, 1)
    # The first frame to render is 11, whose window ends a hop after the context.
    frames = log_mel(samples[None, SPEC.hop :], SPEC, padded=True)
    assert torch.allclose(frames, features.frames[:, 11:31], atol=1e-4)
    assert torch.allclose(channel.shape, mean_magnitude(channel.samples[None], SPEC)[0, 0])
    late, _ = channel.excerpt(len(channel) - 1, 20)
    assert late.shape == samples.shape
    assert float(late[: SPEC.hop].abs().max()) == 0


def test_discriminators_and_vocoder_have_separate_gradients(texture: Texture):
    samples = torch.from_numpy(texture(0.5).samples)[:, : SPEC.win + 16 * SPEC.hop]
    frames = log_mel(samples[:, SPEC.hop :], SPEC, padded=True)
    torch.manual_seed(0)
    vocoder = Neural(MagnitudeNetwork(SPEC, NetworkSize(8, 16, 1, iterations=1)))
    objective = VocoderObjective(vocoder, VocoderTraining(discriminator_channels=2)).train()
    losses = objective.loss(Excerpts(samples, frames, torch.ones(1, 1, SPEC.bins)))
    discriminators = list(objective.discriminators.parameters())  # type: ignore[union-attr]
    network = list(vocoder.network.parameters())
    for name in ("generator_loss", "features", "spectral"):
        gradients = torch.autograd.grad(losses[name], network + discriminators, retain_graph=True, allow_unused=True)
        assert any(one is not None and float(one.abs().max()) > 0 for one in gradients[: len(network)]), name
        assert all(one is None for one in gradients[len(network) :]), name
    gradients = torch.autograd.grad(losses["discriminator_loss"], network + discriminators, allow_unused=True)
    assert all(one is None for one in gradients[: len(network)])
    assert all(one is not None for one in gradients[len(network) :])


def test_discriminators_learn_to_discriminate(texture: Texture):
    torch.manual_seed(0)
    discriminators = Discriminators(2)
    real = torch.from_numpy(texture(0.5).samples)[:, :4096]
    output = 0.3 * torch.randn(1, 4096)
    optimizer = torch.optim.Adam(discriminators.parameters(), 1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        discriminator_loss(discriminators(real), discriminators(output)).backward()
        optimizer.step()
    with torch.no_grad():
        assert float(discriminator_loss(discriminators(real), discriminators(output))) < 0.4  # 0.5 is chance
        assert float(generator_loss(discriminators(real))) < float(generator_loss(discriminators(output)))


def test_the_stft_loss_compares_pairs(texture: Texture):
    samples = torch.from_numpy(texture(0.5).samples)
    assert float(multi_resolution_stft_loss(samples, samples)) == 0
    assert float(multi_resolution_stft_loss(0.5 * samples, samples)) == pytest.approx(0.5 + np.log(2), abs=0.05)
