"""What the README shows in Python works as printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from audiogen.audio import Recording, read, write

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_snippet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texture, capsys) -> None:
    snippets = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert snippets
    prompt: Recording = texture(3.0)
    write(tmp_path / "rain.wav", prompt, "PCM_24")
    monkeypatch.chdir(tmp_path)
    # Fewer steps and seconds, or the test would take a minute; all else as printed.
    quick = snippets[0].replace("training.steps=300", "training.steps=4").replace("seconds=30", "seconds=2")
    assert quick != snippets[0]
    exec(compile(quick, "README.md", "exec"), {})
    assert read(tmp_path / "longer.wav").length == 5 * 44100
    assert "difference_db" in capsys.readouterr().out
    assert (tmp_path / "runs" / "rain" / "model.safetensors").is_file()


def test_files_and_commands_it_names_exist() -> None:
    for path in re.findall(r"\]\(([\w./-]+)\)", README) + re.findall(r"configs/[\w/-]+\.yaml", README):
        assert (ROOT / path).is_file(), path
    from audiogen.cli import COMMANDS

    named = set(re.findall(r"^    audiogen (\w+)", README, re.MULTILINE))
    assert named <= COMMANDS.keys()
    assert README.splitlines()[2].startswith("    make demo")
