"""The example package: installed beside audiogen, its backbone trains and its metric is evaluated by name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import audiogen
from audiogen.testing import check_backbone, check_metric
from tests.conftest import TINY, synthetic

PACKAGE = Path(__file__).parents[2] / "examples" / "audiogen-gated"


COMMANDS = """
import json, sys
from audiogen.cli import cli
for arguments in json.loads(sys.argv[1]):
    print(chr(0), end="")
    cli.main(arguments, prog_name="audiogen", standalone_mode=False)
"""
"""Commands of one process, which would spend most of several on imports; a zero separates what they print."""


def install(folder: Path) -> None:
    """Make a folder for PYTHONPATH with what pip would install: the package and its metadata."""
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


def run_commands(installed: Path, *commands: tuple[object, ...]) -> list[str]:
    """What each command prints, beside the installed package."""
    path = os.pathsep.join([str(installed), str(Path(audiogen.__file__).parents[1])])
    given = json.dumps([list(map(str, command)) for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, given],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\0")[1:]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder in which the package was installed and used, and what was printed by `evaluate` and `compare`."""
    folder = tmp_path_factory.mktemp("gated")
    install(folder / "site")
    (folder / "recordings").mkdir()
    whole = synthetic(4.0)
    audiogen.write(folder / "prompt.wav", whole.cut(0, 2 * 44100))
    audiogen.write(folder / "real.wav", whole.cut(2 * 44100, 4 * 44100))
    for seed in range(4):
        audiogen.write(folder / "recordings" / f"{seed}.wav", synthetic(4.0, seed))
    prompt, out, run = folder / "prompt.wav", folder / "out.wav", folder / "run"
    quick = [each for each in TINY if not each.startswith(("model.backbone", "training.steps"))]
    gated = "model.backbone={kind: gated, width: 8, layers: 1}"
    lengths = ("--prompts", 1, "--prompt-seconds", 2, "--seconds", 1)
    printed = run_commands(
        folder / "site",
        ("train", "base", "--data", prompt, "-o", run, gated, "training.steps=3", *quick),
        ("continue", prompt, "-o", out, "--seconds", 1, "--run", run),
        ("evaluate", out, "--reference", folder / "real.wav", "-o", folder / "report"),
        ("compare", "mel/noise", "--data", folder / "recordings", "-o", folder / "comparison", *lengths),
    )
    return folder, printed[2:]


def test_its_backbone_trains_and_its_metric_is_shown(used: tuple[Path, list[str]]) -> None:
    folder, (evaluated, _) = used
    assert "kind: gated" in (folder / "run" / "config.yaml").read_text()
    assert audiogen.Continuation.open(folder / "out.wav").length == 3 * 44100
    assert "roughness" in evaluated
    page = (folder / "report" / "report.html").read_text("utf-8")
    assert 'aria-label="roughness: ' in page  # a line of the chart
    assert ">roughness</th>" in page  # a row of the table


def test_its_metric_is_a_column_of_a_comparison(used: tuple[Path, list[str]]) -> None:
    folder, (_, compared) = used
    out = folder / "comparison"
    assert re.search(r"^loop, .*roughness [-\d.]+$", compared, re.MULTILINE)
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
