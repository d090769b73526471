"""The material of a tail: patches of the prompt's mel frames, indexed by their latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.representation.mel_latents import MelLatents

MAX_PATCHES = 40_000  # searched; from twice as many on, only every second (third, ...) one is
ENCODED_AT_ONCE = 4096  # patches; all side by side would hold each frame `patch` times


class Patch(NamedTuple):
    """Mel frames that come next.

    Args:
        frames: ``[patch, channels * n_mels]`` log-mel frames of the principal channels.
        start: frame of the material at which they begin; None if they are not the material's own.
    """

    frames: Tensor
    start: int | None


class PatchSource(ABC):
    """Patches of the material at all offsets, looked up by latent, for one tail.

    Patches also carry what the Model does not predict: the further principal channels of a recording.

    Args:
        representation: whose latents are looked up.
        frames: ``[time, channels * n_mels]`` log-mel frames of the material, all of its channels.
        centre: ``[feature]`` frame that latents are relative to; its length is that of the modelled channels.

    Attributes:
        starts: ``[patches]`` frame at which each patch begins.
        latents: ``[patches, latent]``.
        last: frame of the material at which the latest patch begins; -1 before the first.

    Raises:
        InputError: the material is shorter than a patch.
    """

    def __init__(self, representation: MelLatents, frames: Tensor, centre: Tensor) -> None:
        self.representation, self.frames, self.patch = representation, frames, representation.patch
        if len(frames) < self.patch:
            cause = f"its {len(frames)} mel frames are fewer than the {self.patch} of a patch"
            raise InputError("the prompt", cause, "give a longer one")
        self.modelled = frames[:, : len(centre)]
        stride = max((len(frames) - self.patch) // MAX_PATCHES, 1)
        self.starts = torch.arange(0, len(frames) - self.patch + 1, stride)
        index = self.starts[:, None] + torch.arange(self.patch)
        chunks = [
            representation.encode(self.modelled[some], centre).squeeze(1) for some in index.split(ENCODED_AT_ONCE)
        ]
        self.latents = torch.cat(chunks)
        self.last = -1

    @abstractmethod
    def choose(self, latent: Tensor) -> int:
        """Index ``0 .. len(starts) - 1`` of the patch for a drawn ``[latent]``; the patch is marked as used."""

    def lookup(self, latent: Tensor) -> tuple[Tensor, Patch]:
        """Replace a drawn latent by a patch of the material.

        Returns:
            ``[latent]`` that the Model reads, and the patch to render.
        """
        index = self.choose(latent)
        return self.latents[index], Patch(self.frames_at(index), int(self.starts[index]))

    def mark_used(self, start: int) -> None:
        """Note that the patch that begins at frame ``start`` comes next, chosen here or by another predictor."""
        self.last = start

    def frames_at(self, index: int) -> Tensor:
        """Frames ``[patch, channels * n_mels]`` of a patch."""
        start = int(self.starts[index])
        return self.frames[start : start + self.patch]


class NearestPatches(PatchSource):
    """The drawn latent, completed by the nearest patch, for baselines.

    The latent is kept as drawn; the nearest patch adds the detail and the channels that latents lack. A latent that is
    exactly a patch's gives that patch.
    """

    def choose(self, latent: Tensor) -> int:
        index = int((self.latents - latent).square().sum(1).argmin())
        self.mark_used(int(self.starts[index]))
        return index

    def lookup(self, latent: Tensor) -> tuple[Tensor, Patch]:
        nearest, (frames, _) = super().lookup(latent)
        bands = self.modelled.shape[1]
        difference = self.representation.decode((latent - nearest)[None], torch.zeros(bands))
        return latent, Patch(torch.cat([frames[:, :bands] + difference, frames[:, bands:]], dim=1), None)
