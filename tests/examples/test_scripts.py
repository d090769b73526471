"""The example scripts run, with small settings."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import audiogen
from audiogen import Recording
from tests.conftest import TINY

EXAMPLES = Path(__file__).parents[2] / "examples"
Texture = Callable[..., Recording]
pytestmark = pytest.mark.filterwarnings("ignore::audiogen.AudioWarning")  # seconds teach little, and copies show it


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sound(texture: Texture, tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    folder.mkdir()
    audiogen.write(folder / "sound.wav", texture(3.0))
    return folder / "sound.wav"


def test_takes(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script("takes").main([str(sound), str(tmp_path / "takes"), "--count", "2", "--seconds", "2", "--budget", "0"])
    out = capsys.readouterr().out
    assert "take-2.wav: texture distance" in out
    assert "loop.wav: 2 s" in out
    assert audiogen.read(tmp_path / "takes" / "loop.wav").length == 2 * 44100


def test_compare_heads(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--heads", "point", "mixture", "--steps", "3", "--seeds", "1"]
    options = [each for each in TINY if not each.startswith(("model.head", "training.steps"))]
    script("compare_heads").main([str(sound), *options, *small])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["head", "point", "mixture"]


def test_a_batch_resumes_and_reports_what_failed(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sound.parent / "text.wav").write_text("no sound")
    command = [str(sound.parent), str(tmp_path / "out"), "--seconds", "1"]
    assert script("batch").main(command) == 1
    shown = capsys.readouterr()
    assert "1.0 s added" in shown.out
    assert "text.wav" in shown.err
    (sound.parent / "text.wav").unlink()
    assert script("batch").main(command) == 0
    assert capsys.readouterr().out == ""  # nothing was left to do
    rows = list(csv.DictReader((tmp_path / "out" / "measures.csv").read_text().splitlines()))
    assert [row["join_sample"] for row in rows] == [str(3 * 44100)]
