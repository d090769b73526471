"""`audiogen continue` on several prompts, and through pipes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, read, write
from audiogen.cli import main
from audiogen.run import Run
from tests.cli.conftest import Shell

Texture = Callable[..., Recording]


@pytest.fixture
def run(tmp_path: Path, texture: Texture, untrained: Callable[..., Run]) -> Path:
    untrained(texture(1.0)).save(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def folder(tmp_path: Path, texture: Texture, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("one.wav", "two.wav", "two.flac")):
        write(tmp_path / name, texture(1.0, seed), "PCM_16")
    return tmp_path


def test_one_prompt_that_fails_does_not_lose_the_others(shell: Shell, folder: Path, run: Path) -> None:
    (folder / "bad.wav").write_text("no audio")
    code, output, errors = shell("continue", "*.wav", "two.flac", "-o", "made", "--seconds", "0.2", "--run", run)
    assert code == 1
    assert errors.count("audiogen: error:") == 1
    assert "bad.wav" in errors
    names = ("one.wav", "two-wav.wav", "two-flac.wav")
    assert {path.name for path in (folder / "made").glob("*.wav")} == set(names)
    for name in names:
        assert read(folder / "made" / name).length == 44100 + 8820
        assert name in output
    code, output, _ = shell("continue", "bad.wav", "-o", "made", "--seconds", "0.2", "--json")
    assert code == 2
    assert "bad.wav" in json.loads(output)["failed"][0]["prompt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one.wav", "two.wav", "-o", "out.wav"), "2 prompts need a folder"),
        (("one.wav", "two.wav", "-o", "-"), "-o -: stdout holds one recording, not 2"),
        (("n*.wav", "-o", "made"), "no file matches it"),
        (("one.wav", "-", "-o", "made"), "leave out the others"),
        (("one.wav", "-o", "-", "--variations", "2"), "stdout holds one recording"),
        (("one.wav", "-o", "-", "--set"), "--set: stdout holds one recording"),
        (("one.wav", "-o", "-", "--page"), "--page: stdout holds one recording"),
        (("one.wav", "-o", "-", "--json"), "stdout holds the recording"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(shell: Shell, folder: Path, arguments: tuple, message: str) -> None:
    code, _, errors = shell("continue", *arguments)
    assert code == 2
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert not (folder / "made").exists()
    assert not (folder / "-").exists()


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes, *arguments: object) -> tuple[int, bytes]:
    """Exit code and stdout of a command whose stdin is ``content``."""
    stdin, stdout = (io.TextIOWrapper(io.BytesIO(part)) for part in (content, b""))
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "argv", ["audiogen", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    stdout.flush()
    return int(ended.value.code or 0), stdout.buffer.getvalue()  # type: ignore[attr-defined]


def test_a_recording_goes_through_pipes(
    shell: Shell, folder: Path, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--seconds", "0.2", "--run", run, "--seed", 5)
    assert shell("continue", "one.wav", "-o", "usual.wav", *options)[0] == 0
    content = (folder / "one.wav").read_bytes()
    with monkeypatch.context() as patch:
        code, out = piped(patch, content, "continue", "-", "-o", "-", *options)
    assert (code, capsys.readouterr().err) == (0, "")
    (folder / "piped.wav").write_bytes(out)
    np.testing.assert_array_equal(read(folder / "piped.wav").samples, read(folder / "usual.wav").samples)
    with monkeypatch.context() as patch:
        assert piped(patch, content, "continue", "-", "-o", "named.wav", *options)[0] == 0
    assert json.loads((folder / "named.json").read_text())["prompt"] == "-"
    for content, message in ((b"", "stdin: it is empty"), (b"nothing to hear", "stdin: it is not audio")):
        with monkeypatch.context() as patch:
            code, out = piped(patch, content, "continue", "-", "-o", "-", *options)
        assert (code, out) == (2, b"")
        assert message in capsys.readouterr().err
