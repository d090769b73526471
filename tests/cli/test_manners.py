"""Wrong command lines: one line that names the file, the cause and the cure, and no file is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, write
from audiogen.signals import INTERRUPTIONS
from audiogen.tunes.midi.writer import write_midi
from tests.cli.conftest import Shell
from tests.tune_fixtures import wandering


@pytest.fixture
def refuse(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """``refuse("continue", "a.wav", ...)`` -> the error message of a command, in a folder of a few files."""
    for name in ("a.wav", "-dash.wav", "exists.wav", "exists.mid", "tune.abc"):
        (tmp_path / name).write_bytes(b"sound")
    write_midi(tmp_path / "tune.mid", wandering(1, 20, parts=2))
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        code, output, errors = shell(*arguments)
        assert (code, output) == (2, "")
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        (line,) = errors.splitlines()
        return line.removeprefix("audiogen: error: ")

    return run


OVERWRITING = [
    ("continue", "a.wav", "-o", "a.wav"),
    ("continue", "./a.wav", "-o", "folder/../a.wav"),
    ("continue", "tune.mid", "--morph", "a.wav", "-o", "a.wav"),
    ("infill", "tune.mid", "--bars", "1", "-o", "tune.mid"),
    ("accompany", "tune.mid", "--run", "run", "-o", "tune.mid"),
    ("vocode", "a.wav", "-o", "a.wav"),
    ("vocode", "tune.mid", "--source", "a.wav", "-o", "a.wav"),
]


@pytest.mark.parametrize("arguments", OVERWRITING, ids=" ".join)
def test_inputs_are_never_overwritten(refuse: Callable[..., str], arguments: tuple[str, ...]) -> None:
    for force in ((), ("--force",)):
        assert refuse(*arguments, *force).endswith("it is an input, and would be overwritten; name another file")


MISTAKES = [
    (("continue", "none.wav", "-o", "b.wav"), "none.wav: there is no such file; check the name"),
    (("continue", "tune.abc", "-o", "b.mid"), "tune.abc: only `train` and `compare` read ABC notation; convert it"),
    (("infill", "tune.abc", "-o", "b.mid", "--bars", "1"), "tune.abc: only `train` and `compare` read ABC"),
    (("continue", "folder", "-o", "b.wav"), "folder: it is a folder; name one file in it"),
    (("continue", "a.wav", "-o", "."), "a.wav: it is an input, and would be overwritten; name another file"),
    (("continue", "a.wav", "-o", "none/b.wav"), "none/b.wav: its folder does not exist; create none first"),
    (("infill", "tune.mid", "-o", "none/b.mid", "--bars", "1"), "none/b.mid: its folder does not exist"),
    (("infill", "tune.mid", "-o", "b.txt", "--bars", "1"), "b.txt: unknown suffix '.txt'; choose from .mid, .wav"),
    (("infill", "tune.mid", "-o", "b.mid", "--bars", "4-3"), "--bars: 4-3 ends before it begins; write"),
    (
        ("continue", "a.wav", "-o", "b.mid"),
        "b.mid: sound cannot become MIDI: `continue`, `infill` and `accompany` write",
    ),
    (
        ("continue", "tune.mid", "-o", "b.mid", "--run", "runs/none"),
        "runs/none: there is no such folder; name a folder",
    ),
    (("continue", "tune.mid", "-o", "b.mid", "--run", "a.wav"), "a.wav: it is a file, not the folder of a Run; name a"),
    (
        ("continue", "a.wav", "-o", "b.wav", "--budget", "0", "training.steps=5"),
        "--budget 0: it trains nothing, and training.steps=5 needs a training; leave one",
    ),
    (
        ("train", "mel/lstm-flow", "--data", "a.wav", "-o", "run", "training.stps=4"),
        "training.stps=4: there is no such",
    ),
    (
        (
            "train",
            "mel/lstm-flow",
            "--data",
            "a.wav",
            "-o",
            "run",
            "training.seed=1",
            "model.head={kind: flow, blcks: 2}",
        ),
        "model.head={kind: flow, blcks: 2}: model.head.blcks: there is no such key; did you mean blocks?",
    ),
    (("render", "none.csv", "-o", "clips"), "none.csv: there is no such file; check the name"),
    (("continue", "tune.mid", "-o", "b.txt"), "b.txt: unknown suffix '.txt'; choose from .mid, .wav"),
    (
        ("evaluate", "tune.mid", "--reference", "a.wav"),
        "tune.mid: it is a MIDI file: it contains notes, not audio; name",
    ),
    (("evaluate", "a.wav", "--reference", "a.wav", "-o", "a.wav"), "a.wav: it is a file; name a folder"),
    (("continue", "a.wav", "-o", "b.wav", "--budget", "nan"), "--budget: a duration is "),
    (("continue", "a.wav", "-o", "b.wav", "--budget", "inf"), "--budget: a duration is "),
    (("continue", "a.wav", "-o", "b.wav", "--budget", "-1:00"), "--budget: a duration is "),
    (
        ("continue", "a.wav", "-o", "b.wav", "--seconds", "4:75"),
        "--seconds: a duration is written as 30, 30.5, 4:00 or 1:02:03.5, not '4:75'",
    ),
    (
        ("compare", "a.yaml", "--data", ".", "-o", "c", "--seconds", "0:00"),
        "--seconds: 0:00 is out of range; choose at least 0.5",
    ),
    (("continue", "a.wav", "-o", "b.wav", "--seconds", "-3"), "--seconds: -3 is out of range; choose above 0"),
    (("continue", "a.wav", "-o", "b.wav", "--seed", "1.5"), "--seed: 1.5 is not a whole number; choose from 0 to 922"),
    (("continue", "a.wav", "-o", "b.wav", "--level", "x"), "--level: x is not a number; write a number"),
    (("continue", "a.wav", "-o", "b.wav", "--device", "tpu"), "--device: there is no tpu; choose from auto, cpu, cuda"),
    (("continue", "a.wav", "-o", "b.wav", "--variations"), "--variations: its value is missing"),
    (("continue", "a.wav", "-o", "b.wav", "--loop=3"), "--loop: it takes no value"),
    (
        ("continue", "a.wav", "-o", "b.wav", "--densty"),
        "--densty: there is no such option; did you mean --density? see",
    ),
    # Bad values come first: a user who adds --force would only meet the next error.
    (("continue", "a.wav", "-o", "exists.wav", "--temperature", "99"), "--temperature: 99 is out of range; choose"),
    (("continue", "a.wav", "-o", "exists.wav", "--vocoder", "foo"), "vocoder foo: there is none of that name"),
    (("continue", "a.wav", "-o", "exists.wav", "training.steps=-4"), "training.steps=-4: it cannot be -4;"),
    (("continue", "a.wav", "-o", "exists.wav"), "exists.wav: it exists already; use --force"),
    (("vocode", "a.wav", "-o", "exists.wav", "--vocoder", "foo"), "vocoder foo: there is none of that name"),
    (("infill", "tune.mid", "-o", "exists.mid", "--bars", "1", "--top-k", "-1"), "--top-k: -1 is out of range"),
    (
        ("continue", "tune.mid", "-o", "b.mid", "--bars", "4", "--seconds", "30"),
        "--bars: --seconds sets the length too; leave out one of the two",
    ),
    (
        ("train", "mel/gan", "--data", "a.wav", "-o", "run", "--resume", "--force"),
        "audiogen train: --resume continues and --force starts over: choose one; see `audiogen train --help`",
    ),
    (("prepare", "a.wav", "-o", "cache"), "a.wav: it is a file; name its folder; `audiogen train --data` takes one"),
    (("prepare", "none", "-o", "cache"), "none: there is no such folder; name a folder of recordings"),
    (("prepare", "folder", "-o", "a.wav", "--force"), "a.wav: it is a file; name a folder for the cache"),
    (("continue", "a.wav"), "--output: it is missing; see `audiogen continue --help`"),
    (("continue", "-dash.wav", "-o", "b.wav"), "-d: there is no such option; write ./-dash.wav for the file"),
    (("contine", "a.wav"), "contine: there is no such command; did you mean continue? choose from demo, "),
    (("--frobnicate",), "--frobnicate: there is no such option; see `audiogen --help`"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes(refuse: Callable[..., str], arguments: tuple[str, ...], message: str) -> None:
    assert refuse(*arguments).startswith(message)


def test_a_missing_device(refuse: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    message = refuse("continue", "a.wav", "-o", "b.wav", "--budget", "0", "--device", "cuda")
    assert message == "device cuda: no CUDA device was found; use --device cpu or auto"


@pytest.mark.parametrize("number", INTERRUPTIONS, ids=lambda number: number.name)
def test_no_partial_files_are_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 44100)).astype(np.float32)
    write(tmp_path / "noise.wav", Recording(noise, 44100), "PCM_16")
    before = {path.name for path in tmp_path.iterdir()}
    arguments = [str(tmp_path / "noise.wav"), "-o", str(tmp_path / "out.wav"), "--budget", "0", "--seconds", "80000"]
    command = [sys.executable, "-m", "audiogen", "continue", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        deadline = time.monotonic() + 60
        while sum(path.stat().st_size for path in tmp_path.glob(".*.part")) < 10**6 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors.decode().strip()) == (
        130,
        "audiogen: interrupted: no partial files were left behind",
    )
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
@pytest.mark.parametrize("arguments", [("--help",), ("configs",), ("configs", "--json")])
def test_a_full_disk_behind_stdout_is_one_line(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "audiogen", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.partition(";")[0]) == (1, "audiogen: failed: the output: No space left on device")


@pytest.mark.posix
def test_a_full_disk_is_one_line_that_names_the_file(shell: Shell, tmp_path: Path) -> None:
    import resource

    tune, out = tmp_path / "tune.mid", tmp_path / "out.mid"
    write_midi(tune, wandering(1, 20, parts=2))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        code, _, errors = shell("continue", str(tune), "-o", str(out), "--bars", "2", "-q")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    expected = f"audiogen: failed: {out}: File too large; make room, or choose another location"
    assert (code, errors.strip()) == (1, expected)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("number", INTERRUPTIONS, ids=lambda number: number.name)
def test_an_interruption_while_modules_are_imported_is_one_line(number: signal.Signals) -> None:
    script = """
import signal, sys
from audiogen.__main__ import main
class Interruption:
    def find_spec(self, name, path=None, target=None):
        if name == "audiogen.cli.command":
            signal.raise_signal(%d)
sys.meta_path.insert(0, Interruption())
sys.argv = ["audiogen", "configs"]
main()
"""
    done = subprocess.run([sys.executable, "-c", script % number], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "audiogen: interrupted\n")
