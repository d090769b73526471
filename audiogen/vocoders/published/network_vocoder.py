"""Base of the vocoders that are one neural network: streaming in blocks, and loading of published weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.base import Stream, Vocoder, past_frames, require_spec
from audiogen.vocoders.published import hub

MAX_DESCRIPTION = 1 << 20  # bytes of the configuration file beside the weights
BLOCK = 64  # frames rendered at a time


class Network(nn.Module, ABC):
    """A network from mel frames to samples, with a finite receptive field.

    Attributes:
        reach: frames on either side of a window that its samples depend on.
        offset: samples from the start of the first window to the first output sample.
    """

    reach: int
    offset: int

    @abstractmethod
    def forward(self, frames: Tensor) -> Tensor:
        """Samples ``[channels, samples]`` of log-mel frames ``[channels, time, n_mels]``."""


class NetworkStream(Stream):
    """Renders blocks of frames with the context of the receptive field, so that blocks join without seams.

    The frames of the past are the context of the first block; at the end of the stream the last frame is repeated.
    """

    def __init__(self, network: Network, spec: MelSpec, channels: int, past: Tensor | None) -> None:
        self.network, self.spec, self.channels = network, spec, channels
        # A sample is covered by the windows of its hop and of later ones; the last of them needs its context, too.
        self._overlap = spec.win - spec.hop
        self._before = network.reach
        self._after = network.reach + -(-self._overlap // spec.hop)
        self._frames = past_frames(past, channels, self._before, spec)
        self._pending = 0

    def push(self, frames: Tensor) -> Tensor:
        self.network.to(frames.device)
        self._frames = torch.cat([self._frames.to(frames.device), frames], dim=1)
        self._pending += frames.shape[1]
        rendered = [frames.new_zeros(self.channels, 0)]
        while self._pending >= BLOCK + self._after:
            rendered.append(self._advance(BLOCK))
        return torch.cat(rendered, dim=1)

    def finish(self) -> Tensor:
        rendered = [self._frames.new_zeros(self.channels, 0)]
        self._frames = torch.cat([self._frames, self._frames[:, -1:].expand(-1, self._after, -1)], dim=1)
        while self._pending > 0:
            rendered.append(self._advance(min(BLOCK, self._pending)))
        return torch.cat(rendered, dim=1)

    @torch.no_grad()
    def _advance(self, count: int) -> Tensor:
        window = self._frames[:, : self._before + count + self._after]
        samples = self.network(window)
        first = self._before * self.spec.hop + self._overlap - self.network.offset
        self._frames, self._pending = self._frames[:, count:], self._pending - count
        return samples[:, first : first + count * self.spec.hop]


@dataclass(frozen=True)
class WeightsOptions:
    """Options of a vocoder with published weights.

    Args:
        weights: folder of the weights and their configuration file; ``hub`` for the authors' weights on the Hugging
            Face hub, or ``hub:OWNER/NAME@COMMIT`` for others there.
        sha256: checksum of the weights file; required for ``hub:OWNER/NAME@COMMIT``, otherwise checked if given.
    """

    weights: str = ""
    sha256: str = ""


class NetworkVocoder(Vocoder):
    """A vocoder that is one network, trained on frames of one spec.

    Attributes:
        name: its kind.
        files: names of the published files: configuration and weights.
        published: the authors' weights.
    """

    Options: ClassVar[type] = WeightsOptions
    name: ClassVar[str]
    files: ClassVar[tuple[str, ...]]
    published: ClassVar[hub.Published]

    def __init__(self, network: Network, spec: MelSpec) -> None:
        self.network, self.spec = network.eval(), spec

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, sha256: str) -> Self:
        """Load the vocoder from a folder.

        Args:
            folder: holds `files`.
            sha256: checksum of the weights file; empty for no check.

        Raises:
            InputError: files are missing, damaged, or of another layout.
        """

    @classmethod
    @abstractmethod
    def spec_in(cls, folder: Path) -> MelSpec:
        """The spec of the frames that the weights in a folder render, from the configuration file only."""

    @classmethod
    def download_address(cls, options: WeightsOptions) -> str:
        weights = cls.resolved(options).weights
        return weights if weights.startswith(hub.PREFIX) else ""

    @classmethod
    def weight_files(cls, path: Path) -> list[Path]:
        return [path / name for name in cls.files]

    @classmethod
    def native_spec(cls, options: WeightsOptions) -> MelSpec:
        return cls.spec_in(folder_of(cls.name, cls.resolved(options), cls.files))

    @classmethod
    def resolved(cls, options: WeightsOptions) -> WeightsOptions:
        """The options with ``hub`` replaced by the address and checksum of the published weights."""
        if options.weights != "hub":
            return options
        return WeightsOptions(cls.published.address, options.sha256 or cls.published.sha256)

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: WeightsOptions) -> Self:
        options = cls.resolved(options)
        folder = folder_of(cls.name, options, cls.files)
        require_spec(cls.name, cls.spec_in(folder), spec)
        return cls.load(folder, options.sha256)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        return NetworkStream(self.network, self.spec, channels, past)


def folder_of(name: str, options: WeightsOptions, files: tuple[str, ...]) -> Path:
    """The folder of the weights, downloaded if necessary.

    Raises:
        InputError: no folder is given, it does not exist, or the download fails.
    """
    if not options.weights:
        cure = "give their folder: weights=FOLDER, or weights=hub"
        raise InputError(f"vocoder {name}", "it needs trained weights", cure)
    if options.weights.startswith(hub.PREFIX):
        return hub.download(options.weights, options.sha256, files)
    folder = Path(options.weights).expanduser()
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", f"give the folder of the weights of {name}")
    return folder
