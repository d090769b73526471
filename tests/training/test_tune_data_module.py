"""Training on tunes: splits, seeds, early stopping, resuming, TensorBoard, the Run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from audiogen.audio import AudioWarning
from audiogen.data.recordings import SplitFractions
from audiogen.errors import InputError
from audiogen.experiment import Experiment, read_experiment
from audiogen.run import Run
from audiogen.training.trainer import train
from audiogen.training.tunes.tune_data_module import of_tune
from audiogen.tunes.metrics.note_likelihood import likelihood_of
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.models.markov import Markov, MarkovOptions
from tests.training.interruption import Killed, stop_at
from tests.tune_fixtures import melody, wandering

CONFIGS = Path(__file__).parents[2] / "configs" / "midi"
SMALL = (
    "representation={kind: midi, scheme: {kind: notes, resolution: 2}}",
    "model={kind: tokens, embedding: 8, backbone: {kind: gru, hidden: 16, layers: 1}}",
    "training={steps: 8, batch_size: 4, window: 24, warmup: 2, validate_every: 4}",
    "training={checkpoint_every: 4, log_media_every: 0}",
    "training.patience=0",
)
Small = Callable[..., Experiment]


@pytest.fixture
def small() -> Small:
    return lambda *overrides: read_experiment(None, (*SMALL, *overrides))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tunes"
    made.mkdir()
    for index in range(10):
        write_midi(made / f"{index}.mid", wandering(index, 30))
    return made


def same(one: Run, other: Run) -> bool:
    first, second = one.model.state_dict(), other.model.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_folder_is_split_by_tune_and_gives_a_run(folder: Path, tmp_path: Path, small: Small):
    (folder / "bad.mid").write_bytes(b"no tune")
    with pytest.warns(AudioWarning, match=r"left out: .*bad\.mid"):
        run = train(small(), folder, tmp_path / "run")
    split = run.metrics["split"]
    assert sorted(split.values()) == ["test"] + ["train"] * 8 + ["validation"]
    assert len(split) == 10
    opened = Run.open(tmp_path / "run")
    assert same(run, opened)
    assert isinstance(opened.representation, Midi)
    reported = opened.metrics["held_out"]
    for part in ("validation", "test"):
        tunes = [read_midi(folder / f"{name}.mid") for name, kind in split.items() if kind == part]
        found = likelihood_of(opened.model, opened.representation.tokenizer, tunes)  # type: ignore[arg-type]
        assert reported[part]["nats_per_note"] == pytest.approx(found.per_note, abs=1e-3)
        assert reported[part]["notes"] == found.notes


def test_the_loss_falls(folder: Path, small: Small):
    rate = ("training.learning_rate=0.01", "training.ema_decay=0")
    short = train(small("training.steps=1", "training.validate_every=1"), folder)
    long = train(small("training.steps=60", *rate), folder)
    assert long.metrics["validation_loss"] < 0.8 * short.metrics["validation_loss"]


def test_the_seed_determines_the_weights(folder: Path, small: Small):
    assert same(train(small(), folder), train(small(), folder))
    assert not same(train(small(), folder), train(small("training.seed=1"), folder))


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    folder: Path, tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
):
    whole = train(small(), folder, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 6)
        with pytest.raises(Killed):
            train(small(), folder, tmp_path / "cut")
    assert same(whole, train(small(), folder, tmp_path / "cut", resume=True))
    # Other tunes than those that the training began with are refused.
    with monkeypatch.context() as patch:
        stop_at(patch, 6)
        with pytest.raises(Killed):
            train(small(), folder, tmp_path / "other")
    for index in range(10):
        write_midi(folder / f"{index}.mid", wandering(100 + index, 30))
    with pytest.raises(InputError, match="not those that the training began with"):
        train(small(), folder, tmp_path / "other", resume=True)


def test_tensorboard_has_piano_rolls_and_audio(folder: Path, tmp_path: Path, small: Small):
    train(small("training.log_media_every=8"), folder, tmp_path / "run")
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"audio": 0, "images": 0}).Reload()
    tags = found.Tags()
    assert sorted(tags["images"]) == ["piano_roll/continued", "piano_roll/real"]
    assert sorted(tags["audio"]) == ["audio/continued", "audio/real"]
    assert {"train/loss", "validation/loss", "validation/nll"} <= set(tags["scalars"])
    rolls = [found.Images(f"piano_roll/{name}")[0] for name in ("real", "continued")]
    assert rolls[0].height == rolls[1].height == 88
    assert rolls[1].width > 4 * 48  # the four bars of the prompt and something after them


def test_one_tune_is_split_in_time(small: Small):
    one = melody([60, 62, 64, 65] * 10)
    run = train(small("training.split_fractions={validation: 0.2, test: 0.1}"), one)
    assert run.metrics["split"] == {
        "train": "0..28 quarter notes",
        "validation": "28..36 quarter notes",
        "test": "36..40 quarter notes",
    }
    assert run.metrics["validation_loss"] is not None
    tokenizer = small().representation.options
    splits = of_tune(one, Midi(tokenizer).tokenizer, SplitFractions(0.2, 0.1))
    train_tokens, held_out = splits.train[0].tokens.tolist(), splits.validation[0].tokens.tolist()
    whole = Midi(tokenizer).tokenizer.encode(one).tolist()
    assert train_tokens + held_out == whole[: len(train_tokens) + len(held_out)]
    assert len(held_out) == 16


def test_unusable_data_are_refused(tmp_path: Path, small: Small):
    with pytest.raises(InputError, match="too few to train on"):
        train(small(), melody([60]))
    with pytest.raises(InputError, match="neither MIDI"):
        train(small(), tmp_path)
    with pytest.raises(InputError, match="is trained on tunes"):
        train(small(), 3)  # type: ignore[arg-type]
    (tmp_path / "a.txt").write_text("no tune")
    with pytest.raises(InputError, match="it is not a tune"):
        train(small(), tmp_path / "a.txt")


def test_models_and_representations_must_fit():
    with pytest.raises(
        InputError, match=r"does not read the frames of the representation midi; choose model\.kind from tok"
    ):
        read_experiment(None, ("representation=midi",))
    with pytest.raises(InputError, match=r"choose model\.kind from sequence"):
        read_experiment(None, ("model=tokens",))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_trains(path: Path, folder: Path):
    tiny = ("training.steps=1", "training.window=16", "training.batch_size=2", "training.log_media_every=0")
    experiment = read_experiment(path, tiny)
    if experiment.training.task != "model":
        pytest.skip("it begins with a Run: see test_fine_tuning.py and test_critic.py")
    run = train(experiment, folder)
    assert run.metrics["train_loss"] is not None


def test_a_markov_chain_is_measured_like_a_network():
    scheme = Midi(read_experiment(None, SMALL).representation.options).tokenizer
    tunes = [wandering(index, 40) for index in range(6)]
    chain = Markov(scheme.size, MarkovOptions(3))
    chain.fit([torch.from_numpy(scheme.encode(tune)) for tune in tunes[:5]])
    told = likelihood_of(chain, scheme, tunes[5:])
    known = likelihood_of(chain, scheme, tunes[:1])
    assert known.per_note < told.per_note < 6
    assert told.notes == len(scheme.quantised(tunes[5]).notes)
