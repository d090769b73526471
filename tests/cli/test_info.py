"""`audiogen info` on files and Runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from audiogen.audio import Recording, write
from audiogen.cli.info import info
from audiogen.errors import InputError
from audiogen.representation.midi import write_midi
from tests.tunes import wandering


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


def test_a_tune(tmp_path: Path) -> None:
    write_midi(tmp_path / "tune.mid", wandering(0, 40, parts=2))
    facts = json.loads(invoke(str(tmp_path / "tune.mid"), "--json").output)
    assert (facts["notes"], facts["meter"], facts["scale_consistency"]) == (80, "4/4", 1.0)
    assert "notes:               80" in invoke(str(tmp_path / "tune.mid")).output.splitlines()


def test_a_run_shows_its_settings_and_metrics(run: Path) -> None:
    output = invoke(str(run)).output
    assert "head: {kind: mixture}" in output
    assert "loss.validation: -1.5" in output
    facts = json.loads(invoke(str(run), "--json").output)
    assert facts["config"] == {"model": {"head": {"kind": "mixture"}}}
    assert facts["metrics"] == {"loss": {"validation": -1.5}}


def test_a_run_still_in_training_has_no_metrics_yet(run: Path) -> None:
    (run / "metrics.json").unlink()
    assert json.loads(invoke(str(run), "--json").output)["metrics"] == {}


def test_other_folders_and_damaged_runs_are_errors(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a Run"):
        invoke(str(tmp_path))
    (run / "metrics.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        invoke(str(run))
