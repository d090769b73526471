"""Copy detection during generation: would a patch make the last half second a copy or a repetition?

A copy repeats the material, a repetition the tail itself. Limits on verbatim runs are not enough: one loud event is
recognised wherever it is placed, and the loudest gust, with only a handful of positions to come from, recurs with
whatever surrounds it. `audiogen.metrics.copying` measures the same on finished tails, with the same window and lag.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from audiogen.metrics.copying import SEPARATION_SECONDS, WINDOW_SECONDS

BAND_STEP = 2  # every other band is compared with the material's
BANDS_PER_GROUP = 4  # bands whose mean is compared with the tail's own, which is searched everywhere
CONSTANT = 1e-3  # norm of a centred window below which it is constant: nothing correlates with it
HISTORY_SECONDS = 60.0  # of the tail that are searched for repetitions
SET_HISTORY_SECONDS = 180.0  # the same of the tails of a set, together


class CopyDetector:
    """Similarity of the end of a tail, for each patch that might come next, to the material and to the tail before.

    Args:
        frames: ``[time, n_mels]`` log-mel frames of the material.
        patch: frames per patch.
        frame_rate: frames per second.
    """

    def __init__(self, frames: Tensor, patch: int, frame_rate: float) -> None:
        self.source, self.patch = frames[:, ::BAND_STEP].contiguous(), patch
        self.length = max(round(WINDOW_SECONDS * frame_rate), 2 * patch)
        self.tail = self.source[:0]
        places = max(len(self.source) - self.length + 1, 0)
        shape = (places, self.length * self.source.shape[1])
        self.windows = (
            self.source.as_strided(shape, (self.source.shape[1], 1)) if places else self.source.new_empty(shape)
        )
        self.norms = _window_norms(self.source.double(), self.length)
        self.norms = self.norms.masked_fill(self.norms < CONSTANT, torch.inf).float()
        self.coarse = torch.nn.functional.avg_pool1d(frames, BANDS_PER_GROUP, ceil_mode=True)
        self.history, self.history_norms = self.coarse[:0], self.coarse.new_zeros(0)
        self.max_history, self.separation = round(HISTORY_SECONDS * frame_rate), round(SEPARATION_SECONDS * frame_rate)

    def copy_score(self, start: int, ends: Iterable[int]) -> float:
        """Largest correlation of the last half second with the material, if a patch came next.

        Args:
            start: frame of the material at which the patch begins.
            ends: frames of the material at which the half seconds end that are compared.

        Returns:
            -1..1, with each band centred within the half second; 0 while the tail is shorter than that.
        """
        window = torch.cat([self.tail, self.source[start : start + self.patch]])[-self.length :]
        begins = [end - self.length for end in ends if self.length <= end <= len(self.source)]
        if len(window) < self.length or not begins:
            return 0.0
        window = window - window.mean(0)
        # The material's windows need no centring: what is constant has no product with a centred window.
        products, norms = self.windows[begins] @ window.flatten(), window.norm() * self.norms[begins]
        return max(0.0, float((products / norms.clamp(min=1e-6)).max()))

    def repetition_score(self, starts: Sequence[int]) -> list[float]:
        """Largest correlation of the last half second with the tail a second or more before, for each patch.

        Args:
            starts: frames of the material at which the candidate patches begin.

        Returns:
            One value per patch, as `copy_score`.
        """
        past = self.history[: len(self.history) + self.patch - self.separation]
        if len(past) < self.length:
            return [0.0] * len(starts)
        recent = self.history[self.patch - self.length :]
        windows = torch.stack([torch.cat([recent, self.coarse[start : start + self.patch]]) for start in starts])
        windows = windows - windows.mean(1, keepdim=True)
        products = torch.nn.functional.conv1d(past.T[None], windows.mT)[0]
        norms = windows.flatten(1).norm(dim=1, keepdim=True) * self.history_norms[: len(past) - self.length + 1]
        return [float(value) for value in (products / norms.clamp(min=1e-6)).amax(1)]

    def push(self, start: int) -> None:
        """Append the patch at frame ``start`` of the material to the tail."""
        self.append(self.source[start : start + self.patch], self.coarse[start : start + self.patch])

    def search_also(self, other: CopyDetector) -> None:
        """Do not repeat another tail of the material either, nor what that has avoided."""
        self.history = torch.cat([other.history, self.history])
        self.history_norms = _window_norms(self.history, self.length)
        self.max_history = round(self.max_history * SET_HISTORY_SECONDS / HISTORY_SECONDS)

    def start_after(self, frames: Tensor) -> None:
        """Take the end of ``[time, n_mels]`` frames for what the tail follows, so that its first half second counts."""
        frames = frames[-self.length :]
        self.append(frames[:, ::BAND_STEP], torch.nn.functional.avg_pool1d(frames, BANDS_PER_GROUP, ceil_mode=True))

    def append(self, fine: Tensor, coarse: Tensor) -> None:
        """Append frames to the tail: every other band of them, and their means over groups of bands."""
        self.tail = torch.cat([self.tail, fine])[-self.length :]
        self.history = torch.cat([self.history, coarse])[-self.max_history :]
        latest = _window_norms(self.history[-(self.length - 1 + len(coarse)) :], self.length)
        places = max(len(self.history) - self.length + 1, 0)
        self.history_norms = torch.cat([self.history_norms, latest])[-places:] if places else self.history_norms


def _window_norms(frames: Tensor, length: int) -> Tensor:
    """Norm ``[time - length + 1]`` of each window of ``[time, bands]`` frames, each band centred within the window."""
    if len(frames) < length:
        return frames.new_zeros(0)
    sums, squares = (torch.nn.functional.pad(values.cumsum(0), (0, 0, 1, 0)) for values in (frames, frames.square()))
    sums, squares = sums[length:] - sums[:-length], squares[length:] - squares[:-length]
    return (squares - sums.square() / length).sum(1).clamp(min=0.0).sqrt()
