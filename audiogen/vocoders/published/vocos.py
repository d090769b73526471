"""Vocos: a ConvNeXt over mel frames with a Fourier head (Siuzdak 2023, arXiv 2306.00814), from its published weights.

The head predicts magnitude and phase of the spectrum of each frame; the inverse Fourier transform does the upsampling,
which makes it an order of magnitude cheaper than a network that upsamples in stages. Layer names are those of the
published weights (`vocos-mel-24khz`: ``config.yaml`` and ``pytorch_model.bin``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from audiogen.config.schema import build
from audiogen.config.yaml_files import load_yaml, read_bounded
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec, hann
from audiogen.vocoders.convnext import ConvNeXt, ConvNeXtSize
from audiogen.vocoders.published.hub import Published
from audiogen.vocoders.published.network_vocoder import MAX_DESCRIPTION, Network, NetworkVocoder
from audiogen.vocoders.weight_files import fill, read_weights, require_weights

MAX_MAGNITUDE = 100.0  # at which the head clips


class FourierHead(nn.Module):
    """Samples from features ``[batch, time, dim]``, by magnitude and phase of each window and overlap-add.

    Phases are unwrapped implicitly, through sine and cosine. At both ends, where fewer windows overlap, samples are
    normalised by those that do.
    """

    def __init__(self, dim: int, spec: MelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.out = nn.Linear(dim, spec.n_fft + 2)

    def spectrum(self, features: Tensor) -> Tensor:
        """Spectra ``[batch, time, bins]`` complex."""
        log_magnitude, phase = self.out(features).chunk(2, dim=-1)
        return torch.polar(log_magnitude.exp().clamp(max=MAX_MAGNITUDE), phase)

    def forward(self, features: Tensor) -> Tensor:
        """Samples ``[batch, (time - 1) * hop + win]``, from the start of the first window to the end of the last."""
        window = hann(self.spec, features.device)
        waves = torch.fft.irfft(self.spectrum(features), n=self.spec.n_fft) * window
        total = overlap_add(window.square().expand(1, waves.shape[1], -1), self.spec.hop)
        return overlap_add(waves, self.spec.hop) / total.clamp(min=1e-6)


def overlap_add(waves: Tensor, hop: int) -> Tensor:
    """Overlap-add of windows ``[batch, time, win]``: ``[batch, (time - 1) * hop + win]``."""
    length = (waves.shape[1] - 1) * hop + waves.shape[2]
    folded = nn.functional.fold(waves.mT, (1, length), (1, waves.shape[2]), stride=(1, hop))
    return folded[:, 0, 0]


class VocosNetwork(Network):
    """Backbone and Fourier head."""

    def __init__(self, spec: MelSpec, size: ConvNeXtSize) -> None:
        super().__init__()
        self.backbone = ConvNeXt(spec.n_mels, size)
        self.head = FourierHead(size.dim, spec)
        self.reach, self.offset = 3 * (size.num_layers + 1), 0

    def forward(self, frames: Tensor) -> Tensor:
        return self.head(self.backbone(frames))


class Vocos(NetworkVocoder):
    """Vocos from a folder with ``config.yaml`` and ``pytorch_model.bin``."""

    name = "vocos"
    files = ("config.yaml", "pytorch_model.bin")
    published = Published(
        "hub:charactr/vocos-mel-24khz@0feb3fdd929bcd6649e0e7c5a688cf7dd012ef21",
        "97ec976ad1fd67a33ab2682d29c0ac7df85234fae875aefcc5fb215681a91b2a",
    )

    @classmethod
    def spec_in(cls, folder: Path) -> MelSpec:
        try:
            features = _config(folder)["feature_extractor"]["init_args"]
            rate = int(features.get("sample_rate", 24000))
            n_fft, padding = int(features.get("n_fft", 1024)), features.get("padding", "center")
            hop, n_mels = int(features.get("hop_length", 256)), int(features.get("n_mels", 100))
            # torchaudio's mel filterbank: HTK scale, no norm; the floor is that of the vocos package.
            return MelSpec(rate, n_fft, n_fft, hop, n_mels, 0.0, rate / 2, "htk", "none", 1.0, padding, 1e-7)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                folder / "config.yaml", f"it does not define mel frames ({error})", "use vocos-mel-*"
            ) from error

    @classmethod
    def load(cls, folder: Path, sha256: str) -> Self:
        spec, path = cls.spec_in(folder), folder / "pytorch_model.bin"
        try:
            sizes = _config(folder)["backbone"]["init_args"]
            named = {key: int(sizes[key]) for key in ("dim", "intermediate_dim", "num_layers")}
            size = build(ConvNeXtSize, named, "config.yaml")
            require_weights(path, lambda: VocosNetwork(spec, size))
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                folder / "config.yaml", f"it does not define a ConvNeXt ({error})", "use vocos-mel-*"
            ) from error
        network = VocosNetwork(spec, size)
        tensors = read_weights(path, sha256)
        own = {key: value for key, value in tensors.items() if key.startswith(("backbone.", "head.out."))}
        fill(network, own, path)
        return cls(network, spec)


def _config(folder: Path) -> Any:
    path = folder / "config.yaml"
    try:
        return load_yaml(read_bounded(path, MAX_DESCRIPTION, "use vocos-mel-*").decode("utf-8"))
    except ValueError as error:
        raise InputError(path, "it cannot be read", "download it into the folder of the weights") from error
