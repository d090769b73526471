"""`audiogen continue --page`: written beside the files, refused before any work is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audiogen.audio import Recording, write
from audiogen.cli.continue_ import continue_
from audiogen.errors import InputError
from audiogen.run import Run


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(continue_, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture
def inputs(tmp_path: Path, texture: Callable[..., Recording], untrained: Callable[..., Run]) -> Path:
    """A prompt and a Run."""
    write(tmp_path / "a.wav", texture(2.5, rate=22050), "PCM_16")
    untrained(texture(3.0)).save(tmp_path / "run")
    return tmp_path


def test_a_page_of_two_variations(inputs: Path) -> None:
    arguments = (inputs / "a.wav", "-o", inputs / "out.wav", "--run", inputs / "run", "--seconds", 1, "--variations", 2)
    done = invoke(*arguments, "--page")
    assert done.exit_code == 0
    assert f"page: {inputs / 'out.html'}" in done.stdout.splitlines()
    assert (inputs / "out.html").read_text("utf-8").count("<audio") == 3
    for number in (1, 2):
        sidecar = json.loads((inputs / f"out-{number}.json").read_text())
        assert (sidecar["page"], sidecar["seed"]) == ("out.html", number - 1)
    for number in (1, 2):
        (inputs / f"out-{number}.wav").unlink()
        (inputs / f"out-{number}.json").unlink()
    (inputs / "out.html").write_text("dear")
    with pytest.raises(InputError, match=r"out\.html: it exists already; use --force"):
        invoke(*arguments, "--page")
    assert not (inputs / "out-1.wav").exists()  # refused before any work
    assert (inputs / "out.html").read_text() == "dear"
    assert invoke(*arguments).exit_code == 0  # without --page
    assert (inputs / "out.html").read_text() == "dear"
    assert "page" not in json.loads((inputs / "out-1.json").read_text())
    assert invoke(*arguments, "--page", "--force").exit_code == 0
    assert (inputs / "out.html").read_text("utf-8").count("<audio") == 3


def test_impossible_requests_are_refused(inputs: Path) -> None:
    (inputs / "folder.html").mkdir()
    for arguments, message in (
        (
            ("-o", inputs / "out.wav", "--variations", 41),
            "--page: 41 variations are too many for one page; .* at most 40",
        ),
        (("-o", inputs / "folder.wav"), r"folder\.html: it is a folder"),
        (("-o", inputs / "tiny.wav", "--config", inputs / "tiny.html"), r"tiny\.html: it is an input"),
    ):
        (inputs / "tiny.html").write_text("training: {steps: 3}")
        with pytest.raises(InputError, match=message):
            invoke(inputs / "a.wav", "--page", *arguments)
    assert not list(inputs.glob("*.json"))
