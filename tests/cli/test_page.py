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
def place(tmp_path: Path, texture: Callable[..., Recording], untrained: Callable[..., Run]) -> Path:
    """A prompt and a Run."""
    write(tmp_path / "a.wav", texture(2.5, rate=22050), "PCM_16")
    untrained(texture(3.0)).save(tmp_path / "run")
    return tmp_path


def test_a_page_of_two_variations(place: Path) -> None:
    asked = (place / "a.wav", "-o", place / "out.wav", "--run", place / "run", "--seconds", 1, "--variations", 2)
    done = invoke(*asked, "--page")
    assert done.exit_code == 0
    assert f"page: {place / 'out.html'}" in done.stdout.splitlines()
    assert (place / "out.html").read_text("utf-8").count("<audio") == 3
    for number in (1, 2):
        sidecar = json.loads((place / f"out-{number}.json").read_text())
        assert (sidecar["page"], sidecar["seed"]) == ("out.html", number - 1)
    for number in (1, 2):
        (place / f"out-{number}.wav").unlink()
        (place / f"out-{number}.json").unlink()
    (place / "out.html").write_text("dear")
    with pytest.raises(InputError, match=r"out\.html: it exists already; use --force"):
        invoke(*asked, "--page")
    assert not (place / "out-1.wav").exists()  # said before any work
    assert (place / "out.html").read_text() == "dear"
    assert invoke(*asked).exit_code == 0  # nobody asked for a page
    assert (place / "out.html").read_text() == "dear"
    assert "page" not in json.loads((place / "out-1.json").read_text())
    assert invoke(*asked, "--page", "--force").exit_code == 0
    assert (place / "out.html").read_text("utf-8").count("<audio") == 3


def test_impossible_requests_are_refused(place: Path) -> None:
    (place / "folder.html").mkdir()
    for arguments, message in (
        (
            ("-o", place / "out.wav", "--variations", 41),
            "--page: 41 variations are too many for one page; .* at most 40",
        ),
        (("-o", place / "folder.wav"), r"folder\.html: it is a folder"),
        (("-o", place / "tiny.wav", "--config", place / "tiny.html"), r"tiny\.html: it is an input"),
    ):
        (place / "tiny.html").write_text("training: {steps: 3}")
        with pytest.raises(InputError, match=message):
            invoke(place / "a.wav", "--page", *arguments)
    assert not list(place.glob("*.json"))
