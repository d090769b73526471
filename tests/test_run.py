"""Runs on disk: saved and opened without pickles; damaged files are named."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.models import Sampling
from audiogen.representation.mel_latents import MelLatents
from audiogen.run import Run, new_model
from audiogen.training.mel.mel_splits import with_channels

Tiny = Callable[..., Experiment]


@pytest.fixture
def run(tiny: Tiny) -> Run:
    experiment = with_channels(tiny(), 1)
    torch.manual_seed(0)
    representation = MelLatents.fit(experiment.representation.options, [torch.randn(80, 128)])
    return Run(experiment, representation, new_model(experiment, representation).eval(), {"steps": 3})


def test_a_saved_run_is_opened_unchanged(run: Run, tmp_path: Path):
    run.save(tmp_path / "new" / "run")
    opened = Run.open(str(tmp_path / "new" / "run"))
    assert opened.experiment == run.experiment
    assert opened.metrics == {"steps": 3}
    assert opened.path == tmp_path / "new" / "run"
    assert sorted(file.name for file in opened.path.iterdir()) == [
        "config.yaml",
        "metrics.json",
        "model.safetensors",
        "statistics.safetensors",
    ]
    prompt = torch.randn(1, 5, run.representation.features)
    frames = []
    for one in (run, opened):
        source = Sampling(1.0, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            frames.append(one.model.step(one.model.start(prompt), source)[0])
    assert torch.equal(*frames)


def test_opening_unpickles_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run.save(tmp_path)

    def refuse(*ignored: object, **ignored_too: object) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    assert Run.open(tmp_path).metrics == {"steps": 3}


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "statistics.safetensors"])
def test_a_missing_file_is_named(run: Run, tmp_path: Path, name: str):
    run.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"it is not a Run: {name} is missing"):
        Run.open(tmp_path)


def test_a_missing_folder_is_not_a_run(tmp_path: Path):
    with pytest.raises(InputError, match="there is no such folder"):
        Run.open(tmp_path / "missing")


@pytest.mark.parametrize("name", ["model.safetensors", "statistics.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_damaged_weights_are_an_error_of_one_line(run: Run, tmp_path: Path, name: str, damage: str):
    run.save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "garbage": b"\xff" * 100, "empty": b""}
    (tmp_path / name).write_bytes(damaged[damage])
    with pytest.raises(InputError, match="weights do not fit") as caught:
        Run.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_configuration_are_an_error_of_one_line(run: Run, tmp_path: Path):
    run.save(tmp_path)
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(text.replace("hidden: 16", "hidden: 24"))
    with pytest.raises(InputError, match=r"weights do not fit its config\.yaml.*train it again"):
        Run.open(tmp_path)


def test_damaged_metrics_are_named(run: Run, tmp_path: Path):
    run.save(tmp_path)
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(InputError, match=r"metrics\.json: it is damaged"):
        Run.open(tmp_path)


def test_the_metrics_are_written_last(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """They mark a finished Run, so they must not exist before its weights."""
    import safetensors.torch

    def failing(*ignored: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(safetensors.torch, "save_file", failing)
    with pytest.raises(OSError, match="full"):
        run.save(tmp_path)
    assert not (tmp_path / "metrics.json").exists()


def test_metrics_are_plain_json(run: Run, tmp_path: Path):
    run.save(tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"steps": 3}


def test_a_vocoder_that_does_not_fit_the_frames_is_refused(run: Run, tmp_path: Path):
    run.save(tmp_path)
    config = tmp_path / "config.yaml"
    tree = yaml.safe_load(config.read_text("utf-8"))
    tree["representation"]["spec"]["fmax"] = 20000.0
    config.write_text(yaml.safe_dump(tree), "utf-8")
    Run.open(tmp_path)  # the source vocoder renders frames of any spec
    tree["vocoder"] = {"kind": "neural"}
    config.write_text(yaml.safe_dump(tree), "utf-8")
    with pytest.raises(InputError, match=r"vocoder neural: it renders mel frames of fmax 22050.0, not fmax 20000.0"):
        Run.open(tmp_path)


def test_opening_a_run_does_not_import_the_compiler_of_torch() -> None:
    code = "import sys; from audiogen.pretrained import base; base(); sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
