"""Tiny trainings from end to end: seeds, early stopping, clipping, budgets, held-out data, TensorBoard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from audiogen.audio import AudioWarning, Recording, write
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.run import Run
from audiogen.training.optimisation import OPTIMIZERS
from audiogen.training.trainer import train

Tiny = Callable[..., Experiment]
Texture = Callable[..., Recording]


def weights(run: Run) -> dict[str, torch.Tensor]:
    return run.model.state_dict()


def equal(one: Run, other: Run) -> bool:
    return all(torch.equal(weights(one)[name], weights(other)[name]) for name in weights(one))


@pytest.mark.usefixtures("torchaudio")
def test_the_seed_determines_the_weights(tiny: Tiny, texture: Texture):
    options = ("augmentation.gain=2", "augmentation.time_mask=0.3", "model.dropout=0.2")
    torch.manual_seed(1)
    first = train(tiny(*options), texture(4.0))
    torch.manual_seed(2)
    expected = torch.rand(1)
    torch.manual_seed(2)
    assert equal(first, train(tiny(*options), texture(4.0)))
    assert torch.equal(torch.rand(1), expected)  # the caller's generator is left alone
    assert not equal(first, train(tiny(*options, "training.seed=1"), texture(4.0)))


def test_the_saved_run_is_the_trained_one(tmp_path: Path, tiny: Tiny, texture: Texture):
    made = train(tiny(), texture(4.0, channels=2), tmp_path)
    opened = Run.open(tmp_path)
    assert equal(made, opened)
    assert opened.metrics == made.metrics
    assert opened.representation.tensors().keys() == made.representation.tensors().keys()
    assert opened.experiment == made.experiment
    assert opened.experiment.representation.options.channels == 2
    assert not opened.model.training
    for name, tensor in made.representation.tensors().items():
        assert torch.equal(tensor, opened.representation.tensors()[name])


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_every_optimiser_lowers_the_validation_loss(optimizer: str, tiny: Tiny, texture: Texture):
    rate = {"sgd": 0.05, "rmsprop": 3e-3}.get(optimizer, 1e-2)
    settings = (f"training.optimizer={optimizer}", f"training.learning_rate={rate}", "training.ema_decay=0")
    start = train(tiny(*settings, "training.steps=1", "training.validate_every=1"), texture(4.0))
    end = train(tiny(*settings, "training.steps=30"), texture(4.0))
    assert end.metrics["validation_loss"] < start.metrics["validation_loss"] - 0.02


def test_the_weights_with_the_lowest_validation_loss_are_kept(tiny: Tiny, texture: Texture):
    settings = ("training.ema_decay=0", "training.validate_every=1", "training.schedule=constant")
    whole = train(tiny(*settings, "training.steps=14", "training.learning_rate=0.3"), texture(4.0))
    best = whole.metrics["best_step"]
    assert best < 14  # a rate this high soon does harm
    cut = train(tiny(*settings, f"training.steps={best}", "training.learning_rate=0.3"), texture(4.0))
    assert equal(whole, cut)


def test_early_stopping(tiny: Tiny, texture: Texture):
    harm = (
        "training.learning_rate=0.5",
        "training.ema_decay=0",
        "training.schedule=constant",
        "training.steps=60",
    )
    run = train(tiny(*harm, "training.patience=2"), texture(4.0))
    assert run.metrics["steps"] == run.metrics["best_step"] + 2 * 4
    assert run.metrics["stopped_by"] == "early stopping"
    patient = train(tiny(*harm, "training.patience=0"), texture(4.0)).metrics
    assert (patient["steps"], patient["stopped_by"]) == (60, "steps")


def test_the_plateau_schedule_halves_the_learning_rate(tmp_path: Path, tiny: Tiny, texture: Texture):
    harm = ("training.learning_rate=0.5", "training.ema_decay=0", "training.steps=40")
    train(tiny(*harm, "training.schedule=plateau"), texture(4.0), tmp_path / "plateau")
    train(tiny(*harm, "training.schedule=constant"), texture(4.0), tmp_path / "constant")
    assert events(tmp_path / "plateau").Scalars("train/learning_rate")[-1].value < 0.3
    assert events(tmp_path / "constant").Scalars("train/learning_rate")[-1].value == 0.5


def test_gradient_clipping_bounds_the_step(tiny: Tiny, texture: Texture):
    def moved(clip: float) -> float:
        settings = (
            "training.optimizer=sgd",
            "training.learning_rate=1",
            "training.warmup=0",
            "training.ema_decay=0",
        )
        shares = ("training.split_fractions={validation: 0, test: 0}", "training.weight_decay=0")
        runs = [
            train(tiny(*settings, *shares, f"training.gradient_clip={clip}", f"training.steps={steps}"), texture(4.0))
            for steps in (1, 2)
        ]
        first, second = (torch.cat([weight.flatten() for weight in weights(run).values()]) for run in runs)
        return float((second - first).norm())

    # Nesterov's second step is up to 1.9 gradients and the first one's momentum, each `clip` long at most.
    assert moved(0.001) < 0.001 * (1.9 + 0.81 + 0.01)
    assert moved(0) > 0.01


def test_averaged_weights_are_an_exponential_moving_average(tiny: Tiny, texture: Texture):
    settings = ("training.split_fractions={validation: 0, test: 0}", "training.warmup=2", "training.schedule=constant")

    def after(steps: int, average: float) -> torch.Tensor:
        run = train(tiny(*settings, f"training.steps={steps}", f"training.ema_decay={average}"), texture(4.0))
        return torch.cat([weight.flatten() for weight in weights(run).values()])

    plain = {steps: after(steps, 0.0) for steps in (3, 4, 5)}
    expected = plain[3]
    for steps in (4, 5):
        expected = 0.8 * expected + 0.2 * plain[steps]
    assert torch.allclose(after(5, 0.8), expected, atol=1e-6)
    assert torch.equal(after(2, 0.8), after(2, 0.0))  # within the warm-up: the weights themselves


def test_a_recording_is_split_in_time(tiny: Tiny, texture: Texture):
    split = train(tiny("training.split_fractions={validation: 0.25, test: 0.25}"), texture(4.0)).metrics["split"]
    ends = [tuple(map(float, split[part][:-2].split(".."))) for part in ("train", "validation", "test")]
    assert ends[0][0] == 0
    assert ends[0][1] == ends[1][0] == pytest.approx(2, abs=0.06)
    assert ends[1][1] == ends[2][0] == pytest.approx(3, abs=0.06)
    assert ends[2][1] == pytest.approx(4, abs=0.06)


def test_held_out_frames_do_not_change_the_representation(tiny: Tiny, texture: Texture):
    recording = texture(4.0)
    samples = recording.samples.copy()
    held_out = samples[:, round(3.4 * 44100) :]
    held_out[:] = 0.1 * np.random.default_rng(9).standard_normal(held_out.shape)
    other = Recording(samples, 44100)
    shares = "training.split_fractions={validation: 0.1, test: 0.1}"
    one, two = train(tiny(shares), recording), train(tiny(shares), other)
    for name, tensor in one.representation.tensors().items():
        assert torch.equal(tensor, two.representation.tensors()[name]), name


def test_without_validation_the_last_weights_are_kept(tiny: Tiny, texture: Texture):
    run = train(tiny("training.split_fractions={validation: 0, test: 0}"), texture(4.0))
    assert run.metrics["validation_loss"] is None
    assert run.metrics["steps"] == run.metrics["best_step"] == 12
    assert set(run.metrics["split"]) == {"train"}


def test_a_folder_is_split_by_recording_and_cached(tmp_path: Path, tiny: Tiny, texture: Texture):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for index in range(4):
        write(recordings / f"{index}.wav", texture(1.5, index), "PCM_16")
    (recordings / "bad.wav").write_bytes(b"no sound" * 100)
    with pytest.warns(AudioWarning, match=r"left out: .*bad\.wav"):
        run = train(tiny(), recordings, tmp_path / "run")
    assert sorted(run.metrics["split"].values()) == ["test", "train", "train", "validation"]
    assert run.metrics["validation_loss"] is not None
    # The cache that it made is data, too, and gives the same Run.
    cache = tmp_path / "run" / "cache"
    assert equal(run, train(tiny(), cache, tmp_path / "again"))


def test_a_budget_is_kept_and_reproduced_by_its_steps(tmp_path: Path, tiny: Tiny, texture: Texture):
    recording = texture(6.0)
    endless = ("training.steps=1000000", "training.validate_every=20", "training.warmup=4")
    train(tiny(), recording)  # so that imports and tables are not timed
    started = time.monotonic()
    run = train(tiny(*endless), recording, budget=2.0)
    assert time.monotonic() - started < 20  # without the limit it would take hours
    steps, horizon = run.metrics["steps"], run.metrics["schedule_steps"]
    assert 0 < steps <= horizon < 1000000
    assert run.metrics["stopped_by"] == "budget"
    again = train(
        tiny(*endless[1:], f"training.steps={steps}", f"training.schedule_steps={horizon}"), recording, tmp_path
    )
    assert equal(run, again)
    assert again.metrics["best_step"] == run.metrics["best_step"]


def test_a_budget_that_is_spent_at_the_start_still_gives_a_run(tiny: Tiny, texture: Texture):
    run = train(tiny(), texture(4.0), budget=1e-6)
    assert (run.metrics["steps"], run.metrics["stopped_by"]) == (1, "budget")
    assert run.metrics["validation_loss"] is not None


def test_a_budget_ends_the_schedule_where_it_stops(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    """With a clock that ticks 0.1 s a step, four seconds are 16 + 0.9 * 24 steps."""
    clock = iter(np.arange(0, 1000, 0.1))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    settings = ("training.steps=500", "training.learning_rate=0.01", "training.validate_every=10")
    run = train(tiny(*settings), texture(4.0), tmp_path, budget=4.0)
    assert run.metrics["steps"] == run.metrics["schedule_steps"]
    assert 30 <= run.metrics["steps"] <= 38
    rates = [event.value for event in events(tmp_path).Scalars("train/learning_rate")]
    assert rates[-1] < 0.002 < max(rates)


def test_a_loss_that_is_not_finite_is_an_error(tiny: Tiny, texture: Texture):
    settings = (
        "training.learning_rate=1e30",
        "training.gradient_clip=0",
        "training.optimizer=sgd",
        "training.warmup=0",
    )
    shares = "training.split_fractions={validation: 0, test: 0}"
    with pytest.raises(InputError, match=r"loss is not finite.*learning_rate"):
        train(tiny(*settings, shares, "training.ema_decay=0"), texture(4.0))


def test_so_is_a_validation_loss_that_never_is(tiny: Tiny, texture: Texture, tmp_path: Path):
    settings = ("training.learning_rate=1e9", "training.warmup=0", "training.validate_every=1", "training.ema_decay=0")
    with pytest.raises(InputError, match=r"validation loss is not finite.*learning_rate"):
        train(tiny(*settings), texture(4.0), tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_too_short_recordings_are_named(tmp_path: Path, tiny: Tiny, texture: Texture):
    with pytest.raises(InputError, match=r"0\.300 s is too short"):
        train(tiny(), texture(0.3))
    with pytest.raises(InputError, match="fewer than the 80 of two patches"):
        train(tiny("representation.patch=40"), texture(0.6))
    write(tmp_path / "short.wav", texture(0.05), "PCM_16")
    with pytest.raises(InputError, match="no recording is long enough"):
        train(tiny(), tmp_path, tmp_path / "run")
    assert not (tmp_path / "run" / "config.yaml").exists()
    with pytest.raises(InputError, match="needs the folder of a Run"):
        train(tiny(), tmp_path)


@pytest.mark.parametrize("seconds", [0.5, 0.7])
def test_the_shortest_recordings_train(tiny: Tiny, texture: Texture, seconds: float):
    run = train(tiny("training.window=3"), texture(seconds))
    assert math.isfinite(run.metrics["train_loss"])


def test_values_out_of_range_are_refused_from_python(tiny: Tiny, texture: Texture):
    experiment = tiny()
    wrong = replace(experiment, training=replace(experiment.training, learning_rate=-1.0))
    with pytest.raises(InputError, match=r"training\.learning_rate"):
        train(wrong, texture(4.0))


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder / "tensorboard"), size_guidance={"audio": 0, "images": 0})
    return accumulator.Reload()


@pytest.mark.parametrize("validated", [True, False])
def test_tensorboard_has_scalars_images_and_audio(
    tmp_path: Path, tiny: Tiny, texture: Texture, validated: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("audiogen.training.mel.mel_media_logging.SECONDS", 0.3)
    shares = (
        "training.split_fractions={validation: 0.2}"
        if validated
        else "training.split_fractions={validation: 0, test: 0}"
    )
    train(
        tiny("training.log_media_every=6", "training.learning_rate=0.01", shares),
        texture(4.0, channels=2),
        tmp_path,
    )
    found = events(tmp_path)
    tags = found.Tags()
    parts = ("train", "validation") if validated else ("train",)
    for tag in [f"{part}/{name}" for part in parts for name in ("loss", "nll")]:
        assert all(math.isfinite(event.value) for event in found.Scalars(tag)), tag
    assert found.Scalars("train/gradient_norm")[0].value > 0
    assert 0 < found.Scalars("train/learning_rate")[0].value <= 0.01
    versions = ("real", "reconstructed", "continued")
    assert sorted(tags["images"]) == sorted(f"spectrogram/{name}" for name in versions)
    assert sorted(tags["audio"]) == sorted(f"audio/{name}" for name in versions)
    for name in versions:
        pictures, sounds = found.Images(f"spectrogram/{name}"), found.Audio(f"audio/{name}")
        assert [event.step for event in pictures] == [event.step for event in sounds] == [6, 12]
        assert pictures[0].height == 256  # two channels of 128 bands
        assert sounds[0].sample_rate == 44100
        assert sounds[0].encoded_audio_string[:4] == b"RIFF"
    real, continued = found.Audio("audio/real")[0], found.Audio("audio/continued")[0]
    assert continued.length_frames > real.length_frames + 0.2 * 44100
    heard = np.frombuffer(real.encoded_audio_string[44:], "<i2")
    assert np.abs(heard).max() > 300


def test_tensorboard_has_hyperparameters_and_final_metrics(tmp_path: Path, tiny: Tiny, texture: Texture):
    run = train(tiny("training.learning_rate=0.01"), texture(4.0), tmp_path / "rain")
    found = events(tmp_path / "rain")
    assert not [tag for tag in found.Tags()["scalars"] if tag in ("epoch", "hp_metric")]
    begun, settings = (
        plugin_data_pb2.HParamsPluginData.FromString(found.SummaryMetadata(tag).plugin_data.content)
        for tag in ("_hparams_/experiment", "_hparams_/session_start_info")
    )
    values = settings.session_start_info.hparams
    assert values["run"].string_value == "rain"
    assert values["training.learning_rate"].number_value == 0.01
    assert values["model.backbone"].string_value == "lstm"
    assert values["model.backbone.hidden"].number_value == 16
    metrics = {info.name.tag for info in begun.experiment.metric_infos}
    assert {"final/validation_loss", "final/train_loss", "final/steps"} <= metrics
    (final,) = found.Scalars("final/validation_loss")
    assert final.value == pytest.approx(run.metrics["validation_loss"], abs=1e-5)
    assert final.step == 12


@pytest.mark.parametrize(
    "model", ["{kind: hmm, states: 2}", "{kind: hmm, order: 0, independent: true, states: 2}", "var"]
)
def test_tensorboard_has_the_likelihood_of_models_in_closed_form(
    model: str, tmp_path: Path, tiny: Tiny, texture: Texture
):
    run = train(tiny(f"model={model}", "training.split_fractions={validation: 0.3}"), texture(4.0), tmp_path)
    found = events(tmp_path)
    for part in ("train", "validation"):
        (nats,), (each,) = found.Scalars(f"{part}/nll"), found.Scalars(f"{part}/loss")
        assert math.isfinite(nats.value)
        assert nats.value == pytest.approx(8 * each.value, rel=1e-4)  # 8 features: nats a frame and a dimension
        assert run.metrics[f"{part}_loss"] == pytest.approx(each.value, rel=1e-5)
    assert run.metrics["stopped_by"] == "closed form"
    assert found.Scalars("final/validation_loss")[0].value == pytest.approx(run.metrics["validation_loss"], rel=1e-5)


def test_media_logging_does_not_change_the_training(tmp_path: Path, tiny: Tiny, texture: Texture):
    heard = train(tiny("training.log_media_every=5"), texture(4.0), tmp_path)
    assert equal(heard, train(tiny(), texture(4.0)))
