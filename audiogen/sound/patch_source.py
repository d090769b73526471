"""A source's patches, found by their latents: what a tail is made of, as it is chosen or as a Model has drawn it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.representation.mel_latents import MelLatents

MAX_PATCHES = 40_000  # of the source that are searched; an hour's are thinned to this


class PatchSource(ABC):
    """Patches of a source at all offsets, for one tail.

    Also carry what the Model does not hear at all: the further principal channels of a recording.

    Args:
        representation: whose latents are drawn.
        frames: ``[time, channels * n_mels]`` of the source, all of its channels, time at least a patch.
        centre: ``[feature]`` that latents are relative to.

    Attributes:
        last: frame of the source at which the last patch begins; -1 before the first.

    Raises:
        InputError: the source is shorter than a patch.
    """

    def __init__(self, representation: MelLatents, frames: Tensor, centre: Tensor) -> None:
        self.representation, self.frames, self.patch = representation, frames, representation.patch
        if len(frames) < self.patch:
            cause = f"its {len(frames)} mel frames are fewer than the {self.patch} of a patch"
            raise InputError("the prompt", cause, "give a longer one")
        self.heard = frames[:, : len(centre)]
        stride = max((len(frames) - self.patch) // MAX_PATCHES, 1)
        self.starts = torch.arange(0, len(frames) - self.patch + 1, stride)
        index = self.starts[:, None] + torch.arange(self.patch)
        # Encoded in pieces: all patches side by side would hold each frame `patch` times.
        pieces = [representation.encode(self.heard[some], centre).squeeze(1) for some in index.split(4096)]
        self.latents = torch.cat(pieces)
        self.last = -1

    @abstractmethod
    def choose(self, latent: Tensor) -> int:
        """The place ``0 .. len(starts) - 1`` of the source for the ``[latent]`` that was drawn; it is used now."""

    def lookup(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """What comes next where ``[latent]`` was drawn: as the Model hears it, ``[latent]``, and its frames, ``[patch,
        channels * n_mels]``."""
        place = self.choose(latent)
        return self.latents[place], self.frames_at(place)

    def mark_used(self, start: int) -> None:
        """What came next begins at frame ``start`` of the source, chosen here or elsewhere."""
        self.last = start

    def frames_at(self, place: int) -> Tensor:
        """``[patch, channels * n_mels]``."""
        start = int(self.starts[place])
        return self.frames[start : start + self.patch]


class NearestPatches(PatchSource):
    """What a Model draws, no more and no less: the nearest patch of the source, moved to the latents that were drawn.

    A draw that is a patch of the source is that patch. Of any other, what latents do not hold - detail, channels that
    the Model does not hear - is the nearest patch's.
    """

    def choose(self, latent: Tensor) -> int:
        place = int((self.latents - latent).square().sum(1).argmin())
        self.mark_used(int(self.starts[place]))
        return place

    def lookup(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        nearest, frames = super().lookup(latent)
        bands = self.heard.shape[1]
        moved = self.representation.decode((latent - nearest)[None], torch.zeros(bands))
        return latent, torch.cat([frames[:, :bands] + moved, frames[:, bands:]], dim=1)
