"""The example package: installed beside audiogen, its backbone trains and its metric is evaluated by name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import audiogen
from audiogen import Recording
from audiogen.testing import check_backbone, check_metric
from tests.conftest import TINY

PACKAGE = Path(__file__).parents[2] / "examples" / "audiogen-gated"
Texture = Callable[..., Recording]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with what pip would install: the package and its metadata."""
    folder = tmp_path / "site"
    shutil.copytree(PACKAGE / "audiogen_gated", folder / "audiogen_gated")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = folder / f"audiogen_gated-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"].items()
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {home}\n" for name, home in points.items()) for group, points in groups
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return folder


def command(installed: Path, *arguments: object) -> str:
    path = os.pathsep.join([str(installed), str(Path(audiogen.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-m", "audiogen", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_backbone_trains_and_its_metric_is_shown(installed: Path, texture: Texture, tmp_path: Path) -> None:
    whole = texture(4.0)
    audiogen.write(tmp_path / "prompt.wav", whole.cut(0, 2 * 44100))
    audiogen.write(tmp_path / "real.wav", whole.cut(2 * 44100, 4 * 44100))
    quick = [each for each in TINY if not each.startswith(("model.backbone", "training.steps"))]
    gated = "model.backbone={kind: gated, width: 8, layers: 1}"
    run, out = tmp_path / "run", tmp_path / "out.wav"
    command(installed, "train", "base", "--data", tmp_path / "prompt.wav", "-o", run, gated, "training.steps=3", *quick)
    assert "kind: gated" in (run / "config.yaml").read_text()
    command(installed, "continue", tmp_path / "prompt.wav", "-o", out, "--seconds", "1", "--run", run)
    assert audiogen.Continuation.open(out).length == 3 * 44100
    report = tmp_path / "report"
    shown = command(installed, "evaluate", out, "--reference", tmp_path / "real.wav", "-o", report)
    assert "roughness" in shown
    page = (report / "report.html").read_text("utf-8")
    assert 'aria-label="roughness: ' in page  # a line of the chart
    assert ">roughness</th>" in page  # a row of the table


def test_its_metric_is_a_column_of_a_comparison(installed: Path, texture: Texture, tmp_path: Path) -> None:
    folder, out = tmp_path / "recordings", tmp_path / "comparison"
    folder.mkdir()
    for seed in range(4):
        audiogen.write(folder / f"{seed}.wav", texture(4.0, seed))
    lengths = ("--prompts", "1", "--prompt-seconds", "2", "--seconds", "1")
    shown = command(installed, "compare", "mel/noise", "--data", folder, "-o", out, *lengths)
    assert re.search(r"^loop, .*roughness [-\d.]+$", shown, re.MULTILINE)
    assert "roughness" in (out / "results.csv").read_text("utf-8").splitlines()[0].split(",")
    assert '<th scope="col">roughness</th>' in (out / "index.html").read_text("utf-8")
    summary = json.loads((out / "results.json").read_text("utf-8"))["summary"]
    assert summary[0]["roughness"].keys() == {"mean", "deviation"}


def test_without_the_package_its_kind_is_unknown() -> None:
    with pytest.raises(audiogen.InputError, match="there is no gated"):
        audiogen.read_experiment(overrides=["model.backbone={kind: gated}"])


def test_it_keeps_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGE))
    from audiogen_gated.backbone import Gated, GatedOptions
    from audiogen_gated.metric import Roughness

    check_backbone(Gated)
    check_backbone(Gated, GatedOptions(width=8, layers=1, kernel=1))
    check_metric(Roughness)
