"""Fixtures shared by the tests of commands."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from audiogen.cli import main
from audiogen.experiment import Experiment, dump_yaml

Shell: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """``shell("continue", "a.wav", ...)`` runs a command in this process and returns (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["audiogen", *map(str, arguments)])
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with pytest.raises(SystemExit) as ended:
                main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def config(tmp_path: Path, tiny: Callable[..., Experiment]) -> Path:
    """A YAML file of a small and quick experiment."""
    path = tmp_path / "tiny.yaml"
    path.write_text(dump_yaml(tiny()))
    return path
