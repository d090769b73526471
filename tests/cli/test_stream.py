"""`audiogen stream`: stdout, stdin, replays and errors."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, read, write
from audiogen.cli import main
from audiogen.run import Run
from tests.cli.conftest import Shell

Texture = Callable[..., Recording]
SAMPLES = 22050  # half a second


@pytest.fixture
def folder(tmp_path: Path, texture: Texture, untrained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rain.wav", texture(1.0, channels=2), "PCM_16")
    untrained(texture(1.0)).save(tmp_path / "run")
    return tmp_path


class Lines(io.StringIO):
    """A stdin that gives its lines once something was written to stdout."""

    def __init__(self, text: str, stdout: io.BytesIO, after: int) -> None:
        super().__init__(text)
        self.stdout, self.after = stdout, after

    def __next__(self) -> str:
        while self.stdout.tell() < self.after:
            time.sleep(0.01)
        return super().__next__()


class Pipe(io.BytesIO):
    """A stdout whose reader closes it after some bytes."""

    closes_after = 1 << 40

    def write(self, content: bytes) -> int:  # type: ignore[override]
        if self.tell() > self.closes_after:
            raise BrokenPipeError
        return super().write(content)

    def fileno(self) -> int:
        raise io.UnsupportedOperation


def streamed(
    monkeypatch: pytest.MonkeyPatch,
    *arguments: object,
    lines: str = "",
    after: int = 0,
    closes_after: int = 1 << 40,
    recording: Path | None = None,
) -> tuple[int, bytes]:
    """Exit code and stdout of `audiogen stream`, which is sent ``lines`` once it has written ``after`` bytes.

    With a ``recording``, the bytes of that are on stdin.
    """
    pipe = Pipe()
    pipe.closes_after = closes_after
    stdout = io.TextIOWrapper(pipe, write_through=True)
    with monkeypatch.context() as patch:
        given = Lines(lines, pipe, after)
        if recording is not None:
            given.buffer = io.BytesIO(recording.read_bytes())  # type: ignore[attr-defined]
        patch.setattr(sys, "stdin", given)
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "argv", ["audiogen", "stream", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    content = pipe.getvalue()
    stdout.detach()
    return int(ended.value.code or 0), content


def test_stdout_is_the_tail_of_continue(shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--seed", 3, "--level", "-2", "--run", "run", "--seconds", "0.5")
    assert shell("continue", "rain.wav", "-o", "tail.wav", "--tail-only", "--subtype", "FLOAT", *options)[0] == 0
    code, content = streamed(monkeypatch, "rain.wav", "--format", "f32", *options)
    assert code == 0
    samples = np.frombuffer(content, "<f4").reshape(-1, 2).T
    np.testing.assert_array_equal(samples, read(folder / "tail.wav").samples)


def test_a_recording_comes_through_stdin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--format", "f32", "--run", "run", "--seconds", "0.2")
    named = streamed(monkeypatch, "rain.wav", *options)
    assert streamed(monkeypatch, "-", *options, recording=folder / "rain.wav") == named
    assert named[0] == 0


def test_handles_move_by_lines_and_a_kept_part_is_replayed(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = '{"level": -6, "pitch": 2}\n{"keep": 0.4, "to": "take.wav"}\n{"stop": true}\n'
    part = ("--from", "0.1", "--to", "0.9")
    code, content = streamed(monkeypatch, "rain.wav", "--run", "run", *part, lines=lines, after=4 * 30_000)
    errors = capsys.readouterr().err
    assert code == 0
    assert content[:4] == b"RIFF"
    assert "pitch: there is no such handle" in errors
    assert "kept: take.wav, and take.json" in errors
    assert read(folder / "take.wav").length == round(0.4 * 44100)
    assert json.loads((folder / "take.json").read_text())["stream"]["settings"]["level"] == 0
    assert json.loads((folder / "take.json").read_text())["stream"]["prompt_part"] == [0.1, 0.9]
    assert shell("stream", "rain.wav", "--replay", "take.json", "-o", "again.wav")[0] == 0
    assert (folder / "again.wav").read_bytes() == (folder / "take.wav").read_bytes()


def test_a_reader_that_has_had_enough_ends_it_quietly(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, content = streamed(monkeypatch, "rain.wav", "--run", "run", "--format", "s16", closes_after=50_000)
    assert code == 0
    assert len(content) > 50_000
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.wav",), "none.wav: there is no such file"),
        (("rain.wav", "-o", "take.wav"), "leave it out, and redirect stdout (> OUT.wav) or pipe it"),
        (("rain.wav", "--replay", "rain.wav", "-o", "out.wav"), "not the sidecar"),
        (("rain.wav", "--temperature", "40"), "choose from 0 to 10"),
        (("rain.wav", "--play"), "sounddevice is not installed"),
    ],
)
def test_errors_are_one_line(
    shell: Shell, folder: Path, arguments: tuple, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiogen import extras

    monkeypatch.setattr(extras, "is_installed", lambda extra: False)
    code, _, errors = shell("stream", *arguments)
    assert code == 2
    assert message in errors
    assert len(errors.splitlines()) == 1
