"""Keys of earlier versions are read, from files, bases and overrides, before and after torch loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from audiogen.config.former_keys import FORMER_KEYS, current_key
from audiogen.config.known_keys import require_known_keys
from audiogen.config.registry import Registry
from audiogen.config.trees import merge, override_tree, read_tree
from audiogen.experiment import Experiment, dump_yaml, read_experiment, to_tree

FORMER = {
    "training": {"average": 0.5, "clip": 2.0, "batch": 3, "horizon": 9, "shares": {"test": 0.3}, "listen_every": 7},
    "vocoder_training": {"start": "shipped", "predicted_by": "run", "spectral": 2, "discriminator": 4, "likelihood": 1},
}


def written(folder: Path, tree: Mapping[str, Any], name: str = "old.yaml") -> Path:
    (folder / name).write_text(yaml.safe_dump(tree))
    return folder / name


def require_current_values(experiment: Experiment) -> None:
    training, vocoder = experiment.training, experiment.vocoder_training
    assert (training.ema_decay, training.gradient_clip, training.batch_size) == (0.5, 2.0, 3)
    assert (training.schedule_steps, training.split_fractions.test, training.log_media_every) == (9, 0.3, 7)
    assert (vocoder.init_from, vocoder.frames_from) == ("shipped", "run")
    assert (vocoder.spectral_weight, vocoder.discriminator_channels) == (2.0, 4)


def test_a_file_and_its_base(tmp_path: Path) -> None:
    path = written(tmp_path, FORMER)
    require_known_keys(path, ())
    require_current_values(read_experiment(path))
    inner = written(tmp_path, {"base": "old.yaml", "training": {"batch": 5}}, "new.yaml")
    require_known_keys(inner, ())
    assert read_experiment(inner).training.batch_size == 5
    assert "likelihood" not in read_tree(inner)["vocoder_training"]


def test_overrides() -> None:
    overrides = tuple(f"{name}={yaml.safe_dump(tree, default_flow_style=True)}" for name, tree in FORMER.items())
    require_known_keys(None, overrides)
    require_current_values(read_experiment(None, overrides))
    assert read_experiment(None, ("training.shares.test=0.2",)).training.split_fractions.test == 0.2


def test_the_later_of_two_names_of_a_key_counts(tmp_path: Path) -> None:
    path = written(tmp_path, {"training": {"batch": 5}})
    assert read_experiment(path, ("training.batch_size=6",)).training.batch_size == 6
    assert read_experiment(path, ("training.batch_size=6", "training.batch=7")).training.batch_size == 7


def test_what_is_written_has_the_current_names(tmp_path: Path) -> None:
    tree = yaml.safe_load(dump_yaml(read_experiment(written(tmp_path, FORMER))))
    assert not [key for section in FORMER for key in FORMER[section] if key in tree[section]]


def test_every_current_name_is_a_key() -> None:
    """Sections of a choice are looked up in the Options of their kind."""
    for section, keys in FORMER_KEYS.items():
        path, _, kind = section.partition("=")
        tree: Any = to_tree(Experiment())
        if kind:
            tree = to_tree(_options(path, kind))
        else:
            for name in path.split("."):
                tree = tree[name]
        for former, current in keys.items():
            assert former not in tree, f"{section}: {former} is a key again"
            assert current is None or current in tree, f"{section}: {current}"


def _options(path: str, kind: str) -> Any:
    family = path.rpartition(".")[2]
    group = {"scheme": "tokenizers", "head": "heads"}.get(family, f"{family}s")
    return Registry.by_group[f"audiogen.{group}"][kind].Options()


@pytest.fixture
def former(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMER_KEYS, "model=gan", {"width": "noise_width"})


@pytest.mark.usefixtures("former")
def test_a_key_of_one_kind_only() -> None:
    assert current_key("model", "gan", "width") == "noise_width"
    assert current_key("model", "vae", "width") == "width"
    assert current_key("model", None, "width") == "width"
    tree = {"model": {"kind": "sequence", "dropout": 0.1}}
    assert merge(dict(tree), override_tree("model.width=3")) == {
        "model": {"kind": "sequence", "dropout": 0.1, "width": 3}
    }
    new = {"kind": "gan", "width": 3}
    assert merge(dict(tree), {"model": new}) == {"model": {"kind": "gan", "noise_width": 3}}
    assert merge({"model": {"kind": "gan"}}, override_tree("model.width=3"))["model"] == {
        "kind": "gan",
        "noise_width": 3,
    }


@pytest.mark.parametrize(
    ("override", "current"),
    [
        ("model={kind: gan, matching: 2, penalty: 3}", {"feature_matching": 2.0, "r1_weight": 3.0}),
        ("model={kind: hmm, rounds: 7}", {"max_iterations": 7}),
        ("model={kind: vae, free: 0.2}", {"free_bits": 0.2}),
        ("model={kind: sequence, head: {kind: flow, tails: 5}}", {"head": {"noise_dof": 5}}),
        (
            "vocoder={kind: griffin_lim, coarse: 3, free: 0.5, inversion: 2, trust: 0.4}",
            {"coarse_iterations": 3, "unconstrained_share": 0.5, "inversion_iterations": 2, "magnitude_weight": 0.4},
        ),
        ("vocoder={kind: neural, coarse: 3}", {"coarse_iterations": 3}),
        (
            "vocoder={kind: source, matching: {jump: 1, reuse: 2, forget: 3}}",
            {"matching": {"jump_cost": 1.0, "reuse_cost": 2.0, "reuse_decay": 3.0}},
        ),
    ],
)
def test_keys_of_models_and_vocoders(override: str, current: Mapping[str, Any]) -> None:
    require_known_keys(None, (override,))
    tree = to_tree(read_experiment(None, (override,)))[override.partition("=")[0]]
    for key, value in current.items():
        assert (tree[key] | value if isinstance(value, dict) else value) == tree[key]
