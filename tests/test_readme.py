"""The README: its Python runs as printed, its commands parse, and its links lead to files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from audiogen.audio import Recording, read, write
from audiogen.cli import COMMANDS, cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # three seconds are little to train on
def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texture, capsys) -> None:
    snippets = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert snippets
    prompt: Recording = texture(3.0)
    write(tmp_path / "rain.wav", prompt, "PCM_24")
    monkeypatch.chdir(tmp_path)
    # Fewer steps and seconds, or the test takes a minute; all else as printed.
    quick = snippets[0].replace("training.steps=300", "training.steps=4").replace("seconds=30", "seconds=2")
    assert quick != snippets[0]
    exec(compile(quick, "README.md", "exec"), {})
    assert read(tmp_path / "from-python.wav").length == 5 * 44100
    assert capsys.readouterr().out.startswith("132300 ")
    assert (tmp_path / "runs" / "rain" / "model.safetensors").is_file()


def test_files_and_commands_exist() -> None:
    for path in re.findall(r"\]\(([\w./-]+)\)", README) + re.findall(r"configs/[\w/-]+\.yaml", README):
        assert (ROOT / path).is_file(), path
    named = set(re.findall(r"^    audiogen (\w+)", README, re.MULTILINE))
    assert named <= COMMANDS.keys()
    assert README.splitlines()[2].startswith("    make demo")


def commands() -> list[list[str]]:
    """The audiogen commands that the README shows, each as its arguments."""
    lines = re.findall(r"^    (audiogen \w.*)$", README, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_commands_parse() -> None:
    context = click.Context(cli)
    for words in commands():
        command = cli.get_command(context, words[1])
        assert command is not None
        command.make_context(words[1], words[2:])


def test_commands_can_run_in_order_in_one_folder() -> None:
    """No two write the same file or sidecar, and each input is given or written by an earlier command."""
    given = {"rain.wav", "crowd.flac", "interview.wav", "what-came-next.wav", "tune.mid", "melody.mid", "jobs.csv"}
    given |= {"recordings/", "library/", "tunes/"}
    written: set[str] = set()
    for words in commands():
        out = words[words.index("-o") + 1] if "-o" in words else None
        named = [word for word in words[2:] if re.search(r"\.(wav|flac|mid|csv)$|/$|^runs/", word) and word != out]
        assert set(named) <= given | written, words
        if out is not None:
            stem = re.sub(r"\.\w+$", "", out)
            assert stem not in written, f"{words} would collide"
            written |= {out, stem}
