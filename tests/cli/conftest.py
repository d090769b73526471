"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audiogen.experiment import Experiment, dump_yaml


@pytest.fixture
def config(tmp_path: Path, tiny: Callable[..., Experiment]) -> Path:
    """A YAML file of a small and quick experiment."""
    path = tmp_path / "tiny.yaml"
    path.write_text(dump_yaml(tiny()))
    return path
