"""Errors found before torch loads are those that would be found after."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from audiogen.config.known_keys import require_known_keys, require_vocoder_keys, schema_of
from audiogen.config.shipped import KNOWN_KEYS, shipped_configs
from audiogen.errors import InputError
from audiogen.experiment import Experiment, read_experiment
from audiogen.models.backbones import BACKBONES

ROOT = Path(__file__).parents[2]


def test_the_file_is_up_to_date() -> None:
    found = importlib.util.spec_from_file_location("write_base_config", ROOT / "tools" / "write_base_config.py")
    assert found is not None
    assert found.loader is not None
    tool = importlib.util.module_from_spec(found)
    found.loader.exec_module(tool)
    assert KNOWN_KEYS.read_text("utf-8") == tool.known_keys(), "run python tools/write_base_config.py"


@pytest.mark.parametrize("name", list(shipped_configs()))
def test_shipped_configs_pass(name: str) -> None:
    require_known_keys(shipped_configs()[name], ())


GOOD = [
    "training.steps=5",
    "training.schedule_steps=null",
    "training.window=2",
    "training.precision=16",
    "training.split_fractions={validation: 0.2}",
    "model=gan",
    "model={kind: hmm, states: 3}",
    "model.backbone={kind: conv, dilations: [1, 2]}",
    "representation={kind: mel, patch: 4}",
    "vocoder={kind: griffin_lim, iterations: 3}",
    'vocoder_training.init_from=""',
]
BAD = [
    "training.stepss=5",
    "training.steps=ten",
    "training.steps=0",
    "training.steps=2.5",
    "training.optimizer=adamm",
    "training=3",
    "trainning.steps=3",
    "model=gna",
    "model.backbone.kind=lstn",
    "model.backbone.hiden=3",
    "model.head={kind: flow, blocks: -1}",
    "augmentation.mixing=2",
    "vocoder={kind: griffin_lim, iteration: 3}",
    "training.steps",
]


@pytest.mark.parametrize("override", GOOD)
def test_good_overrides_pass(override: str) -> None:
    if "model=" not in override and "representation=" not in override:
        read_experiment(None, (override,))
    require_known_keys(None, (override,))


@pytest.mark.parametrize("override", BAD)
def test_an_early_error_names_the_same_key_and_cure(override: str) -> None:
    with pytest.raises(InputError) as late:
        read_experiment(None, (override,))
    with pytest.raises(InputError) as early:
        require_known_keys(None, (override,))
    assert early.value.subject == late.value.subject
    assert early.value.cure == late.value.cure


def test_a_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump({"vocoder_training": {"likelihood": 1, "mel": 2.0}}))
    require_known_keys(path, ())
    path.write_text(yaml.safe_dump({"vocoder_training": {"likelyhood": 1}}))
    with pytest.raises(InputError, match=r"old\.yaml: vocoder_training\.likelyhood: there is no such key"):
        require_known_keys(path, ())


def test_the_options_of_a_vocoder() -> None:
    require_vocoder_keys("griffin_lim", ("iterations=3",))
    with pytest.raises(InputError, match="vocoder griffin_lim: iteration: there is no such key; did you mean iter"):
        require_vocoder_keys("griffin_lim", ("iteration=3",))
    require_vocoder_keys("another", ("iterations=3",))  # found where vocoders are looked up


WRONG_COMMANDS = [
    ("train", "mel/gan", "--data", ".", "-o", "run", "training.stepss=3"),
    ("train", "mel/gnn", "--data", ".", "-o", "run"),
    ("train", "mel/gan", "--data", ".", "-o", "run", "--bugdet", "3"),
    ("continue", "a.wav", "-o", "b.wav", "model.backbone.hiden=3"),
    ("continue", "a.wav", "-o", "b.wav", "--config", "mel/nonne"),
    ("prepare", ".", "-o", "cache", "representation.chanels=2"),
    ("vocode", "a.wav", "-o", "b.wav", "iteration=2"),
    ("compare", "wrong.yaml", "--data", ".", "-o", "report"),
]
SCRIPT = """
import sys
import textwrap
from dataclasses import dataclass
from audiogen.cli import main
for arguments in {commands!r}:
    sys.argv = ["audiogen", *arguments]
    try:
        main()
    except SystemExit as ended:
        assert ended.code == 2, (arguments, ended.code)
    else:
        raise AssertionError(arguments)
    heavy = [name for name in ("torch", "numpy", "scipy", "librosa", "soundfile") if name in sys.modules]
    assert not heavy, (arguments, heavy)
"""


def test_errors_come_before_anything_heavy_loads(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    (tmp_path / "wrong.yaml").write_text("training: {stepss: 3}")
    script = SCRIPT.format(commands=WRONG_COMMANDS)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(WRONG_COMMANDS)
    assert all(line.startswith("audiogen: error: ") for line in lines)


PLUGIN = """
from dataclasses import dataclass

import torch
from torch import nn

class Gated(nn.Module):
    @dataclass(frozen=True)
    class Options:
        hidden: int = 8
"""


def test_a_kind_of_another_package_passes_with_the_keys_of_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package declares it as an entry point; nothing of audiogen's own is imported to find it."""
    (tmp_path / "gated_backbone.py").write_text(PLUGIN)
    metadata = tmp_path / "gated_backbone-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gated-backbone\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[audiogen.backbones]\ngated = gated_backbone:Gated\n")
    script = """
        import sys
        from audiogen.config.known_keys import require_known_keys
        from audiogen.errors import InputError

        require_known_keys(None, ("training.steps=3",))
        assert "torch" not in sys.modules
        for override, cause in (
            ("model.backbone={kind: gated, hidden: 3}", None),
            ("model.backbone={kind: gated, hiden: 3}", ": model.backbone.hiden: there is no such key"),
            ("model.backbone=gatd", "did you mean gated?"),
        ):
            for read in (lambda: require_known_keys(None, (override,)), lambda: read_experiment(None, (override,))):
                try:
                    from audiogen.experiment import read_experiment
                    read()
                except InputError as error:
                    assert cause and cause in str(error), error
                else:
                    assert cause is None
    """
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_a_kind_registered_in_this_process_passes() -> None:
    class Doubled:
        @dataclass(frozen=True)
        class Options:
            factor: int = 2

    BACKBONES.register("doubled")(Doubled)  # type: ignore[type-var]
    try:
        overrides = ("model.backbone={kind: doubled, factor: 3}",)
        require_known_keys(None, overrides)
        assert read_experiment(None, overrides).model.options.backbone.options.factor == 3
        with pytest.raises(InputError, match=r"model\.backbone\.factr: there is no such key; did you mean factor"):
            require_known_keys(None, ("model.backbone={kind: doubled, factr: 3}",))
        assert "doubled" not in schema_of(Experiment)["model"]["kinds"]["sequence"]["backbone"]["kinds"]
    finally:
        del BACKBONES["doubled"]
