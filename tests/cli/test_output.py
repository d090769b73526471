"""--quiet, --verbose and --json of every command, help, shell completion, errors and warnings."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from audiogen.audio import AudioWarning, Recording, write
from audiogen.cli import COMMANDS, cli
from audiogen.cli.command import Command
from audiogen.config.shipped import shipped_configs
from audiogen.jobs.tune_results import MARKOV_ORDER
from audiogen.tunes.midi.writer import write_midi
from tests.cli.conftest import Shell
from tests.tune_fixtures import wandering

Texture = Callable[..., Recording]


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
    code, output, errors = shell()
    assert (code, errors) == (0, "")
    assert all(f"\n  {name} " in output for name in COMMANDS)
    assert "_AUDIOGEN_COMPLETE=bash_source" in output


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_has_groups_and_examples_that_parse(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)  # type: ignore[attr-defined]
    context = click.Context(command, info_name=f"audiogen {name}", **command.context_settings)
    text = command.get_help(context)
    assert "Output options:" in text or name in ("info", "configs", "studio")
    assert "\nExamples:\n" in text
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help or parameter.hidden, parameter.name
    for example in command.examples:
        in_pipe = [part.strip() for part in example.split(" | ")]
        (own,) = [part for part in in_pipe if part.startswith("audiogen ")]
        _, other, *arguments = shlex.split(re.split(" [<>] ", own)[0])
        cli.get_command(click.Context(cli), other).make_context(other, arguments)  # type: ignore[attr-defined]


def test_the_former_name_of_match_texture(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    for index, option in enumerate(("--no-match-texture", "--no-impose")):
        out = tmp_path / f"{index}.wav"
        assert shell("continue", prompt, "-o", out, "--budget", 0, "--seconds", 0.5, option)[0] == 0
    first, second = ((tmp_path / f"{index}.wav").read_bytes() for index in (0, 1))
    assert first == second
    assert json.loads((tmp_path / "1.json").read_text())["settings"]["match_texture"] is False


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("demo", "configs", "studio")])
def test_missing_arguments_are_one_line_that_points_to_help(name: str, shell: Shell) -> None:
    code, output, errors = shell(name)
    (line,) = errors.splitlines()
    assert (code, output) == (2, "")
    assert re.fullmatch(rf"audiogen: error: [^ ]+: it is missing; see `audiogen {name} --help`", line)


def test_quiet_and_verbose_contradict(shell: Shell) -> None:
    code, _, errors = shell("configs", "-q", "-v")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "choose one" in errors


ERRORS = [
    (("continue", "none.wav", "-o", "b.wav"), "none.wav", "there is no such file", "check the name"),
    (("configs", "mel/lstm-flw"), "mel/lstm-flw", "there is no such file, and no shipped configuration of that", "did"),
    (("info",), "FILE|RUN...", "it is missing", "see `audiogen info --help`"),
    (("contine",), "contine", "there is no such command", "did you mean continue?"),
]


@pytest.mark.parametrize(("arguments", "subject", "cause", "cure"), ERRORS)
def test_an_error_is_a_json_object(
    arguments: tuple[str, ...], subject: str, cause: str, cure: str, shell: Shell
) -> None:
    code, output, errors = shell(*arguments, "--json")
    assert (code, len(errors.splitlines())) == (2, 1)
    result = json.loads(output)["error"]
    assert result["subject"] == subject
    assert result["cause"].startswith(cause)
    assert result["cure"].startswith(cure)
    assert shell(*arguments)[1] == ""  # without --json, nothing on stdout


def test_a_failure_is_a_json_object_and_a_traceback_if_verbose(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dict[str, Path]:
        raise RuntimeError("the disk melted")

    monkeypatch.setattr("audiogen.cli.configs.shipped_configs", fail)
    code, output, errors = shell("configs", "--json")
    assert (code, len(errors.splitlines())) == (1, 1)
    assert json.loads(output) == {
        "error": {"subject": "RuntimeError", "cause": "the disk melted", "cure": "--verbose prints the traceback"}
    }
    code, output, errors = shell("configs", "-v")
    assert (code, output) == (1, "")
    assert "Traceback" in errors
    assert errors.splitlines()[-1].startswith("audiogen: failed: RuntimeError: the disk melted")


def test_an_interruption_that_a_library_turns_into_another_error(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    import signal

    def fail() -> dict[str, Path]:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("half loaded") from None
        return {}

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("audiogen.cli.configs.shipped_configs", fail)
    code, output, errors = shell("configs", "--json")
    assert (code, errors.splitlines()) == (130, ["audiogen: interrupted: no partial files were left behind"])
    assert json.loads(output)["error"]["subject"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


def test_variations_are_a_list_in_one_object(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    options = ("continue", prompt, "-o", out, "--budget", 0, "--seconds", 0.5, "--variations", 2)
    code, output, errors = shell(*options, "--json")
    assert (code, errors) == (0, "")
    result = json.loads(output)
    assert [each["output"] for each in result["outputs"]] == [str(tmp_path / f"out-{number}.wav") for number in (1, 2)]
    assert [each["seed"] for each in result["outputs"]] == [0, 1]
    assert result["page"] is None
    for each in result["outputs"]:
        assert (
            each["predicted_by"]["text"] == "the contexts of the recording itself, at once (--adapt trains on it first)"
        )
        assert each["join_sample"] == 2 * 44100
        assert Path(each["sidecar"]).is_file()
    code, output, errors = shell(*options, "--force")
    assert output.splitlines()[-2].startswith("predicted by: the contexts of the recording")
    assert output.splitlines()[-1].startswith("took: ")
    assert shell(*options, "--force", "--quiet") == (0, "", "")
    code, output, errors = shell(*options, "--force", "--verbose")
    assert "\r" not in errors
    assert any("reading prompt.wav: " in line for line in errors.splitlines())


def test_the_summary_of_a_tune_names_the_predictor(shell: Shell, tmp_path: Path) -> None:
    write_midi(tmp_path / "tune.mid", wandering(1, 40))
    options = ("continue", tmp_path / "tune.mid", "-o", tmp_path / "out.mid", "--bars", 1, "--takes", 1)
    code, output, errors = shell(*options)
    assert code == 0
    sentence = f"a Markov chain of order {MARKOV_ORDER}, fitted to this tune"
    summary, predicted, hint = output.splitlines()
    assert summary.endswith("s added; details in out.json")
    assert predicted == f"predicted by: {sentence}"
    assert "audiogen train midi/lstm --data FOLDER -o RUN" in hint
    assert not errors
    assert json.loads((tmp_path / "out.json").read_text())["warnings"] == []
    code, output, _ = shell(*options, "--force", "--json")
    (only,) = json.loads(output)["outputs"]
    assert only["predicted_by"]["text"] == sentence
    assert only["output"] == str(tmp_path / "out.mid")


def test_a_family_of_configurations_is_listed(shell: Shell) -> None:
    _, listed, _ = shell("configs", "midi")
    names = [line.split()[0] for line in listed.splitlines()]
    assert "midi/lstm" in names
    assert all(name.startswith("midi/") for name in names)
    assert shell("configs", "midi/")[1] == listed


def test_a_warning_is_printed_once(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn() -> dict[str, Path]:
        for text in ("clipped", "clipped", "short", "clipped"):
            warnings.warn(text, AudioWarning, stacklevel=1)
        return shipped

    shipped = shipped_configs()
    monkeypatch.setattr("audiogen.cli.configs.shipped_configs", warn)
    for _ in range(2):  # once per command, not once per process
        _, _, errors = shell("configs", "--json")
        assert errors.splitlines() == ["audiogen: warning: clipped", "audiogen: warning: short"]


def test_nan_and_infinity_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    from audiogen.cli.command import print_json

    print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": "x"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("audiogen con", {"plain,continue", "plain,configs"}),
        ("audiogen train mel/lstm-f", {"plain,mel/lstm-flow"}),
        ("audiogen train mel/gan --res", {"plain,--resume"}),
        ("audiogen continue a.wav --vocoder gr", {"plain,griffin_lim"}),
        ("audiogen continue a.wav --subtype fl", {"plain,FLOAT"}),
        ("audiogen continue a.wav --device cu", {"plain,cuda"}),
        ("audiogen continue a.wav --run r", {"dir,r"}),
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


MISSING = [
    (("render", "jobs.csv", "-o", "clips", "--engine", "ray"), "--engine ray: ray is not installed; `?pip install"),
    (
        ("continue", "prompt.wav", "-o", "b.wav", "--vocoder", "bigvgan"),
        "vocoder bigvgan: it needs trained weights; give their folder",
    ),
    (
        ("continue", "prompt.wav", "-o", "b.wav", "vocoder={kind: bigvgan, weights: hub}"),
        "hub:nvidia/.*: huggingface_hub is not installed; pip install",
    ),
]


@pytest.mark.parametrize(("arguments", "result"), MISSING)
def test_missing_extras_are_reported_before_any_work(
    arguments: tuple[str, ...],
    result: str,
    shell: Shell,
    prompt: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from audiogen import extras
    from audiogen.jobs import continuer_choice
    from audiogen.jobs.batch import render as batch

    def work(*ignored: object, **ignored_too: object) -> None:
        raise AssertionError("work has begun")

    monkeypatch.chdir(prompt.parent)
    (tmp_path / "jobs.csv").write_text("prompt\nprompt.wav\n")
    monkeypatch.setattr(continuer_choice, "choose_run", work)
    monkeypatch.setattr(batch, "read_rows", work)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    before = set(tmp_path.iterdir())
    code, output, errors = shell(*arguments)
    assert (code, output) == (2, "")
    (line,) = errors.splitlines()
    assert re.match(f"audiogen: error: {result}", line), line
    assert set(tmp_path.iterdir()) == before
