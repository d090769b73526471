"""Published vocoders: outputs of the original packages, streams without seams, rejected weights.

Weights are waves over the sorted names of the published layout. The expected samples come from `bigvgan` 2.4.1 and
`vocos` 0.1.0 with those weights.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from torch import Tensor

from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.convnext import ConvNeXtSize
from audiogen.vocoders.published.bigvgan import BigVGAN, BigVGANNetwork, BigVGANSize, fold_weight_norm
from audiogen.vocoders.published.network_vocoder import WeightsOptions
from audiogen.vocoders.published.vocos import Vocos, VocosNetwork
from audiogen.vocoders.registry import VOCODERS, build, check

BIG = {
    "num_mels": 20,
    "upsample_initial_channel": 16,
    "upsample_rates": [4, 4],
    "upsample_kernel_sizes": [8, 8],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 3]],
    "snake_logscale": True,
    "use_tanh_at_final": False,
    "use_bias_at_final": False,
    "sampling_rate": 8000,
    "n_fft": 64,
    "win_size": 64,
    "hop_size": 16,
    "fmin": 0,
    "fmax": None,
}
BIG_SPEC = MelSpec(8000, 64, 64, 16, 20, 0.0, 4000.0)
VOCOS_SPEC = MelSpec(8000, 64, 64, 16, 20, 0.0, 4000.0, "htk", "none", 1.0, "same", 1e-7)
FRAMES = torch.sin(torch.arange(2 * 40 * 20) * 0.05).reshape(2, 40, 20) * 2 - 4
EXPECTED = {
    "snakebeta": [0.04079672321677208, 0.12604694068431854, 0.10835961252450943, 0.14695429801940918],
    "snake": [0.02879331074655056, -0.1544579714536667, -0.13298895955085754, -0.13719750940799713],
    "vocos": [0.19578810036182404, 0.037377167493104935, 0.03130320832133293, 0.03729395940899849],
}


def kaiser_sinc() -> Tensor:
    """The filter in the published weights, ``[1, 1, 12]``: half-band, 12 taps, transition width 0.6."""
    attenuation = 2.285 * 5 * math.pi * 4 * 0.3 + 7.95
    window = torch.kaiser_window(12, beta=0.1102 * (attenuation - 8.7), periodic=False)
    taps = 0.5 * window * torch.sinc(0.5 * (torch.arange(-6, 6) + 0.5))
    return (taps / taps.sum()).view(1, 1, 12)


def waves(shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Deterministic weights of a layout, from the rank of each name."""
    tensors = {}
    for rank, (name, shape) in enumerate(sorted(shapes.items())):
        if "filter" in name:
            tensors[name] = kaiser_sinc()
            continue
        index = torch.arange(shape.numel(), dtype=torch.float64)
        values = torch.sin(0.7 * index + 0.3 * rank) * 0.3
        if name.endswith(("weight_g", "norm.weight")):
            values = values.abs() + 0.5
        tensors[name] = values.reshape(shape).float()
    return tensors


def published(network: torch.nn.Module) -> dict[str, torch.Size]:
    """The layout before weight norm is folded: each convolution's weight as gain and direction."""
    shapes = {}
    for name, value in network.state_dict().items():
        if name.endswith(".weight") and value.dim() == 3:
            shapes[f"{name}_g"] = torch.Size([len(value), 1, 1])
            shapes[f"{name}_v"] = value.shape
        else:
            shapes[name] = value.shape
    return shapes


def bigvgan_folder(folder: Path, activation: str, resblock: str) -> Path:
    config = {**BIG, "activation": activation, "resblock": resblock}
    (folder / "config.json").write_text(json.dumps(config))
    frozen = {key: _frozen(value) for key, value in config.items() if key in BigVGANSize.__dataclass_fields__}
    tensors = waves(published(BigVGANNetwork(BIG_SPEC, BigVGANSize(**frozen))))
    torch.save({"generator": tensors}, folder / "bigvgan_generator.pt")
    return folder


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def vocos_folder(folder: Path) -> Path:
    features = {"sample_rate": 8000, "n_fft": 64, "hop_length": 16, "n_mels": 20, "padding": "same"}
    backbone = {"input_channels": 20, "dim": 12, "intermediate_dim": 24, "num_layers": 2}
    config = {"feature_extractor": {"init_args": features}, "backbone": {"init_args": backbone}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    network = VocosNetwork(VOCOS_SPEC, ConvNeXtSize(12, 24, 2))
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    tensors = waves({**shapes, "head.istft.window": torch.Size([64])})
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder


@pytest.fixture(params=["snakebeta", "snake", "vocos"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Vocoder]:
    if request.param == "vocos":
        return "vocos", build("vocos", VOCOS_SPEC, None, WeightsOptions(str(vocos_folder(tmp_path))))
    folder = bigvgan_folder(tmp_path, request.param, "1" if request.param == "snakebeta" else "2")
    return request.param, build("bigvgan", BIG_SPEC, None, WeightsOptions(str(folder)))


def test_outputs_equal_those_of_the_packages(case: tuple[str, Vocoder]):
    name, vocoder = case
    with torch.no_grad():
        samples = vocoder.network(FRAMES)  # type: ignore[attr-defined]
    edge = vocoder.spec.padding_samples if name == "vocos" else 0  # the package trims the samples before its first hop
    found = samples[0, edge : edge + 640 : 160]
    torch.testing.assert_close(found, torch.tensor(EXPECTED[name]), rtol=0.0, atol=2e-6)


def test_streamed_equals_whole(case: tuple[str, Vocoder]):
    _, vocoder = case
    frames = FRAMES.repeat(1, 6, 1)[:1, :200]
    past = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0)) * 0.1
    whole = vocoder.vocode(frames, past)
    assert whole.shape == (1, 200 * 16)
    stream = vocoder.open(1, past)
    pieces = [stream.push(piece) for piece in frames.split([3, 150, 47], dim=1)]
    assert torch.equal(torch.cat([*pieces, stream.finish()], dim=1), whole)


def test_blocks_leave_no_seams(case: tuple[str, Vocoder]):
    _, vocoder = case
    frames = FRAMES.repeat(1, 6, 1)[:1, :200]
    streamed = vocoder.vocode(frames)
    network = vocoder.network  # type: ignore[attr-defined]
    before = log_mel(torch.zeros(1, 64 + 16 * (network.reach - 1)), vocoder.spec, padded=True)
    with torch.no_grad():
        once = network(torch.cat([before, frames], dim=1))
    first = network.reach * 16 + 48 - network.offset
    ahead = (network.reach + 3) * 16  # the end consists of repeated frames
    expected = once[:, first : first + 200 * 16 - ahead]
    torch.testing.assert_close(streamed[:, : expected.shape[1]], expected, rtol=0.0, atol=1e-5)


def test_frames_outside_the_receptive_field_have_no_influence(case: tuple[str, Vocoder]):
    _, vocoder = case
    network = vocoder.network  # type: ignore[attr-defined]
    frames = FRAMES.repeat(1, 4, 1)[:1].clone().requires_grad_(True)
    first = 80  # of the four windows that cover the hop below
    start = first * 16 + 48 - network.offset
    network(frames)[0, start : start + 16].square().sum().backward()
    assert frames.grad is not None
    used = frames.grad[0].abs().sum(dim=1).nonzero().flatten()
    assert int(used.min()) >= first - network.reach
    assert int(used.max()) <= first + 3 + network.reach
    assert len(used) > 1


def test_another_spec_is_rejected_before_weights_are_read(tmp_path: Path):
    folder = bigvgan_folder(tmp_path, "snakebeta", "1")
    (folder / "bigvgan_generator.pt").unlink()
    options = WeightsOptions(str(folder))
    assert BigVGAN.native_spec(options) == BIG_SPEC
    with pytest.raises(InputError, match=r"mel frames of sample_rate 8000, .*not sample_rate 44100"):
        build("bigvgan", MelSpec(), None, options)
    with pytest.raises(InputError, match=r"mel frames of sample_rate 8000"):
        check("bigvgan", MelSpec(), options)
    check("bigvgan", BIG_SPEC, options)
    check("griffin_lim", BIG_SPEC, VOCODERS["griffin_lim"].Options())
    with pytest.raises(InputError, match="there is no such file"):
        build("bigvgan", BIG_SPEC, None, options)


def test_damaged_weights_are_rejected(tmp_path: Path):
    folder = bigvgan_folder(tmp_path, "snakebeta", "1")
    path = folder / "bigvgan_generator.pt"
    with pytest.raises(InputError, match="its sha256 is"):
        BigVGAN.load(folder, "0" * 64)
    tensors = torch.load(path, weights_only=True)["generator"]
    short = {name: value for name, value in tensors.items() if name != "conv_pre.bias"}
    torch.save({"generator": short}, path)
    with pytest.raises(InputError, match=r"conv_pre\.bias is missing"):
        BigVGAN.load(folder, "")
    torch.save({"generator": {**tensors, "conv_pre.bias": torch.zeros(3)}}, path)
    with pytest.raises(InputError, match="size mismatch"):
        BigVGAN.load(folder, "")
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="it holds no weights"):
        BigVGAN.load(folder, "")
    (folder / "config.json").write_text("[]")
    with pytest.raises(InputError, match="it holds no mapping"):
        BigVGAN.native_spec(WeightsOptions(str(folder)))


def test_missing_folders_are_reported(tmp_path: Path):
    with pytest.raises(InputError, match="weights=FOLDER"):
        build("vocos", VOCOS_SPEC)
    with pytest.raises(InputError, match="there is no such folder"):
        build("vocos", VOCOS_SPEC, None, WeightsOptions(str(tmp_path / "missing")))
    with pytest.raises(InputError, match=r"config\.yaml: it cannot be read"):
        Vocos.native_spec(WeightsOptions(str(tmp_path)))


def test_the_default_spec_is_that_of_the_published_44khz_weights(tmp_path: Path):
    published_config = {
        "sampling_rate": 44100,
        "n_fft": 2048,
        "win_size": 2048,
        "hop_size": 512,
        "num_mels": 128,
        "fmin": 0,
        "fmax": None,
    }
    (tmp_path / "config.json").write_text(json.dumps(published_config))
    assert BigVGAN.native_spec(WeightsOptions(str(tmp_path))) == MelSpec()


def test_weight_norm_is_folded_into_the_weights():
    convolution = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(3, 4, 5))
    parts = convolution.parametrizations.weight
    plain = fold_weight_norm({"c.weight_g": parts.original0, "c.weight_v": parts.original1, "c.bias": convolution.bias})
    torch.testing.assert_close(plain["c.weight"], convolution.weight)
    assert set(plain) == {"c.weight", "c.bias"}


HUB = f"hub:someone/vocos@{'0123456789' * 4}"


def lay_out(folder: Path) -> str:
    """Write small Vocos weights to ``folder`` as on the hub; returns their checksum."""
    size = ConvNeXtSize(16, 32, 1)
    features = {"sample_rate": 8000, "n_fft": 64, "hop_length": 16, "n_mels": 20, "padding": "same"}
    backbone = {"dim": 16, "intermediate_dim": 32, "num_layers": 1}
    config = {"feature_extractor": {"init_args": features}, "backbone": {"init_args": backbone}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    torch.save(VocosNetwork(VOCOS_SPEC, size).state_dict(), folder / "pytorch_model.bin")
    return hashlib.sha256((folder / "pytorch_model.bin").read_bytes()).hexdigest()


def test_weights_come_from_the_hub_at_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    checksum, asked = lay_out(tmp_path), []

    def hf_hub_download(repository: str, file: str, revision: str) -> str:
        asked.append((repository, file, revision))
        return str(tmp_path / file)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=hf_hub_download))
    vocoder = build("vocos", VOCOS_SPEC, None, WeightsOptions(HUB, checksum))
    assert vocoder.vocode(FRAMES).shape == (2, 40 * 16)
    assert set(asked) == {("someone/vocos", name, HUB[-40:]) for name in ("config.yaml", "pytorch_model.bin")}
    with pytest.raises(InputError, match="its sha256 is"):
        build("vocos", VOCOS_SPEC, None, WeightsOptions(HUB, "0" * 64))


@pytest.mark.parametrize(("name", "repository"), [("vocos", "charactr/vocos-mel-24khz"), ("bigvgan", "nvidia/bigvgan")])
def test_the_published_weights_are_pinned(name: str, repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lay_out(tmp_path)
    asked: list[tuple[str, str]] = []

    def hf_hub_download(repository: str, file: str, revision: str) -> str:
        asked.append((repository, revision))
        return str(tmp_path / file)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=hf_hub_download))
    # The download is not the published file, so its configuration (bigvgan) or its checksum (vocos) is rejected.
    with pytest.raises(InputError, match=r"its sha256 is|cannot be read"):
        build(name, VOCOS_SPEC, None, WeightsOptions("hub"))
    (found, revision), *_ = asked
    assert found.startswith(repository)
    assert len(revision) == 40


def test_failed_downloads_are_reported_in_one_line(monkeypatch: pytest.MonkeyPatch):
    def unreachable(repository: str, file: str, revision: str) -> str:
        raise ConnectionError("no route")

    for address, checksum, message in (
        ("hub:someone/vocos@main", "0" * 64, "names no commit"),
        (HUB, "", "need a checksum"),
    ):
        with pytest.raises(InputError, match=message):
            check("vocos", VOCOS_SPEC, WeightsOptions(address, checksum))
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=unreachable))
    with pytest.raises(InputError, match=r"cannot be downloaded \(ConnectionError\); check the network"):
        check("vocos", VOCOS_SPEC, WeightsOptions(HUB, "0" * 64))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match="huggingface_hub is not installed"):
        check("vocos", VOCOS_SPEC, WeightsOptions(HUB, "0" * 64))
