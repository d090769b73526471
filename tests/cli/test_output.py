"""--quiet, --verbose and --json of every command, help, completion, and what is said of errors and warnings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from audiogen.audio import AudioWarning, Recording, write
from audiogen.cli import COMMANDS, cli, main
from audiogen.cli.command import Command
from audiogen.jobs.continue_tune import ORDER
from audiogen.tunes.midi.writer import write_midi
from tests.tune_fixtures import wandering

Texture = Callable[..., Recording]
Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """``shell("continue", "a.wav", ...)`` -> exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["audiogen", *map(str, arguments)])
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def prompt(tmp_path: Path, texture: Texture) -> Path:
    path = tmp_path / "prompt.wav"
    write(path, texture(2.0), "PCM_16")
    return path


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_the_shared_options(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)  # type: ignore[attr-defined]
    assert isinstance(command, Command)
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--quiet", "-q", "--verbose", "-v", "--json"} <= options


def test_a_bare_command_shows_help(shell: Shell) -> None:
    code, said, errors = shell()
    assert (code, errors) == (0, "")
    assert all(f"\n  {name} " in said for name in COMMANDS)
    assert "_AUDIOGEN_COMPLETE=bash_source" in said


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("demo", "configs")])
def test_missing_arguments_are_one_line_that_says_where_help_is(name: str, shell: Shell) -> None:
    code, said, errors = shell(name)
    (line,) = errors.splitlines()
    assert (code, said) == (2, "")
    assert line.startswith("audiogen: error: Missing ")
    assert line.endswith(f"; `audiogen {name} --help` lists what there is")


def test_quiet_and_verbose_contradict(shell: Shell) -> None:
    code, _, errors = shell("configs", "-q", "-v")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "choose one" in errors


ERRORS = [
    (("continue", "none.wav", "-o", "b.wav"), "none.wav", "there is no such file", "check the name"),
    (("configs", "mel/lstm-flw"), "mel/lstm-flw", "there is no such file, and no shipped configuration of that", "did"),
    (("info",), "audiogen info", "Missing argument 'FILE|RUN'", "`audiogen info --help` lists what there is"),
    (("contine",), "contine", "there is no such command", "did you mean continue?"),
]


@pytest.mark.parametrize(("arguments", "subject", "cause", "cure"), ERRORS)
def test_an_error_is_an_object_too(
    arguments: tuple[str, ...], subject: str, cause: str, cure: str, shell: Shell
) -> None:
    code, said, errors = shell(*arguments, "--json")
    assert (code, len(errors.splitlines())) == (2, 1)
    told = json.loads(said)["error"]
    assert told["subject"] == subject
    assert told["cause"].startswith(cause)
    assert told["cure"].startswith(cure)
    assert shell(*arguments)[1] == ""  # without --json, nothing on stdout


def test_a_failure_is_an_object_and_verbose_shows_where(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dict[str, Path]:
        raise RuntimeError("the disk melted")

    monkeypatch.setattr("audiogen.cli.configs.shipped_configs", fail)
    code, said, errors = shell("configs", "--json")
    assert (code, len(errors.splitlines())) == (1, 1)
    assert json.loads(said) == {
        "error": {"subject": "RuntimeError", "cause": "the disk melted", "cure": "--verbose shows where"}
    }
    code, said, errors = shell("configs", "-v")
    assert (code, said) == (1, "")
    assert "Traceback" in errors
    assert errors.splitlines()[-1].startswith("audiogen: failed: RuntimeError: the disk melted")


def test_an_interruption_that_a_library_turns_into_an_error_is_one(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    def fail() -> dict[str, Path]:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("half loaded") from None
        return {}

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("audiogen.cli.configs.shipped_configs", fail)
    code, said, errors = shell("configs", "--json")
    assert (code, errors.splitlines()) == (130, ["audiogen: interrupted: nothing half-written was left behind"])
    assert json.loads(said)["error"]["subject"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


def test_variations_are_a_list_in_one_object(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    asked = ("continue", prompt, "-o", out, "--budget", 0, "--seconds", 0.5, "--variations", 2)
    code, said, errors = shell(*asked, "--json")
    assert (code, errors) == (0, "")
    told = json.loads(said)
    assert [each["output"] for each in told["outputs"]] == [str(tmp_path / f"out-{number}.wav") for number in (1, 2)]
    assert [each["seed"] for each in told["outputs"]] == [0, 1]
    assert told["page"] is None
    for each in told["outputs"]:
        assert each["predicted_by"]["text"] == "the shipped base"
        assert each["join_sample"] == 2 * 44100
        assert Path(each["sidecar"]).is_file()
    code, said, errors = shell(*asked, "--force")
    assert said.splitlines()[-1] == "predicted by: the shipped base"
    assert shell(*asked, "--force", "--quiet") == (0, "", "")
    code, said, errors = shell(*asked, "--force", "--verbose")
    assert "\r" not in errors
    assert any("reading prompt.wav: " in line for line in errors.splitlines())


def test_a_tune_says_what_predicted(shell: Shell, tmp_path: Path) -> None:
    write_midi(tmp_path / "tune.mid", wandering(1, 40))
    asked = ("continue", tmp_path / "tune.mid", "-o", tmp_path / "out.mid", "--bars", 1, "--takes", 1)
    code, said, _ = shell(*asked)
    assert code == 0
    sentence = f"a Markov chain of order {ORDER}, counted on this tune's own notes"
    assert said.splitlines()[-1] == f"predicted by: {sentence}"
    code, said, _ = shell(*asked, "--force", "--json")
    (only,) = json.loads(said)["outputs"]
    assert only["predicted_by"]["text"] == sentence
    assert only["output"] == str(tmp_path / "out.mid")


def test_a_warning_is_given_once(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn() -> dict[str, Path]:
        for text in ("clipped", "clipped", "short", "clipped"):
            warnings.warn(text, AudioWarning, stacklevel=1)
        return {}

    monkeypatch.setattr("audiogen.cli.configs.shipped_configs", warn)
    monkeypatch.setattr("audiogen.cli.configs.max", lambda found, default=0: 0, raising=False)
    for _ in range(2):  # once a command, not once a process
        _, _, errors = shell("configs", "--json")
        assert errors.splitlines() == ["audiogen: warning: clipped", "audiogen: warning: short"]


def test_numbers_that_json_does_not_know_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    from audiogen.cli.command import print_json

    print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": "x"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("audiogen con", {"plain,continue", "plain,configs"}),
        ("audiogen train mel/lstm-f", {"plain,mel/lstm-flow"}),
        ("audiogen train mel/gan --res", {"plain,--resume"}),
        ("audiogen nonsense ", set()),
    ],
)
def test_bash_completes(words: str, expected: set[str], tmp_path: Path) -> None:
    variables = {
        "_AUDIOGEN_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, "-m", "audiogen"], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert expected <= set(done.stdout.split("\n"))


def test_help_of_every_command_loads_no_heavy_library() -> None:
    script = (
        "import sys\nfrom audiogen.cli import COMMANDS, main\nfor name in COMMANDS:\n"
        "    sys.argv = ['audiogen', name, '--help']\n    try:\n        main()\n    except SystemExit as ended:\n"
        "        assert not ended.code\n"
        "print([name for name in ('torch', 'numpy', 'tqdm', 'yaml', 'pydantic', 'difflib',"
        " 'importlib.metadata') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


LACKING = [
    (("render", "jobs.csv", "-o", "clips", "--engine", "ray"), "--engine ray: ray is not installed; `?pip install"),
    (
        ("continue", "prompt.wav", "-o", "b.wav", "--vocoder", "bigvgan"),
        "vocoder bigvgan: it needs trained weights; name",
    ),
    (
        ("continue", "prompt.wav", "-o", "b.wav", "vocoder={kind: bigvgan, weights: hub}"),
        "hub:nvidia/.*: huggingface_hub is not installed; pip install",
    ),
]


@pytest.mark.parametrize(("arguments", "told"), LACKING)
def test_what_is_missing_is_said_before_any_work(
    arguments: tuple[str, ...],
    told: str,
    shell: Shell,
    prompt: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from audiogen import extras
    from audiogen.jobs import continue_sound as continuing
    from audiogen.jobs.batch.render import render as batch

    def work(*ignored: object, **ignored_too: object) -> None:
        raise AssertionError("work has begun")

    monkeypatch.chdir(prompt.parent)
    monkeypatch.setattr(continuing, "predictor_of", work)
    monkeypatch.setattr(batch, "read_rows", work)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    before = set(tmp_path.iterdir())
    code, said, errors = shell(*arguments)
    assert (code, said) == (2, "")
    (line,) = errors.splitlines()
    assert re.match(f"audiogen: error: {told}", line), line
    assert set(tmp_path.iterdir()) == before
