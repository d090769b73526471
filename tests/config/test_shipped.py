"""Shipped configurations are found by name, in a clone and in an installed package."""

from __future__ import annotations

import re
from pathlib import Path
from shutil import copytree

import pytest

from audiogen.config import shipped as module
from audiogen.config.shipped import configs_folder, find_config, shipped_configs, summary
from audiogen.config.trees import read_tree
from audiogen.errors import InputError

ROOT = Path(__file__).parents[2]


def test_every_file_has_a_name_and_a_summary() -> None:
    found = shipped_configs()
    assert len(found) == len(list((ROOT / "configs").rglob("*.yaml"))) > 30
    for name, path in found.items():
        assert find_config(name) == path
        line = summary(path)
        assert line
        assert "\n" not in line
    assert summary(found["mel/lstm-flow"]) == "model.backbone lstm, model.head flow"
    assert summary(found["mel/gmm"]) == "A Gaussian mixture of 32 components, without memory"
    assert summary(found["midi/lstm"]) == "Tunes by an LSTM, the network of midi/base"
    assert summary(found["base"]) == "Every key and its default"


def test_a_file_without_comment_and_keys_is_the_same_as_its_base(tmp_path: Path) -> None:
    path = configs_folder() / "mel" / "gan.yaml"
    bare = tmp_path / "bare.yaml"
    bare.write_text(f"base: {path}\n")
    assert summary(bare) == "same as mel/gan"


def test_names_with_and_without_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = configs_folder() / "mel" / "gan.yaml"
    assert find_config("mel/gan") == find_config("mel/gan.yaml") == find_config("configs/mel/gan.yaml") == expected


def test_an_existing_file_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mel").mkdir()
    Path("mel/gan").write_text("training: {steps: 3}")
    assert find_config("mel/gan") == Path("mel/gan")
    Path("base").mkdir()  # a folder is no configuration
    assert find_config("base") == configs_folder() / "base.yaml"


@pytest.mark.parametrize(("wrong", "close"), [("mel/lstm-flw", "mel/lstm-flow"), ("gan", "mel/gan")])
def test_similar_names_are_suggested(wrong: str, close: str) -> None:
    with pytest.raises(InputError, match=rf"{wrong}: there is no such file.*did you mean {close}\b.*audiogen configs"):
        find_config(wrong)
    with pytest.raises(InputError, match="of that name; `audiogen configs`"):
        find_config("quite/another")


def test_an_installed_package_contains_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the wheel, in audiogen/configs."""
    copytree(ROOT / "configs", tmp_path / "audiogen" / "configs")
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "audiogen")
    path = find_config("midi/transformer")
    assert path.is_relative_to(tmp_path)
    assert read_tree(path)["training"]["steps"] == 250  # the bases are found from there
    assert read_tree(path)["augmentation"]
    included = re.search(r'^"configs" = "audiogen/configs"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert included is not None
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "elsewhere" / "audiogen")
    with pytest.raises(InputError, match="missing from this installation"):
        find_config("mel/gan")


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(InputError, match="no such file"):
        find_config("x" * 300)
