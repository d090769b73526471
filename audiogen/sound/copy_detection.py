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
        self.level = frames.mean(0)  # without it, sums of products lose fewer digits; correlations do not depend on it
        self.coarse = self._grouped(frames)
        self.history, self.history_norms = self.coarse[:0], self.coarse.new_zeros(0)
        self.max_history, self.separation = round(HISTORY_SECONDS * frame_rate), round(SEPARATION_SECONDS * frame_rate)

    def _grouped(self, frames: Tensor) -> Tensor:
        """Mean of each group of bands, relative to the material's: ``[time, n_mels]`` -> ``[time, groups]``."""
        return torch.nn.functional.avg_pool1d(frames - self.level, BANDS_PER_GROUP, ceil_mode=True)

    def copy_scores(self, starts: Sequence[int], ends: Iterable[int] = ()) -> list[float]:
        """Largest correlation of the last half second with the material, for each patch that might come next.

        Args:
            starts: frames of the material at which the candidate patches begin.
            ends: frames of the material at which half seconds end that are compared, besides those which end with the
                patches themselves.

        Returns:
            For each patch 0..1, with each band centred within the half second; 0 while the tail is shorter than that.
        """
        places, recent = len(self.windows), self.tail[-(self.length - self.patch) :]
        if len(recent) < self.length - self.patch or not places:
            return [0.0] * len(starts)
        own = [start + self.patch - self.length for start in starts]
        common = [begin for end in ends if 0 <= (begin := end - self.length) < places]
        windows = self._followed_by(recent, self.source, starts)
        windows = (windows - windows.mean(1, keepdim=True)).flatten(1)
        # The material's windows need no centring: what is constant has no product with a centred window.
        begins = [max(begin, 0) for begin in own] + common
        norms = windows.norm(dim=1, keepdim=True) * self.norms[begins]
        scores = windows @ self.windows[begins].T / norms.clamp(min=1e-6)
        elsewhere = scores[:, len(own) :].amax(1).tolist() if common else [0.0] * len(own)
        return [
            max(score if begin >= 0 else 0.0, other, 0.0)
            for score, other, begin in zip(scores.diagonal().tolist(), elsewhere, own, strict=True)
        ]

    def repetition_scores(self, starts: Sequence[int]) -> list[float]:
        """Largest correlation of the last half second with the tail a second or more before, for each patch.

        Args:
            starts: frames of the material at which the candidate patches begin.

        Returns:
            One value per patch, as `copy_scores`.
        """
        past = self.history[: max(len(self.history) + self.patch - self.separation, 0)]
        if (places := len(past) - self.length + 1) < 1:
            return [0.0] * len(starts)
        recent, time = self.history[self.patch - self.length :], len(past)
        windows = self._followed_by(recent, self.coarse, starts)
        means = windows.mean(1)
        # What the candidates have in common is compared once. Each row is a frame, compared with all of the past: frame
        # j of a window meets frame t + j of the past, so the products of windows are sums along diagonals.
        frames = torch.cat([recent, windows[:, len(recent) :].flatten(0, 1), means])
        rows = frames @ past.T
        common = rows.as_strided((len(recent), places), (time + 1, 1)).sum(0)
        shape, begin = (len(starts), self.patch, places), len(recent) * (time + 1)
        own = rows.as_strided(shape, (self.patch * time, time + 1, 1), begin).sum(1)
        sums = torch.nn.functional.pad(rows[-len(starts) :].cumsum(1), (1, 0))
        products = common + own - (sums[:, self.length :] - sums[:, : -self.length])  # of centred windows
        norms = (windows - means[:, None]).flatten(1).norm(dim=1, keepdim=True) * self.history_norms[:places]
        return (products / norms.clamp(min=1e-6)).amax(1).tolist()

    def _followed_by(self, recent: Tensor, frames: Tensor, starts: Sequence[int]) -> Tensor:
        """The last half second, if each patch came next: ``[patches, time, bands]``."""
        return torch.stack([torch.cat([recent, frames[start : start + self.patch]]) for start in starts])

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
        self.append(frames[:, ::BAND_STEP], self._grouped(frames))

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
