"""Channels that are rendered as if they had nothing to do with each other, held to that.

The frames of a recording are those of its principal channels, which do not correlate. What is rendered out of a
recording brings along the correlation of the places that were read, and the phases of a loud rumble in two channels
agree by chance for seconds. Either would shift the image, so what correlates, over some seconds, is taken out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec

MOST = 0.3  # correlation that is taken out of a block: more is no chance, but an event in the middle of the image
MEMORY = 10.0  # seconds after which what was rendered is forgotten by a factor of e
FAINTEST = 1e-12


class Balance:
    """Of one stream of channels, the strongest first."""

    def __init__(self, channels: int, spec: MelSpec) -> None:
        self.spec = spec
        self._seen = torch.zeros(channels, channels)

    def __call__(self, samples: Tensor, final: int) -> Tensor:
        """One rendered block.

        Args:
            samples: ``[channels, time * hop]``.
            final: frames of it that count; the rest will come again.

        Returns:
            The same, each channel less what it shares with stronger ones.
        """
        kept = math.exp(-final / (MEMORY * self.spec.frame_rate))
        self._seen = kept * self._seen.to(samples.device)
        samples = samples.clone()
        for weaker in range(1, len(samples)):
            for stronger in range(weaker):
                pair = samples[[weaker, stronger], : final * self.spec.hop]
                (own, shared), (_, other) = (pair @ pair.T + FAINTEST * torch.eye(2, device=pair.device)).unbind()
                largest = MOST * (own / other).sqrt()
                part = ((shared + self._seen[weaker, stronger]) / other).clamp(-largest, largest)
                samples[weaker] -= part * samples[stronger]
        heard = samples[:, : final * self.spec.hop]
        self._seen = self._seen + heard @ heard.T
        return samples
