"""Would what sounds next make the last half second a copy, or a repetition? One loud event in its place is enough.

A copy is of the source, a repetition of the tail itself: where the loudest gust has a handful of places to come from,
it comes back with whatever is laid around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

WINDOW_SECONDS = 0.5  # of the tail that are held against the source, as `metrics.copying` does
BAND_STEP = 2  # every other band is compared with the source's
BANDS_PER_GROUP = 4  # bands, and their means with the tail's own, which is searched everywhere
HISTORY_SECONDS = 60.0  # of the tail that are searched
MIN_LAG_SECONDS = 1.0  # seconds between a half second and what may be called its repetition, as in `metrics.copying`


class CopyDetector:
    """The last frames of a tail, and how like the source's they would become.

    Args:
        frames: ``[time, n_mels]`` of the source, log-mel.
        patch: frames that come at once.
        frame_rate: frames a second.
    """

    def __init__(self, frames: Tensor, patch: int, frame_rate: float) -> None:
        self.source, self.patch = frames[:, ::BAND_STEP].contiguous(), patch
        self.length = max(round(WINDOW_SECONDS * frame_rate), 2 * patch)
        self.tail = self.source[:0]
        self.coarse = torch.nn.functional.avg_pool1d(frames, BANDS_PER_GROUP, ceil_mode=True)
        self.history = self.coarse[:0]
        self.longest, self.apart = round(HISTORY_SECONDS * frame_rate), round(MIN_LAG_SECONDS * frame_rate)

    def copy_score(self, start: int, ends: Iterable[int]) -> float:
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

    def repetition_score(self, starts: Sequence[int]) -> list[float]:
        """Largest correlation of the last half second with any of the tail a second or more before, for each patch.

        Args:
            starts: frames of the source at which the patches begin that might come next.

        Returns:
            As `copy_score`.
        """
        past = self.history[: len(self.history) + self.patch - self.apart]
        if len(past) < self.length:
            return [0.0] * len(starts)
        recent = self.history[self.patch - self.length :]
        windows = torch.stack([torch.cat([recent, self.coarse[start : start + self.patch]]) for start in starts])
        windows = windows - windows.mean(1, keepdim=True)
        found = torch.nn.functional.conv1d(past.T[None], windows.mT)[0]
        norms = windows.flatten(1).norm(dim=1, keepdim=True) * _window_norms(past, self.length)
        return [float(value) for value in (found / norms.clamp(min=1e-6)).amax(1)]

    def push(self, start: int) -> None:
        """The patch at ``start`` came next."""
        self.tail = torch.cat([self.tail, self.source[start : start + self.patch]])[-self.length :]
        self.history = torch.cat([self.history, self.coarse[start : start + self.patch]])[-self.longest :]


def _window_norms(frames: Tensor, length: int) -> Tensor:
    """Root of the summed squares about the mean of each stretch ``[time - length + 1]`` of ``[time, bands]`` frames."""
    sums, squares = (torch.nn.functional.pad(values.cumsum(0), (0, 0, 1, 0)) for values in (frames, frames.square()))
    sums, squares = sums[length:] - sums[:-length], squares[length:] - squares[:-length]
    return (squares - sums.square() / length).sum(1).clamp(min=0.0).sqrt()
