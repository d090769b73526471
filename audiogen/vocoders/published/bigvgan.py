"""BigVGAN (Lee et al. 2023, arXiv 2206.04658), from its published weights, without its package.

Transposed convolutions raise the frame rate to the sample rate; between them are residual blocks with periodic
activations, ``x + sin²(a x) / b``, each run at twice the rate and low-pass filtered against aliasing. Layer names are
those of the published weights (``config.json`` and ``bigvgan_generator.pt``). Version 2 at 44.1 kHz, 128 bands, hop 512
renders the default frames of this package.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from audiogen.config.option_types import Layers, Width
from audiogen.config.schema import build
from audiogen.config.yaml_files import read_bounded
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.published.hub import Published
from audiogen.vocoders.published.network_vocoder import MAX_DESCRIPTION, Network, NetworkVocoder
from audiogen.vocoders.weight_files import fill, read_weights, require_weights

TAPS = 12  # of the filters around an activation


@dataclass(frozen=True)
class BigVGANSize:
    """The keys of ``config.json`` that define the network, under the same names."""

    num_mels: Width
    upsample_initial_channel: Width
    upsample_rates: tuple[Layers, ...]
    upsample_kernel_sizes: tuple[Layers, ...]
    resblock_kernel_sizes: tuple[Layers, ...]
    resblock_dilation_sizes: tuple[tuple[Layers, ...], ...]
    resblock: str = "1"
    activation: str = "snakebeta"
    snake_logscale: bool = True
    use_tanh_at_final: bool = True
    use_bias_at_final: bool = True


class Periodic(nn.Module):
    """Snake activation (Ziyin et al. 2020, arXiv 2006.08195), a frequency per channel; "snakebeta" adds a magnitude."""

    def __init__(self, channels: int, size: BigVGANSize) -> None:
        super().__init__()
        self.logarithmic = size.snake_logscale
        start = torch.zeros(channels) if size.snake_logscale else torch.ones(channels)
        self.alpha = nn.Parameter(start.clone())
        self.beta = nn.Parameter(start.clone()) if size.activation == "snakebeta" else None

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha[:, None]
        beta = alpha if self.beta is None else self.beta[:, None]
        if self.logarithmic:
            alpha, beta = alpha.exp(), beta.exp()
        return x + (x * alpha).sin().square() / (beta + 1e-9)


class Filter(nn.Module):
    """A fixed low-pass filter, stored as a buffer as in the published weights."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", torch.zeros(1, 1, TAPS))


class Lowpass(nn.Module):
    """A `Filter` one level deeper, to match the published names."""

    def __init__(self) -> None:
        super().__init__()
        self.lowpass = Filter()


class Activation(nn.Module):
    """A periodic activation between upsampling and downsampling by two, against aliasing."""

    def __init__(self, channels: int, size: BigVGANSize) -> None:
        super().__init__()
        self.act, self.upsample, self.downsample = Periodic(channels, size), Filter(), Lowpass()

    def forward(self, x: Tensor) -> Tensor:
        channels, pad = x.shape[1], TAPS // 2 - 1
        up, down = (f.expand(channels, -1, -1) for f in (self.upsample.filter, self.downsample.lowpass.filter))
        x = nn.functional.pad(x, (pad, pad), mode="replicate")
        x = 2 * nn.functional.conv_transpose1d(x, up, stride=2, groups=channels)
        cut = 2 * pad + (TAPS - 2) // 2
        x = self.act(x[..., cut:-cut])
        x = nn.functional.pad(x, (TAPS // 2 - 1, TAPS // 2), mode="replicate")
        return nn.functional.conv1d(x, down, stride=2, groups=channels)


class Block(nn.Module):
    """Residual block: activations and dilated convolutions, in pairs (type "1") or single (type "2")."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], size: BigVGANSize) -> None:
        super().__init__()

        def convolutions(spacing: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel - 1) * d // 2) for d in spacing
            )

        self.paired = size.resblock == "1"
        if self.paired:
            self.convs1, self.convs2 = convolutions(dilations), convolutions((1,) * len(dilations))
        else:
            self.convs = convolutions(dilations)
        count = len(dilations) * (2 if self.paired else 1)
        self.activations = nn.ModuleList(Activation(channels, size) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        if not self.paired:
            for activation, convolution in zip(self.activations, self.convs, strict=True):
                x = x + convolution(activation(x))
            return x
        layers = zip(self.activations[::2], self.convs1, self.activations[1::2], self.convs2, strict=True)
        for before, dilated, between, plain in layers:
            x = x + plain(between(dilated(before(x))))
        return x


class BigVGANNetwork(Network):
    """The generator, with weight normalisation already folded into the weights."""

    def __init__(self, spec: MelSpec, size: BigVGANSize) -> None:
        super().__init__()
        self.size, self.offset = size, spec.padding_samples
        channels = [size.upsample_initial_channel // 2**stage for stage in range(len(size.upsample_rates) + 1)]
        self.conv_pre = nn.Conv1d(size.num_mels, channels[0], 7, padding=3)
        steps = zip(size.upsample_rates, size.upsample_kernel_sizes, channels, channels[1:], strict=False)
        self.ups = nn.ModuleList(
            nn.ModuleList([nn.ConvTranspose1d(wide, narrow, kernel, rate, padding=(kernel - rate) // 2)])
            for rate, kernel, wide, narrow in steps
        )
        kinds = list(zip(size.resblock_kernel_sizes, size.resblock_dilation_sizes, strict=True))
        self.resblocks = nn.ModuleList(Block(count, *kind, size) for count in channels[1:] for kind in kinds)
        self.activation_post = Activation(channels[-1], size)
        self.conv_post = nn.Conv1d(channels[-1], 1, 7, padding=3, bias=size.use_bias_at_final)
        self.reach = self._reach()

    def _reach(self) -> int:
        """Frames on either side that the samples of a frame depend on, rounded up at each rate."""
        size = self.size
        rate, reach = 1, 3.0
        for factor, kernel in zip(size.upsample_rates, size.upsample_kernel_sizes, strict=True):
            rate *= factor
            reach += kernel / rate
            blocks = zip(size.resblock_kernel_sizes, size.resblock_dilation_sizes, strict=True)
            # Each convolution follows an activation, whose filters reach TAPS / 2 samples in either direction.
            reach += max(sum((k - 1) // 2 * (d + 1) + 2 * TAPS for d in dilations) for k, dilations in blocks) / rate
        return int(reach + (3 + TAPS) / rate) + 1

    def forward(self, frames: Tensor) -> Tensor:
        x = self.conv_pre(frames.mT)
        kinds = len(self.size.resblock_kernel_sizes)
        for stage, up in enumerate(self.ups):
            x = up[0](x)  # type: ignore[index]
            blocks = self.resblocks[stage * kinds : (stage + 1) * kinds]
            x = torch.stack([block(x) for block in blocks]).mean(dim=0)
        x = self.conv_post(self.activation_post(x))
        return (x.tanh() if self.size.use_tanh_at_final else x.clamp(-1.0, 1.0))[:, 0]


class BigVGAN(NetworkVocoder):
    """BigVGAN from a folder with ``config.json`` and ``bigvgan_generator.pt``."""

    name = "bigvgan"
    files = ("config.json", "bigvgan_generator.pt")
    published = Published(
        "hub:nvidia/bigvgan_v2_44khz_128band_512x@95a9d1dcb12906c03edd938d77b9333d6ded7dfb",
        "d9fe7ec6bd0b44ed9d66973d5012d8181c1570b01e5c72df51973e241dccd357",
    )

    @classmethod
    def spec_in(cls, folder: Path) -> MelSpec:
        h = _config(folder)
        try:
            top = h.get("fmax") or h["sampling_rate"] / 2
            shape = (h["sampling_rate"], h["n_fft"], h["win_size"], h["hop_size"], h["num_mels"])
            return MelSpec(*shape, float(h["fmin"]), float(top))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                folder / "config.json", f"it does not define mel frames ({error})", "use BigVGAN's own"
            ) from error

    @classmethod
    def load(cls, folder: Path, sha256: str) -> Self:
        spec, h, path = cls.spec_in(folder), _config(folder), folder / "bigvgan_generator.pt"
        try:
            names = BigVGANSize.__dataclass_fields__
            size = build(
                BigVGANSize, {key: _as_tuples(value) for key, value in h.items() if key in names}, "config.json"
            )
            require_weights(path, lambda: BigVGANNetwork(spec, size))
            network = BigVGANNetwork(spec, size)
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            cause = f"it does not define a BigVGAN ({error})"
            raise InputError(folder / "config.json", cause, "use BigVGAN's own") from error
        tensors = read_weights(path, sha256)
        fill(network, fold_weight_norm(tensors.get("generator", tensors)), path)
        return cls(network, spec)


def fold_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Fold weight normalisation (Salimans & Kingma 2016) into plain weights.

    ``w = g v / |v|``, with the norm over all axes but the first.
    """
    plain = {}
    for name, value in tensors.items():
        if name.endswith(".weight_v"):
            scale = tensors[name[:-1] + "g"]
            plain[name[:-2]] = scale * value / value.flatten(1).norm(dim=1).view(-1, *[1] * (value.dim() - 1))
        elif not name.endswith(".weight_g"):
            plain[name] = value
    return plain


def _as_tuples(value: Any) -> Any:
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        found = json.loads(read_bounded(path, MAX_DESCRIPTION, "use BigVGAN's own").decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(path, "it cannot be read", "download it into the folder of the weights") from error
    if not isinstance(found, dict):
        raise InputError(path, "it holds no mapping", "download it again")
    return found
