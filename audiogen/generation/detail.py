"""Source detail for what latents drop: each generated patch takes the residual of the source patch nearest to it."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.representation.mel_latents import MelLatents

MOST_PATCHES = 40_000  # of the source that are searched; an hour's are thinned to this
REST_SECONDS = 3.0  # for which a place of the source is not used again


class Detail:
    """Patches of the source at all offsets, found by their latents.

    Also carries what the Model does not hear at all: the further principal channels of a recording follow the source
    at the place that was found.

    Args:
        representation: whose latents were generated.
        frames: ``[time, channels * n_mels]`` of the source, all of its channels, time at least a patch.
        centre: ``[feature]`` that latents are relative to.
    """

    def __init__(self, representation: MelLatents, frames: Tensor, centre: Tensor) -> None:
        self.representation, self.frames, self.centre = representation, frames, centre
        self.patch = representation.patch
        heard = frames[:, : len(centre)]
        stride = max((len(frames) - self.patch) // MOST_PATCHES, 1)
        self.starts = torch.arange(0, len(frames) - self.patch + 1, stride)
        index = self.starts[:, None] + torch.arange(self.patch)
        # Encoded in pieces: all patches side by side would hold each frame `patch` times.
        self.latents = torch.cat(
            [representation.encode(heard[piece], centre).squeeze(1) for piece in index.split(4096)]
        )
        self.squares = self.latents.square().sum(1)
        self.rest = max(round(REST_SECONDS / representation.step_seconds), 1)
        self.recent: list[int] = []

    def add(self, latent: Tensor) -> Tensor:
        """``[latent]`` of one generated patch -> ``[patch, channels * n_mels]`` frames with detail."""
        start = self._nearest(latent)
        place = self.frames[start : start + self.patch]
        heard = place[:, : len(self.centre)]
        known = self.representation.decode(self.representation.encode(heard, self.centre), self.centre)
        decoded = self.representation.decode(latent[None], self.centre)
        further = place[:, len(self.centre) :] + (decoded - known).mean()
        return torch.cat([decoded + heard - known, further], dim=1)

    def _nearest(self, latent: Tensor) -> int:
        distance = self.squares - 2 * (self.latents @ latent)
        for start in self.recent:
            distance[(self.starts - start).abs() < self.patch] = torch.inf
        if bool(torch.isinf(distance).all()):
            self.recent.clear()
            return self._nearest(latent)
        start = int(self.starts[int(distance.argmin())])
        self.recent = (
            [*self.recent, start][-min(self.rest, len(self.starts) // (2 * self.patch)) :] if self.rest else []
        )
        return start
