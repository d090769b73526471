"""`audiogen info` on files and Runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from audiogen.audio import Recording, write
from audiogen.cli.info import info
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml
from audiogen.pretrained import BASE
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.tune import Part
from tests.tune_fixtures import wandering


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(info, list(arguments), catch_exceptions=False)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a b.wav"
    write(path, Recording(np.full((2, 4800), 0.5, "f4"), 48000), "PCM_16", exact=True)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("model:\n  head: {kind: mixture}\n")
    (folder / "metrics.json").write_text('{"loss": {"validation": -1.5}}')
    return folder


def test_a_file_in_aligned_lines(recording: Path) -> None:
    lines = invoke(str(recording)).output.splitlines()
    facts = dict(line.split(": ", 1) for line in lines)
    assert facts["path"].strip() == str(recording)
    assert facts["duration"].strip() == "0.100 s (4800 samples)"
    assert facts["peak"].strip() == facts["rms"].strip() == "-6.0 dBFS"
    assert facts["loudness"].strip() == "-"
    assert len({len(line) - len(line.split(":", 1)[1].lstrip()) for line in lines}) == 1


def test_a_file_as_json(recording: Path) -> None:
    facts = json.loads(invoke(str(recording), "--json").output)
    assert (facts["sample_rate"], facts["channels"], facts["subtype"]) == (48000, 2, "PCM_16")
    assert facts["dc"] == [0.5, 0.5]


def test_several_files_and_a_pattern(recording: Path, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(recording.read_bytes())
    described = json.loads(invoke(str(run), str(tmp_path / "*.wav"), "--json").output)["described"]
    assert [facts["path"] for facts in described] == [str(run), str(recording), str(other)]
    parts = invoke(str(recording), str(other)).output.split("\n\n")
    assert [part.split()[0] for part in parts] == ["path:", "path:"]
    with pytest.raises(InputError, match="no file matches"):
        invoke(str(tmp_path / "*.flac"))


def test_a_file_through_a_pipe(recording: Path) -> None:
    answer = CliRunner().invoke(info, ["-", "--json"], input=recording.read_bytes(), catch_exceptions=False)
    facts = json.loads(answer.output)
    assert (facts["path"], facts["length"], facts["channels"]) == ("-", 4800, 2)


def test_a_tune(tmp_path: Path) -> None:
    write_midi(tmp_path / "tune.mid", wandering(0, 40, parts=2))
    facts = json.loads(invoke(str(tmp_path / "tune.mid"), "--json").output)
    assert (facts["notes"], facts["meter"], facts["scale_consistency"]) == (80, "4/4", 1.0)
    assert facts["parts"] == 2
    assert "part_names" not in facts
    assert "notes:               80" in invoke(str(tmp_path / "tune.mid")).output.splitlines()


def test_names_of_parts(tmp_path: Path) -> None:
    named = replace(wandering(0, 4, parts=2), parts=(Part(name="Flute"), Part(channel=1)))
    write_midi(tmp_path / "tune.mid", named)
    facts = json.loads(invoke(str(tmp_path / "tune.mid"), "--json").output)
    assert (facts["parts"], facts["part_names"]) == (2, "Flute, -")


def test_a_run_shows_its_settings_and_metrics(run: Path) -> None:
    output = invoke(str(run), "--verbose").output
    assert "head: {kind: mixture}" in output
    assert "loss.validation: -1.5" in output
    facts = json.loads(invoke(str(run), "--json").output)
    assert facts["config"] == {"model": {"head": {"kind": "mixture"}}}
    assert facts["metrics"] == {"loss": {"validation": -1.5}}


def test_a_run_is_summarised_in_a_page(tmp_path: Path, tiny: Callable[..., Experiment]) -> None:
    (tmp_path / "config.yaml").write_text(dump_yaml(tiny("training.steps=40")))
    split = {f"{index}.wav": "train" for index in range(500)} | {"x.wav": "validation"}
    metrics = {"steps": 24, "best_step": 16, "validation_loss": 1.23456, "train_loss": 1.1, "parameters": 12345}
    metrics |= {"seconds": 61.25, "device": "cpu", "split": split, "stopped_by": "early stopping", "version": "0.1.0"}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    lines = dict(line.split(": ", 1) for line in invoke(str(tmp_path)).output.splitlines())
    assert len(lines) < 24
    facts = {name: text.strip() for name, text in lines.items()}
    assert facts["model"] == "sequence: backbone lstm, head mixture"
    assert facts["frames"] == "mel, 44100 Hz, 128 bands, 86.1 frames per second, patch 4, latents 8"
    assert facts["vocoder"] == "source"
    assert facts["parameters"] == "12,345"
    assert facts["trained on"] == "500 train, 1 validation, 0 test recordings or tunes"
    assert facts["training"] == "24 of 40 steps"
    assert facts["ended by"] == "early stopping"
    assert facts["time taken"] == "61.2 s on cpu"
    assert facts["best validation"] == "1.235 at step 16"
    assert facts["version"] == "0.1.0"
    (tmp_path / "metrics.json").write_text(json.dumps(metrics | {"seconds": 0.0}))
    assert "time taken" not in invoke(str(tmp_path)).output  # unknown
    assert facts["size on disk"] == "0.0 MB"


def test_runs_of_earlier_versions_and_unfinished_ones_are_summarised(run: Path) -> None:
    assert "model:        sequence: head mixture" in invoke(str(run)).output.splitlines()
    (run / "metrics.json").unlink()
    assert "training:     not finished: no metrics yet" in invoke(str(run)).output.splitlines()


def test_a_run_still_in_training_has_no_metrics_yet(run: Path) -> None:
    (run / "metrics.json").unlink()
    assert json.loads(invoke(str(run), "--json").output)["metrics"] == {}


def test_other_folders_and_damaged_runs_are_errors(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a Run"):
        invoke(str(tmp_path))
    (run / "metrics.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        invoke(str(run))


def test_the_base_predicts_by_contexts() -> None:
    lines = invoke(str(BASE)).output.splitlines()
    assert any(
        line.startswith("predicts by:") and line.endswith("contexts of the recording that is continued")
        for line in lines
    )
