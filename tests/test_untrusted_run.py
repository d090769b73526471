"""Runs of unknown origin: what opening one reads, downloads and allocates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from audiogen.errors import InputError
from audiogen.experiment import Experiment, read_experiment
from audiogen.models import MODELS
from audiogen.models.backbones import BACKBONES
from audiogen.models.heads import HEADS
from audiogen.pretrained import base
from audiogen.representation.mel_latents import MelLatents
from audiogen.run import Run, _build, new_model
from audiogen.sound.run_mixture import open_runs
from audiogen.tensors import DTYPES, layout_of, require_layout
from audiogen.training.mel.mel_splits import with_channels
from audiogen.tunes.midi_representation import Midi
from audiogen.vocoders.neural import SHIPPED, load_network
from audiogen.vocoders.published import hub

Tiny = Callable[..., Experiment]
Change = Callable[..., None]


@pytest.fixture
def folder(tiny: Tiny, tmp_path: Path) -> Path:
    experiment = with_channels(tiny(), 1)
    torch.manual_seed(0)
    representation = MelLatents.fit(experiment.representation.options, [torch.randn(80, 128)])
    run = Run(experiment, representation, new_model(experiment, representation).eval(), {"steps": 3})
    run.save(tmp_path / "run")
    return tmp_path / "run"


def configure(folder: Path, **values: Any) -> None:
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text("utf-8")) | values), "utf-8")


def refused(folder: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Run.open(folder)
    assert "\n" not in str(caught.value)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Requested downloads; none succeeds."""
    asked: list[str] = []

    def download(address: str, *ignored: object) -> Path:
        asked.append(address)
        raise InputError(address, "asked for")

    monkeypatch.setattr(hub, "download", download)
    return asked


@pytest.mark.parametrize("weights", ["hub", "hub:someone/else@" + "0" * 40, "hub:no-commit"])
def test_nothing_is_downloaded_unless_the_user_allows_it(folder: Path, offline: list[str], weights: str):
    configure(folder, vocoder={"kind": "bigvgan", "weights": weights})
    address = "nvidia/bigvgan_v2_44khz_128band_512x@95a9d1dc" if weights == "hub" else weights
    refused(folder, f"its vocoder bigvgan downloads .*{address}.*of unknown size.*--allow-external-weights")
    with pytest.raises(InputError, match="allow-external"):
        open_runs([folder])
    assert offline == []
    with pytest.raises(InputError, match="asked for"):
        Run.open(folder, allow_external_weights=True)
    assert len(offline) == 1
    Run.open(folder, with_vocoder=False)  # as the base of a training
    assert len(offline) == 1


@pytest.mark.parametrize("how", ["absolute", "parent", "link", "linked folder"])
def test_weights_elsewhere_need_to_be_allowed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str):
    (tmp_path / "elsewhere").mkdir()
    outside = tmp_path / "elsewhere" / "model.safetensors"
    shutil.copy(SHIPPED, outside)
    (folder / "link.safetensors").symlink_to(outside)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    named = {
        "absolute": str(outside),
        "parent": "../elsewhere",
        "link": "link.safetensors",
        "linked folder": "linked",
    }[how]
    configure(folder, vocoder={"kind": "neural", "weights": named})
    monkeypatch.chdir(folder)
    refused(
        folder,
        r"its vocoder neural reads weights outside of the folder, .*elsewhere.* \(0\.6 MB\); .*--allow-ext",
    )
    assert Run.open(folder, allow_external_weights=True).experiment.vocoder.options.weights == named


def test_missing_weights_are_reported(folder: Path):
    configure(folder, vocoder={"kind": "neural", "weights": "/none/such.safetensors"})
    refused(folder, r"reads weights outside of the folder, /none/such.safetensors \(missing\)")
    configure(folder, vocoder={"kind": "neural", "weights": "~nobody-of-that-name/x"})
    refused(folder, "reads weights outside of the folder")


@pytest.mark.parametrize("named", ["vocoder", "vocoder/model.safetensors", "sub/../vocoder", "absolute"])
def test_weights_in_the_folder_are_opened(folder: Path, named: str):
    (folder / "vocoder").mkdir()
    (folder / "sub").mkdir()
    shutil.copy(SHIPPED, folder / "vocoder" / "model.safetensors")
    configure(folder, vocoder={"kind": "neural", "weights": str(folder / "vocoder") if named == "absolute" else named})
    opened = Run.open(folder)
    assert Path(opened.experiment.vocoder.options.weights).resolve().is_relative_to(folder.resolve())


def test_weights_in_the_folder_named_from_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copy(SHIPPED, folder / "own.safetensors")
    monkeypatch.chdir(folder.parent)
    configure(folder, vocoder={"kind": "neural", "weights": "run/own.safetensors"})
    assert Run.open("run").experiment.vocoder.options.weights == "run/own.safetensors"


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path):
    (tmp_path / "link").symlink_to(folder)
    assert Run.open(tmp_path / "link").metrics == {"steps": 3}


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "statistics.safetensors", "metrics.json"])
def test_a_file_that_is_a_link_out_of_the_folder(folder: Path, tmp_path: Path, name: str):
    shutil.move(folder / name, tmp_path / "moved")
    (folder / name).symlink_to(tmp_path / "moved")
    refused(folder, f"outside of the folder|its {name} is a link to .*moved .*MB.*--allow-external-weights")
    assert Run.open(folder, allow_external_weights=True).metrics == {"steps": 3}


@pytest.mark.parametrize("named", ["absolute", "../base.yaml"])
def test_a_base_elsewhere_is_not_read(folder: Path, tmp_path: Path, named: str):
    (tmp_path / "base.yaml").write_text("secret: 1")
    configure(folder, base=str(tmp_path / "base.yaml") if named == "absolute" else named)
    refused(folder, r"its settings lie outside of the folder \(.*base.yaml")
    with pytest.raises(InputError, match="there is no such key"):
        Run.open(folder, allow_external_weights=True)
    (folder / "own.yaml").write_text("training: {steps: 7}")
    configure(folder, base="own.yaml")
    assert Run.open(folder).experiment.training.steps != 7  # the file itself says otherwise


def test_initial_weights_of_its_training_are_not_read(folder: Path):
    configure(folder, vocoder_training={"init_from": "/none/such", "frames_from": "/none/other"})
    assert Run.open(folder).metrics == {"steps": 3}


def resized(folder: Path, change: Change) -> None:
    config = folder / "config.yaml"
    tree = yaml.safe_load(config.read_text("utf-8"))
    change(tree)
    config.write_text(yaml.safe_dump(tree), "utf-8")


def set_at(path: str, value: Any) -> Change:
    def change(tree: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for name in parents:
            tree = tree[name]
        tree[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.backbone.hidden", 60_000),
        ("model.backbone.layers", 1000),
        ("model.clean_context", 10_000),
        ("representation.latents", 3),
        ("representation.patch", 64),
        ("representation.spec.n_mels", 64),
        ("representation.channels", 2),
    ],
)
def test_a_configuration_that_does_not_fit_its_tensors_allocates_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, value: int
):
    resized(folder, set_at(path, value))
    made: list[object] = []
    monkeypatch.setattr("audiogen.run.read_tensors", lambda file, names: made.append(names) or load_file(file))
    real = torch.nn.Module.load_state_dict
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *given: made.append(given) or real(*given))
    refused(folder, r"its weights do not fit its config\.yaml")
    assert len(made) <= 1  # statistics that fit may have been read


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.backbone.hidden", 10**9),
        ("model.backbone.layers", 10**9),
        ("training.batch_size", 10**9),
        ("training.steps", 10**12),
        ("representation.latents", 10**12),
        ("representation.patch", 10**6),
        ("representation.channels", 10**6),
        ("representation.spec.n_fft", 2**40),
        ("representation.spec.n_mels", 10**6),
        ("representation.spec.sample_rate", 10**9),
    ],
)
def test_counts_have_upper_bounds(folder: Path, path: str, value: int):
    resized(folder, set_at(path, value))
    refused(folder, f"config.yaml: {path}: .*choose at most")


def test_a_model_of_terabytes_is_refused_before_it_is_built(tiny: Tiny):
    experiment = with_channels(tiny("model={backbone: {kind: lstm, hidden: 65536, layers: 1024}}"), 1)
    representation = MelLatents.fit(experiment.representation.options, [torch.randn(80, 128)])
    with pytest.raises(InputError, match=r"weights would take \d+,\d+ GB, more than.*fewer or smaller layers"):
        new_model(experiment, representation)


def test_measuring_a_model_uses_no_random_numbers(tiny: Tiny):
    experiment = with_channels(tiny(), 1)
    representation = MelLatents.fit(experiment.representation.options, [torch.randn(80, 128)])
    torch.manual_seed(5)
    first = new_model(experiment, representation).state_dict()
    torch.manual_seed(5)
    second = _build(experiment, representation).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("file", ["model.safetensors", "statistics.safetensors"])
@pytest.mark.parametrize("damage", ["nan", "inf", "double", "extra", "missing"])
def test_unexpected_tensors_are_refused(folder: Path, file: str, damage: str):
    tensors = load_file(folder / file)
    name = next(name for name, value in tensors.items() if value.is_floating_point())
    if damage in ("nan", "inf"):
        tensors[name].view(-1)[0] = float(damage)
    elif damage == "double":
        tensors[name] = tensors[name].double()
    elif damage == "extra":
        tensors["more"] = torch.zeros(3)
    else:
        del tensors[name]
    save_file(tensors, folder / file)
    if damage == "extra" and file == "statistics.safetensors":
        Run.open(folder)  # perhaps of a later version: ignored
        return
    words = {"nan": "NaN or infinite", "inf": "NaN or infinite", "double": "F64", "extra": "is unexpected"}
    refused(folder, words.get(damage, "is missing"))


@pytest.mark.parametrize("name", ["deviation", "scale"])
def test_divisors_are_not_zero(folder: Path, name: str):
    tensors = load_file(folder / "statistics.safetensors")
    tensors[name][0] = 0.0
    save_file(tensors, folder / "statistics.safetensors")
    refused(folder, "not above 0")


@pytest.mark.parametrize("text", ["[1]", '{"loss": NaN}', "[" * 10**5])
def test_metrics_that_are_not_plain_json(folder: Path, text: str):
    (folder / "metrics.json").write_text(text)
    refused(folder, r"metrics\.json: it is damaged")


def bomb() -> str:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    return f"a0: &a0 [x, y]\n{levels}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(), "more than 50,000 values"),
        ("a: &a [*a]\n", "an alias refers to a node that contains it"),
        ("a: " + "[" * 200 + "]" * 200, "nested more than 64 levels"),
        ("a: " + "{a: " * 5000, "nested more than 64 levels"),
        ("# " + "x" * 300_000, "more than 262,144 bytes"),
        ("a: " + "9" * 10_000, "not YAML"),
        ("a: 2024-13-45", "not YAML"),
        ("a: !!python/object/apply:os.system [true]", "not YAML"),
    ],
)
def test_a_configuration_that_expands_too_far(folder: Path, text: str, message: str):
    (folder / "config.yaml").write_text(text)
    refused(folder, message)


def test_vocoder_weights_that_do_not_fit_their_description(folder: Path):
    from safetensors import safe_open

    with safe_open(SHIPPED, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(SHIPPED)
    configure(folder, vocoder={"kind": "neural", "weights": "own.safetensors"})
    for changed, message in (
        ({"channels": 10**9}, "choose at most"),
        ({"channels": 60_000, "blocks": 1000}, "weights would take .* GB"),
        ({"hidden": 64}, "it does not fit its configuration"),
    ):
        size = json.dumps(json.loads(metadata["size"]) | changed)
        save_file(tensors, folder / "own.safetensors", metadata | {"size": size})
        with pytest.raises(InputError, match=message):
            load_network(Run.open(folder).experiment.vocoder.options)
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    save_file(tensors, folder / "own.safetensors", metadata)
    with pytest.raises(InputError, match="NaN or infinite"):
        load_network(Run.open(folder).experiment.vocoder.options)


def test_the_shipped_base_is_trusted_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Some installers make a package of links."""
    from audiogen import pretrained

    (tmp_path / "base").mkdir()
    for file in pretrained.BASE.iterdir():
        (tmp_path / "base" / file.name).symlink_to(file)
    monkeypatch.setattr(pretrained, "BASE", tmp_path / "base")
    assert base().representation.features > 0


TOKENS = [
    ("representation=midi", f"model={{kind: tokens, embedding: 8, {more}}}")
    for more in (
        "backbone: gru",
        "backbone: conv",
        "backbone: transformer",
        "voices: 2",
        "match_length: 4",
        "voices: 2, match_length: 4",
    )
]
SOUNDS = [("representation.channels=1", f"model={kind}") for kind, model in MODELS.items() if not model.tokens]
SEQUENCES = [
    (
        "representation.channels=1",
        f"model={{kind: sequence, backbone: {backbone}, head: {head}, linear: true}}",
    )
    for backbone, head in zip([*BACKBONES], [*HEADS, "flow"], strict=True)
]


@pytest.mark.parametrize("overrides", [*SOUNDS, *SEQUENCES, *TOKENS], ids=lambda each: each[-1])
def test_every_model_is_measured_without_memory(overrides: tuple[str, ...]):
    experiment = read_experiment(None, overrides)
    options = experiment.representation.options
    midi = experiment.representation.kind == "midi"
    representation = Midi(options) if midi else MelLatents.fit(options, [torch.randn(80, 128)])
    model = new_model(experiment, representation)
    before = torch.get_rng_state()
    found = layout_of(lambda: _build(experiment, representation))
    assert torch.equal(before, torch.get_rng_state())
    require_layout({name: (DTYPES[v.dtype], tuple(v.shape)) for name, v in model.state_dict().items()}, found)
