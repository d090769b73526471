"""Trainings that are killed and resumed end with the weights of uninterrupted ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from audiogen.audio import AudioWarning, Recording, write
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.training.loop import TrainingLoop
from audiogen.training.mel.mel_data_module import MelDataModule
from audiogen.training.mel.mel_splits import of_recording
from audiogen.training.trainer import train
from tests.training.interruption import Killed, stop_at

Tiny = Callable[..., Experiment]
Texture = Callable[..., Recording]
# Checkpoints at 8 and 16, where a validation is due too; validations at 4, 8, ...
PLATEAU = ("training.steps=22", "training.schedule=plateau", "training.ema_decay=0.9", "augmentation.gain=2")
VARIANTS = {
    "plateau, average": PLATEAU,
    "early stopping": (*PLATEAU, "training.patience=3", "training.learning_rate=0.05"),
    "no average, sgd": (*PLATEAU, "training.ema_decay=0", "training.optimizer=sgd"),
    "checkpoints off the validations": (*PLATEAU, "training.checkpoint_every=7", "training.schedule=cosine"),
    "no validation": (*PLATEAU, "training.split_fractions={validation: 0, test: 0}"),
    "slow steps": (*PLATEAU, "training.checkpoint_every=1000"),
    "slow steps, no validation": (
        *PLATEAU,
        "training.checkpoint_every=1000",
        "training.split_fractions={validation: 0, test: 0}",
    ),
    "flow, noise": (*PLATEAU, "model.head={kind: flow, width: 16, blocks: 1}", "model.context_noise=0.5"),
}


def same(one: Path, other: Path) -> bool:
    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    variant: str, tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    experiment, recording = tiny(*VARIANTS[variant]), texture(6.0)
    if variant.startswith("slow"):
        monkeypatch.setattr("audiogen.training.loop.CHECKPOINT_SECONDS", -1.0)
    whole = train(experiment, recording, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 11, Killed())
        with pytest.raises(Killed):
            train(experiment, recording, tmp_path / "cut")
    assert (tmp_path / "cut" / "checkpoint.ckpt").exists()
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    torch.manual_seed(123)  # the state of the generators must not matter
    saved = torch.load(tmp_path / "cut" / "checkpoint.ckpt", weights_only=True)["step"]
    taken = []
    step = TrainingLoop._train_step
    monkeypatch.setattr(TrainingLoop, "_train_step", lambda self: taken.append(self.step) or step(self))
    resumed = train(experiment, recording, tmp_path / "cut", resume=True)
    assert taken == list(range(saved, resumed.metrics["steps"]))  # not from the beginning again
    assert saved > 0
    assert same(tmp_path / "whole", tmp_path / "cut")
    ours, theirs = whole.metrics, resumed.metrics
    assert {key: ours[key] for key in ours if key != "seconds"} == {
        key: theirs[key] for key in theirs if key != "seconds"
    }


def test_a_training_killed_twice(tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch):
    experiment, recording = tiny(*PLATEAU), texture(6.0)
    train(experiment, recording, tmp_path / "whole")
    for step, resume in ((10, False), (19, True)):
        with monkeypatch.context() as patch:
            stop_at(patch, step, Killed())
            with pytest.raises(Killed):
                train(experiment, recording, tmp_path / "cut", resume=resume)
    train(experiment, recording, tmp_path / "cut", resume=True)
    assert same(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.posix
def test_kill_minus_nine(tmp_path: Path, tiny: Tiny, texture: Texture):
    """A real SIGKILL, from outside, once there is a checkpoint."""
    script = """
        import sys, torch
        from pathlib import Path
        from audiogen.audio import read
        from audiogen.experiment import read_experiment
        from audiogen.training.trainer import train
        torch.set_num_threads(1)
        folder = Path(sys.argv[1])
        overrides = ("training.steps=100000", "training.checkpoint_every=4")
        train(read_experiment(folder / "tiny.yaml", overrides), read(folder / "rain.wav"), folder / "cut")
    """
    from audiogen.experiment import dump_yaml

    endless = tiny("training.schedule_steps=40", "training.steps=100000", "training.checkpoint_every=4")
    (tmp_path / "tiny.yaml").write_text(dump_yaml(endless))
    write(tmp_path / "rain.wav", texture(4.0), "FLOAT")
    checkpoint = tmp_path / "cut" / "checkpoint.ckpt"
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)])
    try:
        deadline = time.monotonic() + 90
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    from audiogen.audio import read

    reached = int(torch.load(checkpoint, weights_only=True)["step"])
    assert reached >= 4
    # The interrupted training is made to end a little later, so that both ends can be compared.
    recording = read(tmp_path / "rain.wav")
    steps = reached + 5
    finite = tiny("training.schedule_steps=40", f"training.steps={steps}", "training.checkpoint_every=4")
    saved = torch.load(checkpoint, weights_only=True)
    saved["last_step"] = saved["steps"] = steps
    torch.save(saved, checkpoint)
    (tmp_path / "cut" / "config.yaml").write_text(dump_yaml(decided_for(recording, finite)))
    train(finite, recording, tmp_path / "cut", resume=True)
    train(finite, recording, tmp_path / "whole")
    assert same(tmp_path / "whole", tmp_path / "cut")


def decided_for(recording: Recording, experiment: Experiment) -> Experiment:
    from audiogen.training.mel.mel_splits import with_channels

    return with_channels(experiment, recording.channels)


def test_ctrl_c_raises_keyboard_interrupt_and_leaves_the_checkpoint(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    handler = signal.getsignal(signal.SIGINT)
    stop_at(monkeypatch, 11, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train(tiny("training.steps=22"), texture(6.0), tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is handler
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint.ckpt",
        "config.yaml",
        "tensorboard",
    ]


@pytest.mark.parametrize("exists", [False, True])
def test_ctrl_c_before_the_first_checkpoint_leaves_nothing(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch, exists: bool
):
    folder = tmp_path / "runs" / "rain"
    if exists:
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    stop_at(monkeypatch, 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), texture(6.0), folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    experiment, recording = tiny("training.steps=22"), texture(6.0)
    train(experiment, recording, tmp_path / "whole")
    replace = os.replace

    def killed(source: object, target: object) -> None:
        if str(target).endswith(".ckpt") and Path(str(target)).exists():
            Path(str(source)).write_bytes(b"half")
            raise Killed
        replace(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(Killed):
            train(experiment, recording, tmp_path / "cut")
    train(experiment, recording, tmp_path / "cut", resume=True)
    assert same(tmp_path / "whole", tmp_path / "cut")


def test_another_experiment_cannot_be_resumed(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        stop_at(patch, 11, Killed())
        with pytest.raises(Killed):
            train(tiny("training.steps=22"), texture(6.0), tmp_path)
    for other in (
        ("training.steps=30", "training.batch_size=5"),
        ("training.steps=21",),
    ):  # more steps alone may be given
        names = "training\\.batch_size" if len(other) > 1 else "training\\.steps"
        with pytest.raises(InputError, match=rf"another {names}; .*--force"):
            train(tiny(*other), texture(6.0), tmp_path, resume=True)
    with pytest.raises(InputError, match="training data are not those"):
        train(tiny("training.steps=22"), texture(6.0, seed=1), tmp_path, resume=True)
    assert (tmp_path / "checkpoint.ckpt").exists()


def test_a_finished_training_is_only_opened(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    made = train(tiny(), texture(6.0), tmp_path)
    monkeypatch.setattr(TrainingLoop, "__init__", None)  # any training would fail
    opened = train(tiny(), texture(6.0), tmp_path, resume=True)
    assert opened.metrics == made.metrics
    with pytest.raises(InputError, match=r"another training\.steps"):
        train(tiny("training.steps=11"), texture(6.0), tmp_path, resume=True)


@pytest.mark.parametrize("average", [0, 0.9])
def test_a_finished_training_continues_with_more_steps(average: float, tmp_path: Path, tiny: Tiny, texture: Texture):
    planned = ("training.schedule_steps=30", f"training.ema_decay={average}")
    whole = train(tiny(*planned, "training.steps=20"), texture(6.0), tmp_path / "whole")
    first = train(tiny(*planned, "training.steps=12"), texture(6.0), tmp_path / "cut")
    assert (first.metrics["steps"], first.metrics["stopped_by"]) == (12, "steps")
    more = train(tiny(*planned, "training.steps=20"), texture(6.0), tmp_path / "cut", resume=True)
    assert more.metrics["steps"] == more.metrics["best_step"] == whole.metrics["best_step"] == 20
    assert same(tmp_path / "whole", tmp_path / "cut")
    assert "steps: 20" in (tmp_path / "cut" / "config.yaml").read_text()
    again = train(tiny(*planned, "training.steps=20"), texture(6.0), tmp_path / "cut", resume=True)
    assert again.metrics == more.metrics


def test_a_run_configured_by_former_keys_is_only_opened(tmp_path: Path, tiny: Tiny, texture: Texture):
    first = train(tiny("training.ema_decay=0.9"), texture(6.0), tmp_path)
    config = tmp_path / "config.yaml"
    text = config.read_text("utf-8")
    former = text.replace("  ema_decay:", "  average:").replace("  batch_size:", "  batch:")
    assert former.count("  average:") == former.count("  batch:") == 1
    config.write_text(former, "utf-8")
    again = train(tiny("training.ema_decay=0.9"), texture(6.0), tmp_path, resume=True)
    assert again.metrics == first.metrics
    with pytest.raises(InputError, match=r"another training\.ema_decay"):
        train(tiny("training.ema_decay=0.8"), texture(6.0), tmp_path, resume=True)


def test_interrupted_further_steps_leave_the_run_unchanged(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    planned = ("training.schedule_steps=30", "training.checkpoint_every=4")
    train(tiny(*planned, "training.steps=20"), texture(6.0), tmp_path / "whole")
    train(tiny(*planned, "training.steps=12"), texture(6.0), tmp_path / "cut")
    before = (tmp_path / "cut" / "model.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        stop_at(patch, 18, Killed())
        with pytest.raises(Killed):
            train(tiny(*planned, "training.steps=20"), texture(6.0), tmp_path / "cut", resume=True)
    assert (tmp_path / "cut" / "model.safetensors").read_bytes() == before
    train(tiny(*planned, "training.steps=20"), texture(6.0), tmp_path / "cut", resume=True)
    assert same(tmp_path / "whole", tmp_path / "cut")


def test_patience_starts_again_when_steps_are_added(tmp_path: Path, tiny: Tiny, texture: Texture):
    harm = ("training.learning_rate=0.5", "training.ema_decay=0", "training.schedule=constant", "training.patience=2")
    first = train(tiny(*harm, "training.steps=60"), texture(4.0), tmp_path).metrics
    assert first["stopped_by"] == "early stopping"
    assert first["steps"] < 60
    again = train(tiny(*harm, "training.steps=60"), texture(4.0), tmp_path, resume=True).metrics
    assert again == first  # finished
    more = train(tiny(*harm, "training.steps=61"), texture(4.0), tmp_path, resume=True).metrics
    assert more["steps"] >= min(first["steps"] + 8, 61)


def test_a_run_without_a_checkpoint_cannot_be_given_more_steps(tmp_path: Path, tiny: Tiny, texture: Texture):
    train(tiny(), texture(6.0), tmp_path)
    (tmp_path / "checkpoint.ckpt").unlink()  # a Run of an earlier version
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="left no checkpoint"):
        train(tiny("training.steps=13"), texture(6.0), tmp_path, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_resuming_without_a_checkpoint_warns_and_starts_again(tmp_path: Path, tiny: Tiny, texture: Texture):
    with pytest.warns(AudioWarning, match="no checkpoint to resume"):
        train(tiny(), texture(6.0), tmp_path / "resumed", resume=True)
    train(tiny(), texture(6.0), tmp_path / "fresh")
    assert same(tmp_path / "resumed", tmp_path / "fresh")


def test_a_new_training_removes_the_former_run(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    train(tiny(), texture(6.0), tmp_path)
    stop_at(monkeypatch, 2, Killed())
    with pytest.raises(Killed):
        train(tiny("training.seed=1"), texture(6.0), tmp_path)
    # A later --resume must not take the former Run for the new one.
    assert not (tmp_path / "metrics.json").exists()
    assert len(list((tmp_path / "tensorboard").glob("events*"))) == 1


def test_the_fingerprint_depends_on_the_data_even_with_a_base(tiny: Tiny, texture: Texture):
    experiment = tiny("representation.channels=1")
    options, shares = experiment.representation.options, experiment.training.split_fractions
    first, other = (of_recording(texture(2.0, seed), options, shares) for seed in range(2))
    representation = MelDataModule(first, experiment).representation
    same, again, changed = (MelDataModule(one, experiment, representation) for one in (first, first, other))
    assert same.fingerprint() == again.fingerprint() != changed.fingerprint()


def test_a_checkpoint_of_another_version_or_a_damaged_one_is_refused(
    tmp_path: Path, tiny: Tiny, texture: Texture, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        stop_at(patch, 11)
        with pytest.raises(Killed):
            train(tiny("training.steps=22"), texture(6.0), tmp_path)
    checkpoint = tmp_path / "checkpoint.ckpt"
    torch.save({"global_step": 8, "state_dict": {}}, checkpoint)
    with pytest.raises(InputError, match=r"checkpoint\.ckpt: another version of audiogen wrote this checkpoint; train"):
        train(tiny("training.steps=22"), texture(6.0), tmp_path, resume=True)
    checkpoint.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match=r"checkpoint\.ckpt: it cannot be read"):
        train(tiny("training.steps=22"), texture(6.0), tmp_path, resume=True)
