"""Would what sounds next make the last half second a copy? One loud event, laid where it was, is enough for that."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

SECONDS = 0.5  # of the tail that are held against the source, as `evaluation.copying` does
STEP = 2  # every other band is compared


class Course:
    """The last frames of a tail, and how like the source's they would become.

    Args:
        frames: ``[time, n_mels]`` of the source, log-mel.
        patch: frames that come at once.
        frame_rate: frames a second.
    """

    def __init__(self, frames: Tensor, patch: int, frame_rate: float) -> None:
        self.source, self.patch = frames[:, ::STEP].contiguous(), patch
        self.length = max(round(SECONDS * frame_rate), 2 * patch)
        self.tail = self.source[:0]

    def similarity(self, start: int, ends: Iterable[int]) -> float:
        """Largest correlation of the last half second, if the patch at ``start`` came next, with the source's.

        Args:
            start: frame of the source at which the patch begins.
            ends: frames of the source at which half seconds end that it is held against.

        Returns:
            -1..1, each band centred within the half second; 0 while the tail is shorter.
        """
        window = torch.cat([self.tail, self.source[start : start + self.patch]])[-self.length :]
        if len(window) < self.length:
            return 0.0
        window = window - window.mean(0)
        norm, found = window.norm(), [0.0]
        for end in ends:
            if self.length <= end <= len(self.source):
                known = self.source[end - self.length : end]
                known = known - known.mean(0)
                found.append(float((window * known).sum() / (norm * known.norm()).clamp(min=1e-6)))
        return max(found)

    def push(self, start: int) -> None:
        """The patch at ``start`` came next."""
        self.tail = torch.cat([self.tail, self.source[start : start + self.patch]])[-self.length :]
