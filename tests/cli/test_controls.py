"""`audiogen continue` with controls, a morph, and several Runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from audiogen.audio import Recording, read, write
from audiogen.cli.continue_ import continue_
from audiogen.errors import InputError
from audiogen.run import Run

RATE = 22050
Texture = Callable[..., Recording]


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(continue_, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture
def inputs(tmp_path: Path, texture: Texture, untrained: Callable[..., Run]) -> Path:
    """A stereo prompt, a mono recording of another rate, silence, and two Runs."""
    write(tmp_path / "a.wav", texture(2.5, channels=2, rate=RATE), "PCM_16")
    write(tmp_path / "b.wav", texture(2.0, 4, rate=16000), "PCM_16")
    write(tmp_path / "silence.wav", Recording(np.zeros((1, RATE), np.float32), RATE), "PCM_16", exact=True)
    for seed, name in enumerate(("one", "two")):
        untrained(texture(3.0, seed), seed).save(tmp_path / name)
    return tmp_path


def test_level_brightness_and_density(inputs: Path) -> None:
    options = ("-o", inputs / "out.wav", "--run", inputs / "one", "--seconds", 5)
    handles = ("--level", -20, "--brightness", 1.5, "--density", 0.5)
    assert invoke(inputs / "a.wav", *options, *handles).exit_code == 0
    prompt, made = read(inputs / "a.wav"), read(inputs / "out.wav")
    settings = json.loads((inputs / "out.json").read_text())["settings"]
    assert (settings["level"], settings["brightness"], settings["density"]) == (-20, 1.5, 0.5)
    assert np.array_equal(made.samples[:, : prompt.length], prompt.samples)
    change = 20 * np.log10(made.samples[:, -RATE:].std() / prompt.samples.std())
    assert change == pytest.approx(-20, abs=4)


def test_a_morph_of_other_rate_and_channels(inputs: Path) -> None:
    options = ("-o", inputs / "out.wav", "--run", inputs / "one", "--seconds", 2)
    assert invoke(inputs / "a.wav", "--morph", inputs / "b.wav", *options).exit_code == 0
    made = read(inputs / "out.wav")
    assert (made.sample_rate, made.channels, made.length) == (RATE, 2, round(4.5 * RATE))
    morph = json.loads((inputs / "out.json").read_text())["settings"]["morph"]
    assert (Path(morph["recording"]).name, Path(morph["run"]).name) == ("b.wav", "one")


def test_a_morph_trains_for_both_recordings(inputs: Path, config: Path) -> None:
    options = ("-o", inputs / "out.wav", "--config", config, "training.steps=3", "--seconds", 1)
    assert invoke(inputs / "a.wav", "--morph", inputs / "b.wav", *options).exit_code == 0
    settings = json.loads((inputs / "out.json").read_text())["settings"]
    assert settings["training"]["steps"] == settings["morph"]["training"]["steps"] == 3
    assert settings["training"]["validation_loss"] != settings["morph"]["training"]["validation_loss"]


def test_several_runs(inputs: Path) -> None:
    options = ("-o", inputs / "out.wav", "--run", inputs / "one", "--run", inputs / "two", "--seconds", 1)
    assert invoke(inputs / "a.wav", *options, "--weight", 1, "--weight", 3).exit_code == 0
    runs = json.loads((inputs / "out.json").read_text())["settings"]["runs"]
    assert [(Path(run["run"]).name, run["weight"]) for run in runs] == [("one", 0.25), ("two", 0.75)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--level", 99), "--level: 99 is out of range"),
        (("--brightness", "nan"), "--brightness: nan is out of range"),
        (("--morph", "none.wav"), "none.wav: "),
        (("--morph", "silence.wav"), "silence.wav: its target of a morph is silent"),
        (("--morph", "b.wav", "--loop"), "--morph: .*cannot loop"),
        (("--weight", 2), "--weight: they apply to several Runs"),
        (("--run", "two", "--weight", 2), "--weight: 1 weights for 2 Runs"),
    ],
)
def test_impossible_requests_are_refused(
    inputs: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], message: str
) -> None:
    monkeypatch.chdir(inputs)
    with pytest.raises(InputError, match=message):
        invoke("a.wav", "-o", "out.wav", "--run", "one", *arguments)
    assert not (inputs / "out.wav").exists()
