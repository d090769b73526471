"""`audiogen prepare` and `audiogen train`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audiogen.audio import Recording, write
from audiogen.cli.interruption import InterruptHandler
from audiogen.cli.messages import Interrupted
from audiogen.cli.prepare import prepare
from audiogen.cli.train import train
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.run import Run
from tests.tune_fixtures import wandering

Tiny = Callable[..., Experiment]
Texture = Callable[..., Recording]


def invoke(command: object, *arguments: object) -> Result:
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, texts, catch_exceptions=False)  # type: ignore[arg-type]


@pytest.fixture
def recordings(tmp_path: Path, texture: Texture) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for index in range(3):
        write(folder / f"{index}.wav", texture(1.2, index), "PCM_16")
    return folder


def test_prepare_then_train_then_open(config: Path, recordings: Path, tmp_path: Path):
    cache, out = tmp_path / "cache", tmp_path / "run"
    done = invoke(prepare, recordings, "-o", cache)
    assert done.exit_code == 0
    assert "3 recordings, 0.1 minutes" in done.stdout
    assert invoke(prepare, recordings, "-o", cache).exit_code == 0  # again, at once
    done = invoke(train, config, "--data", cache, "-o", out, "training.steps=6", "--device", "cpu")
    assert done.exit_code == 0
    assert "6 steps" in done.stdout
    assert Run.open(out).metrics["steps"] == 6
    assert json.loads((out / "metrics.json").read_text())["device"] == "cpu"


def test_one_recording_and_a_budget(config: Path, recordings: Path, tmp_path: Path):
    arguments = (config, "--data", recordings / "0.wav", "-o", tmp_path / "run", "--budget", 600)
    done = invoke(train, *arguments)
    assert "to repeat it: training.steps=12 training.schedule_steps=12" in done.stdout


def test_a_run_is_overwritten_by_force_only(config: Path, recordings: Path, tmp_path: Path):
    arguments = (config, "--data", recordings / "0.wav", "-o", tmp_path / "run")
    assert invoke(train, *arguments).exit_code == 0
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    with pytest.raises(InputError, match=r"it exists already; use --resume to continue, or --force"):
        invoke(train, *arguments)
    assert invoke(train, *arguments, "--resume").exit_code == 0
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before
    assert invoke(train, *arguments, "--force", "training.steps=5").exit_code == 0
    assert Run.open(tmp_path / "run").metrics["steps"] == 5


def test_fine_tuning(config: Path, recordings: Path, tmp_path: Path):
    base, run = tmp_path / "base", tmp_path / "run"
    invoke(train, config, "--data", recordings, "-o", base)
    other = ("training.steps=1", "training.learning_rate=1e-9", "training.ema_decay=0", "model.backbone.hidden=24")
    invoke(train, config, "--data", recordings / "0.wav", "-o", run, "--base", base, *other)
    before, after = Run.open(base), Run.open(run)
    assert after.experiment.model == before.experiment.model  # the base's, not that of the command line
    one, same = before.model.state_dict(), after.model.state_dict()
    assert all((one[name] - same[name]).abs().max() < 1e-6 for name in one)
    for name, tensor in before.representation.tensors().items():
        assert tensor.equal(after.representation.tensors()[name])


def test_one_tune_is_trained_on(tmp_path: Path):
    from audiogen.tunes.midi.writer import write_midi

    write_midi(tmp_path / "tune.mid", wandering(0))
    config = Path(__file__).parents[2] / "configs" / "midi" / "rnn.yaml"
    small = ("training.steps=2", "model.backbone.hidden=8", "training.window=64", "training.log_media_every=0")
    done = invoke(train, config, "--data", tmp_path / "tune.mid", "-o", tmp_path / "run", *small)
    assert "2 steps" in done.stdout
    assert Run.open(tmp_path / "run").experiment.representation.kind == "midi"


def test_incompatible_bases_and_configurations_are_named(config: Path, recordings: Path, tmp_path: Path):
    base, out = tmp_path / "base", tmp_path / "run"
    invoke(train, config, "--data", recordings / "0.wav", "-o", base, "training.steps=1")
    vocoder = ("vocoder=neural", "training.task=vocoder")
    with pytest.raises(InputError, match=r"vocoder_training\.init_from"):
        invoke(train, config, "--data", recordings / "0.wav", "-o", out, "--base", base, *vocoder)
    tunes = Path(__file__).parents[2] / "configs" / "midi" / "lstm.yaml"
    with pytest.raises(InputError, match="MIDI files need no cache"):
        invoke(prepare, recordings, "-o", out, "--config", tunes)
    assert not out.exists()


def test_bad_input_is_named(config: Path, recordings: Path, tmp_path: Path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        invoke(train, config, "--data", tmp_path / "missing", "-o", tmp_path / "run")
    with pytest.raises(InputError, match="it is a file"):
        invoke(train, config, "--data", recordings, "-o", config)
    with pytest.raises(InputError, match="did you mean steps"):
        invoke(train, config, "--data", recordings, "-o", tmp_path / "run", "training.stepss=3")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there is no audio file in it"):
        invoke(prepare, tmp_path / "empty", "-o", tmp_path / "cache")
    with pytest.raises(InputError, match="it exists and is not a cache"):
        invoke(prepare, recordings, "-o", recordings)
    assert not (tmp_path / "run").exists()


def test_an_error_that_an_interruption_caused_in_a_library_names_the_checkpoint(
    config: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*arguments: object) -> Run:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "checkpoint.ckpt").touch()
        raise RuntimeError("a callback was interrupted")

    monkeypatch.setattr("audiogen.training.trainer.train", interrupted)
    arguments = [str(config), "--data", str(recordings / "0.wav"), "-o", str(tmp_path / "run"), "--force"]
    handler = InterruptHandler()
    with pytest.raises(RuntimeError):
        CliRunner().invoke(train, arguments, obj=handler, catch_exceptions=False)
    (tmp_path / "run" / "checkpoint.ckpt").unlink()
    (tmp_path / "run").rmdir()
    handler.interrupted = True
    with pytest.raises(Interrupted) as raised:
        CliRunner().invoke(train, arguments, obj=handler, catch_exceptions=False, standalone_mode=False)
    assert raised.value.cure == "--resume continues from it"


def test_ctrl_c_exits_with_130_and_can_be_resumed(config: Path, recordings: Path, tmp_path: Path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "audiogen", "train", str(config), "--data", str(recordings / "0.wav")]
    endless = ["-o", str(out), "training.steps=1000000", "training.checkpoint_every=4"]
    process = subprocess.Popen([*command, *endless], stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        deadline = time.monotonic() + 300
        while not (out / "checkpoint.ckpt").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (out / "checkpoint.ckpt").exists()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    expected = f"audiogen: interrupted: {out} keeps the last checkpoint; --resume continues from it"
    assert errors.decode().strip() == expected
    names = {path.name for path in out.iterdir()}
    assert {"checkpoint.ckpt", "config.yaml"} <= names
    assert not names & {"metrics.json", "model.safetensors"}
    budget = invoke(train, config, "--data", recordings / "0.wav", *endless, "--resume", "--budget", 2)
    assert budget.exit_code == 0
    assert Run.open(out).metrics["steps"] > 4
