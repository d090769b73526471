"""What the vocoders that are networks share: one stream, weights from a folder, and one spec that they know."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.tensors import layout_in, layout_of, require_finite, require_layout
from audiogen.vocoders.base import Stream, Vocoder, require_spec
from audiogen.vocoders.published import hub

MOST_DESCRIPTION = 1 << 20  # bytes of what lies beside weights and describes them
SMALL = 1 << 24  # weights that may be made without a look at the size of their file
BLOCK = 64  # frames rendered at a time


class Network(nn.Module, ABC):
    """Frames -> samples, each sample from the frames around it.

    Args:
        reach: frames on either side of a window that its samples may depend on.
        offset: samples from the start of the first frame's window to the first sample that comes out.
    """

    reach: int
    offset: int

    @abstractmethod
    def forward(self, frames: Tensor) -> Tensor:
        """``[channels, time, n_mels]`` log-mel -> ``[channels, samples]``."""


class NetworkStream(Stream):
    """Renders blocks of frames, each with the context that the network can see, so that blocks leave no seams.

    Frames of the past are the context of the first block; where the recording ends, its last frame is repeated.
    """

    def __init__(self, network: Network, spec: MelSpec, channels: int, past: Tensor | None) -> None:
        self.network, self.spec, self.channels = network, spec, channels
        # A sample belongs to the windows of its own hop and those that follow; the last of them has context as well.
        self._overlap = spec.win - spec.hop
        self._before = network.reach
        self._after = network.reach + -(-self._overlap // spec.hop)
        self._frames = self._context(past)
        self._held = 0

    def _context(self, past: Tensor | None) -> Tensor:
        """``[channels, before, n_mels]`` frames that end where the stream begins."""
        spec, count = self.spec, self._before
        length = (count - 1) * spec.hop + spec.win
        if count == 0:
            return torch.zeros(self.channels, 0, spec.n_mels)
        known = torch.zeros(self.channels, 0) if past is None else past[:, -length:].float()
        silence = known.new_zeros(self.channels, length - known.shape[1])
        return log_mel(torch.cat([silence, known], dim=1), spec, padded=True)

    def push(self, frames: Tensor) -> Tensor:
        self.network.to(frames.device)
        self._frames = torch.cat([self._frames.to(frames.device), frames], dim=1)
        self._held += frames.shape[1]
        rendered = [frames.new_zeros(self.channels, 0)]
        while self._held >= BLOCK + self._after:
            rendered.append(self._advance(BLOCK))
        return torch.cat(rendered, dim=1)

    def finish(self) -> Tensor:
        rendered = [self._frames.new_zeros(self.channels, 0)]
        self._frames = torch.cat([self._frames, self._frames[:, -1:].expand(-1, self._after, -1)], dim=1)
        while self._held > 0:
            rendered.append(self._advance(min(BLOCK, self._held)))
        return torch.cat(rendered, dim=1)

    @torch.no_grad()
    def _advance(self, count: int) -> Tensor:
        window = self._frames[:, : self._before + count + self._after]
        samples = self.network(window)
        first = self._before * self.spec.hop + self._overlap - self.network.offset
        self._frames, self._held = self._frames[:, count:], self._held - count
        return samples[:, first : first + count * self.spec.hop]


@dataclass(frozen=True)
class WeightsOptions:
    """Args:
    weights: folder that holds the weights and what describes them, ``hub`` for those that the authors published, or
        ``hub:OWNER/NAME@COMMIT`` for others.
    sha256: of the weights file, checked if it is given; that of others from the hub must be.
    """

    weights: str = ""
    sha256: str = ""


class NetworkVocoder(Vocoder):
    """A network, the spec of the frames that it was trained on, and nothing else."""

    Options: ClassVar[type] = WeightsOptions
    name: ClassVar[str]
    files: ClassVar[tuple[str, ...]]  # as they are published
    published: ClassVar[hub.Published]

    def __init__(self, network: Network, spec: MelSpec) -> None:
        self.network, self.spec = network.eval(), spec

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, sha256: str) -> Self:
        """The vocoder whose weights lie in a folder.

        Raises:
            InputError: files are missing, damaged, or of another layout.
        """

    @classmethod
    @abstractmethod
    def spec_in(cls, folder: Path) -> MelSpec:
        """The spec of the frames that the weights in a folder render; the weights themselves are not read."""

    @classmethod
    def address(cls, options: WeightsOptions) -> str:
        weights = cls.resolved(options).weights
        return weights if weights.startswith(hub.PREFIX) else ""

    @classmethod
    def files_at(cls, path: Path) -> list[Path]:
        return [path / name for name in cls.files]

    @classmethod
    def own_spec(cls, options: WeightsOptions) -> MelSpec:
        return cls.spec_in(folder_of(cls.name, cls.resolved(options), cls.files))

    @classmethod
    def resolved(cls, options: WeightsOptions) -> WeightsOptions:
        """The options with the published weights' address and checksum in place of ``hub``."""
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
    """The weights' folder, downloaded if need be.

    Raises:
        InputError: none is named, or it is not there.
    """
    if not options.weights:
        cure = "name their folder: weights=FOLDER, or weights=hub"
        raise InputError(f"vocoder {name}", "it needs trained weights", cure)
    if options.weights.startswith(hub.PREFIX):
        return hub.download(options.weights, options.sha256, files)
    folder = Path(options.weights).expanduser()
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", f"name the folder of the weights of {name}")
    return folder


def read_weights(path: Path, sha256: str = "") -> dict[str, Any]:
    """Tensors by name, from .safetensors or from a PyTorch file; nothing in it is executed.

    Raises:
        InputError: no such file, another checksum, or no tensors in it.
    """
    if not path.is_file():
        raise InputError(path, "there is no such file", "download the published weights into that folder")
    if sha256 and (found := hashlib.sha256(path.read_bytes()).hexdigest()) != sha256.lower():
        raise InputError(path, f"its sha256 is {found}", "download it again, or mend sha256=")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(path, f"it holds no weights ({type(error).__name__})", "download it again") from error


def require_weights(path: Path, make: Callable[[], nn.Module]) -> None:
    """Raise an InputError unless a weights file holds what a network would, before memory is taken for either.

    Of a PyTorch file only the size is known beforehand: the network must not be larger.
    """
    from safetensors import SafetensorError

    if not path.is_file():
        return  # which whoever reads it will say
    try:
        wanted = layout_of(make)
        if path.suffix == ".safetensors":
            require_layout(layout_in(path), wanted)
        elif (count := sum(math.prod(shape) for _, shape in wanted.values())) > max(path.stat().st_size / 2, SMALL):
            raise ValueError(f"its description asks for {count:,} weights, more than a file of its size holds")
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            path, f"its layout is another one: {error}", "use weights that fit their description"
        ) from error


def read_metadata(path: Path) -> dict[str, str]:
    """What a .safetensors file says of itself.

    Raises:
        InputError: it is none.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(path, f"it holds no weights ({type(error).__name__})", "name a .safetensors file") from error


def fill(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load a state dict whole.

    Raises:
        InputError: a tensor is missing, left over, or of another shape; the message names one.
    """
    try:
        missing, extra = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise InputError(path, str(error).splitlines()[-1].strip(), "use weights that fit their description") from error
    try:
        require_finite(network.state_dict())
    except ValueError as error:
        raise InputError(path, str(error), "download it again, or train it again") from error
    if missing or extra:
        what = f"{missing[0]} is missing" if missing else f"{extra[0]} has no place"
        raise InputError(path, f"its layout is another one: {what}", "use weights that fit their description")
