"""Configurations: YAML, bases, overrides, and errors that name the key and the cure."""

from __future__ import annotations

import dataclasses
import os
import typing
from pathlib import Path
from typing import Any

import pytest
import yaml

from audiogen.config.choice import Choice
from audiogen.config.schema import build, to_tree
from audiogen.config.shipped import find_config
from audiogen.config.trees import differences, merge
from audiogen.errors import InputError
from audiogen.experiment import Experiment, Training, checked, dump_yaml, read_experiment
from audiogen.models import MODELS
from audiogen.models.backbones import BACKBONES
from audiogen.models.heads import HEADS
from audiogen.representation import REPRESENTATIONS
from audiogen.run import new_model
from audiogen.text_files import dump_json, write_text

CONFIGS = Path(__file__).parents[1] / "configs"


def written(folder: Path, text: str, name: str = "a.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_base_config_holds_the_defaults():
    assert read_experiment(CONFIGS / "base.yaml") == Experiment()
    told = yaml.safe_load((CONFIGS / "base.yaml").read_text())
    assert differences(told, yaml.safe_load(dump_yaml(Experiment()))) == []  # each key, not just the same values


@pytest.mark.parametrize("backbone", list(BACKBONES))
@pytest.mark.parametrize("head", list(HEADS))
def test_there_is_a_config_for_each_backbone_and_head(backbone: str, head: str):
    path = CONFIGS / "mel" / f"{backbone}-{head}.yaml"
    experiment = read_experiment(path)
    options = experiment.model.options
    assert (options.backbone.kind, options.head.kind) == (backbone, head)
    assert len(path.read_text().splitlines()) <= 5
    assert dataclasses.replace(experiment, model=Experiment().model) == Experiment()


def test_all_configs_build_a_model():
    class Twelve:
        features, tokens = 12, False

    found = sorted(CONFIGS.rglob("*.yaml"))
    assert found
    for path in found:
        experiment = read_experiment(path)
        if experiment.model.kind == "sequence":
            assert new_model(experiment, Twelve()), path  # type: ignore[arg-type]


def test_a_written_experiment_is_read_unchanged(tmp_path: Path):
    experiment = read_experiment(
        None, ("model.head=mixture", "model.backbone=conv", "training.split_fractions.test=0.3")
    )
    assert read_experiment(written(tmp_path, dump_yaml(experiment))) == experiment
    assert checked(experiment) == experiment


def test_keys_without_effect_any_more_are_ignored(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text("vocoder_training: {likelihood: 1.0, mel: 0.5}\n", "utf-8")
    assert read_experiment(path).vocoder_training.mel_weight == 0.5


def test_an_empty_file_is_the_defaults(tmp_path: Path):
    assert read_experiment(written(tmp_path, "# nothing\n")) == Experiment() == read_experiment()


def test_bases_are_chained_and_relative_to_their_files(tmp_path: Path):
    written(tmp_path, "training: {steps: 7, batch_size: 3}\nmodel: {head: {kind: mixture, components: 5}}", "base.yaml")
    written(tmp_path, "base: ../base.yaml\ntraining: {batch_size: 4}", "sub/middle.yaml")
    top = written(tmp_path, "base: middle.yaml\nmodel: {backbone: gru, head: {floor: 0.1}}", "sub/top.yaml")
    experiment = read_experiment(top)
    assert (experiment.training.steps, experiment.training.batch_size) == (7, 4)
    assert experiment.model.options.backbone.kind == "gru"
    head = experiment.model.options.head
    assert (head.kind, head.options.components, head.options.floor) == ("mixture", 5, 0.1)


def test_a_base_is_a_file_beside_or_one_that_ships(tmp_path: Path) -> None:
    own = written(tmp_path, "base: mel/gru-flow\ntraining: {steps: 9}")
    assert read_experiment(own) == read_experiment(find_config("mel/gru-flow"), ("training.steps=9",))
    written(tmp_path, "training: {steps: 7}", "mel/gru-flow")
    assert read_experiment(own).model == read_experiment(None).model


@pytest.mark.parametrize("base", ["base.yaml", "a" * 300, r"a\0b"])
def test_a_base_that_is_neither_is_an_error(base: str, tmp_path: Path) -> None:
    """Also one that is called as a file that ships, but is missing beside the configuration."""
    with pytest.raises(InputError):
        read_experiment(written(tmp_path, f'base: "{base}"'))


def test_another_kind_drops_the_options_of_the_former_one(tmp_path: Path):
    written(tmp_path, "model: {head: {kind: mixture, components: 5}}", "base.yaml")
    path = written(tmp_path, "base: base.yaml\nmodel: {head: {kind: flow}}")
    assert read_experiment(path).model.options.head == Choice("flow", HEADS["flow"].Options())


@pytest.mark.parametrize("ring", [("a",), ("a", "b"), ("a", "b", "c")])
def test_circular_bases_are_named(tmp_path: Path, ring: tuple[str, ...]):
    for name, base in zip(ring, (*ring[1:], ring[0]), strict=True):
        written(tmp_path, f"base: {base}.yaml", f"{name}.yaml")
    expected = " -> ".join(f"{name}.yaml" for name in (*ring, ring[0]))
    with pytest.raises(InputError, match=rf"based on itself \({expected}\)"):
        read_experiment(tmp_path / "a.yaml")


def test_one_base_may_serve_twice(tmp_path: Path):
    """A file that is reached twice, but not from itself, is not circular."""
    written(tmp_path, "training: {steps: 9}", "base.yaml")
    written(tmp_path, "base: base.yaml", "a.yaml")
    assert read_experiment(written(tmp_path, "base: a.yaml", "b.yaml")).training.steps == 9


def test_the_last_override_wins(tmp_path: Path):
    path = written(tmp_path, "training: {steps: 7}")
    experiment = read_experiment(
        path, ("training.steps=8", "training.steps=9", "model.head=mixture", "model.head.components=2")
    )
    assert experiment.training.steps == 9
    assert experiment.model.options.head.options.components == 2


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.learning_rate=1e-3", 0.001),
        ("training.learning_rate=1", 1.0),
        ("training.precision=16", "16"),
        ("training.compile=true", True),
        ("training.schedule_steps=null", None),
        ("training.schedule_steps=30", 30),
    ],
)
def test_values_get_the_type_of_their_key(override: str, value: object):
    found = getattr(read_experiment(None, (override,)).training, override.split("=")[0].split(".")[1])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.step=3",
            r"training\.step: there is no such key; did you mean steps\? choose from steps, ",
        ),
        ("trainin.steps=3", r"trainin: there is no such key; did you mean training\? choose from repres"),
        (
            "model.head=mixtur",
            r"model\.head\.kind: there is no mixtur; did you mean mixture\? choose from point,",
        ),
        ("model.backbone.kind=resnet", r"backbone\.kind: there is no resnet; choose from lstm, gru"),
        ("model.head.components=3", r"model\.head\.components: there is no such key; choose from width, "),
        ("vocoder=hifi", r"vocoder\.kind: there is no hifi; choose from "),
        ("representation.spec.hops=1", r"spec\.hops: there is no such key; did you mean hop\?"),
        ("training=3", r"training: it must be a mapping, not 3; keys: steps, "),
        ("model.head=[1]", r"model\.head: the kind is missing; write \{kind: \.\.\.\}, one of point, "),
        ("training.steps=many", r"training\.steps: it cannot be 'many'; write a whole number$"),
        ("training.steps=2.5", r"training\.steps: it cannot be 2\.5; write a whole number$"),
        ("training.steps=true", r"training\.steps: it cannot be True; write a whole number$"),
        (
            "training.optimizer=adamm",
            r"training\.optimizer: it cannot be 'adamm'; choose from 'adamw', 'adam', 'rmsprop' or 'sgd'$",
        ),
        ("training.compile=perhaps", r"training\.compile: it cannot be 'perhaps'; write true or false$"),
        ("training", r"an override has the form key=value; for example"),
        ("=3", r"an override has the form key=value"),
        ("training..steps=3", r"an override has the form key=value"),
        ("training.steps={", r"its value is not YAML; quote it"),
    ],
)
def test_errors_name_the_key_and_the_choices(override: str, message: str):
    with pytest.raises(InputError, match=message.split(": ", 1)[-1]) as caught:
        read_experiment(None, (override,))
    assert str(caught.value).startswith(f"{override}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        *(f"training.{key}=0" for key in ("steps", "schedule_steps", "batch_size", "window", "learning_rate")),
        *(f"training.{key}=0" for key in ("validate_every", "checkpoint_every")),
        *(
            f"training.{key}=-1"
            for key in ("steps", "learning_rate", "weight_decay", "warmup", "gradient_clip", "ema_decay")
        ),
        *(f"training.{key}=-1" for key in ("patience", "log_media_every", "seed", "split_fractions.validation")),
        *(f"training.{key}=.nan" for key in ("learning_rate", "gradient_clip", "ema_decay", "window")),
        *(f"training.{key}=.inf" for key in ("learning_rate", "gradient_clip", "window", "weight_decay")),
        "training.ema_decay=1",
        "training.split_fractions.test=1",
        "training.split_fractions={validation: 0.5, test: 0.5}",
        *(f"augmentation.{key}=-1" for key in ("gain", "tilt", "frequency_mask", "time_mask")),
        "augmentation.time_mask=1.5",
        *(f"model.backbone.{key}=0" for key in ("hidden", "layers")),
        "model.backbone.dropout=2",
        "model.backbone.dropout=1",
        "model.dropout=-0.1",
        "model.context_noise=1.1",
        "model.clean_context=-1",
        *(f"model.backbone={{kind: conv, {key}: 0}}" for key in ("channels", "kernel")),
        "model.backbone={kind: conv, dilations: [1, 0]}",
        *(f"model.backbone={{kind: transformer, {key}: 0}}" for key in ("width", "heads", "layers", "window")),
        "model.backbone={kind: transformer, width: 20, heads: 4}",
        *(f"model.head={{kind: flow, {key}: 0}}" for key in ("width", "blocks", "draws", "steps")),
        "model.head={kind: mixture, components: 0}",
        "model.head={kind: mixture, floor: 0}",
        *(f"representation.{key}=0" for key in ("patch", "channels")),
        "representation.latents=-1",
        "representation.whitening=1.5",
        *(f"representation.spec.{key}=0" for key in ("sample_rate", "hop", "n_mels", "floor", "power")),
        "representation.spec.win=1024",
        "representation.spec.fmax=30000",
        "representation.spec.scale=bark",
    ],
)
def test_values_out_of_range_name_their_key(override: str):
    with pytest.raises(InputError) as caught:
        read_experiment(None, (override,))
    assert caught.value.subject == override
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: [1\n", r"a\.yaml: it is not YAML \(line 2, column 1: expected ',' or '\]'.*\); correct the line"),
        ("- 1", "it is not a mapping"),
        ("base: 3", "it must be a file name, not 3"),
        ("base: missing.yaml", r"missing\.yaml: it cannot be read"),
        ("training:\n  steps: 0", r"a\.yaml: training\.steps: it cannot be 0; choose at least 1$"),
        ("seed: 1", r"a\.yaml: seed: there is no such key"),
        ("on: 1", r"a\.yaml: True: there is no such key"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError, match=message):
        read_experiment(written(tmp_path, text))


def test_a_binary_file_is_refused(tmp_path: Path):
    (tmp_path / "a.yaml").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match="it is not YAML"):
        read_experiment(tmp_path / "a.yaml")
    with pytest.raises(InputError, match="it cannot be read"):
        read_experiment(tmp_path)


def options_of(table: dict[str, Any]) -> list[type]:
    return [entry.Options for entry in table.values()]


@pytest.mark.parametrize(
    "options",
    [*options_of(BACKBONES), *options_of(HEADS), *options_of(MODELS), *options_of(REPRESENTATIONS), Training],
    ids=lambda cls: cls.__name__,
)
def test_every_number_has_a_range(options: type):
    """A plain int or float would accept any value."""
    for name, hint in typing.get_type_hints(options, include_extras=True).items():
        assert hint not in (int, float), f"{options.__name__}.{name}"
    assert build(options, to_tree(options()), "defaults") == options()


def test_differences_are_dotted_keys():
    one, other = to_tree(Experiment()), to_tree(Experiment())
    assert differences(one, other) == []
    merge(other, {"training": {"steps": 1, "shares": {"test": 0.4}}, "model": {"head": {"kind": "point"}}})
    found = differences(one, other)
    assert {"training.steps", "training.split_fractions.test", "model.head.kind"} <= set(found)


def test_texts_are_written_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def failing(*ignored: object) -> None:
        raise OSError("the disk is full")

    target = tmp_path / "a.txt"
    write_text(target, "first")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", failing)
        with pytest.raises(OSError, match="full"):
            write_text(target, "second")
    assert target.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(ValueError, match="JSON"):
        dump_json({"loss": float("nan")})
