"""Unit selection: the positions of a recording whose frames render predicted frames best (Hunt & Black 1996, ICASSP).

Each frame gets a few candidate positions by nearest-neighbour search. The Viterbi algorithm chooses the path through
them with the least sum of target costs (distance from the wanted frame, recent use) and concatenation costs (distance
of the jump from contiguous reading), which limits verbatim runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiogen.config.option_types import NonNegativeFloat, PositiveFloat, PositiveInt

FORBIDDEN = 1e9  # cost
MAX_POSITIONS = 32_768  # that are searched: of recordings over 6 minutes, every second, third, ... frame
CHUNK = 8192  # frames described at once, and maximum number that the principal components are computed from
REUSE_SECONDS = 0.05  # around a used position that count as used, too


@dataclass(frozen=True)
class UnitSelectionOptions:
    """Options of unit selection.

    Args:
        candidates: positions considered for each frame by nearest-neighbour search.
        dimensions: of the features, after principal component analysis.
        level_weight: weight of a difference in level, relative to 1 for a difference in timbre.
        jump_cost: concatenation cost of any jump, in units of the mean squared distance between consecutive frames.
        longest_run: longest verbatim run in seconds.
        reuse_cost: target cost of a position just used, in the same unit.
        reuse_decay: time constant in seconds at which the cost of reuse decays.
    """

    candidates: PositiveInt = 16
    dimensions: PositiveInt = 64
    level_weight: NonNegativeFloat = 1.0
    jump_cost: NonNegativeFloat = 2.0
    longest_run: PositiveFloat = 0.25
    reuse_cost: NonNegativeFloat = 0.2
    reuse_decay: PositiveFloat = 4.0


class UnitIndex:
    """Searchable features of a recording's frames.

    Args:
        frames: ``[time, channels * n_mels]`` log-mel frames of all channels side by side, at least two.
        frame_rate: Hz, of the frames.
        options: of the selection.
    """

    def __init__(self, frames: Tensor, frame_rate: float, options: UnitSelectionOptions) -> None:
        self.options, self.frame_rate = options, frame_rate
        self._mean = frames.mean(dim=0)
        sample = self._context(frames[:: -(-len(frames) // CHUNK)])
        centred = sample - sample.mean(dim=0)
        _, directions = torch.linalg.eigh(centred.T @ centred)  # a tenth of the time of a singular value decomposition
        self._basis = directions.flip(1)[:, : options.dimensions].contiguous()
        self.features = torch.cat([self.describe(chunk) for chunk in frames.split(CHUNK)])
        self.last = len(frames) - 2  # the last position with a successor
        self._positions = torch.arange(0, self.last + 1, -(-(self.last + 1) // MAX_POSITIONS))
        self._searched = self.features[self._positions].T.contiguous()
        self._squares = self._searched.square().sum(dim=0)
        steps = self.features.diff(dim=0).square().sum(dim=1)
        self.unit = float(steps.mean()) + 1e-12  # of costs: mean squared distance between consecutive frames

    def _context(self, frames: Tensor) -> Tensor:
        """Frames ``[time, 3 * channels * n_mels]`` with their neighbours, the level weighted."""
        frames = frames - self._mean
        level = frames.mean(dim=1, keepdim=True)
        shaped = frames - (1.0 - self.options.level_weight) * level
        before = torch.cat([shaped[:1], shaped[:-1]])
        after = torch.cat([shaped[1:], shaped[-1:]])
        return torch.cat([0.5 * before, shaped, 0.5 * after], dim=1)

    def describe(self, frames: Tensor) -> Tensor:
        """Features ``[time, dimensions]`` of ``[time, channels * n_mels]`` frames."""
        return self._context(frames) @ self._basis

    def nearest(self, features: Tensor) -> Tensor:
        """Candidate positions ``[time, candidates]`` for ``[time, dimensions]`` features, the nearest first."""
        count = min(self.options.candidates, len(self._positions))
        distance = torch.addmm(self._squares, features, self._searched, alpha=-2.0)
        return self._positions[distance.topk(count, dim=1, largest=False).indices]


class UnitPath:
    """Path of selected positions through a recording; `extend` continues it.

    Args:
        index: of the recording.
    """

    def __init__(self, index: UnitIndex) -> None:
        self.index = index
        self.options = index.options
        self._last: int | None = None
        self._run = 0
        self._reach = max(1, round(REUSE_SECONDS * index.frame_rate))
        self._used = torch.zeros(len(index.features) + 2 * self._reach)

    def extend(self, frames: Tensor, final: int) -> Tensor:
        """Select positions for the next frames.

        Args:
            frames: ``[time, channels * n_mels]``.
            final: number of frames whose positions are committed; the others are look-ahead.

        Returns:
            Positions ``[time]``.
        """
        index, options = self.index, self.options
        features = index.describe(frames)
        positions = self._candidates(index.nearest(features))
        target = (index.features[positions] - features[:, None]).square().sum(-1) / index.unit
        target += options.reuse_cost * self._used[positions + self._reach]
        path, runs = self._search(positions, target)
        self._last, self._run = int(path[final - 1]), int(runs[final - 1])
        self._remember(path[:final])
        return torch.from_numpy(path)

    def _candidates(self, nearest: Tensor) -> Tensor:
        """The nearest positions, and the successors of the nearest ones of the frame before."""
        half = nearest[:, : max(1, nearest.shape[1] // 2)]
        first = half[:1] if self._last is None else torch.full_like(half[:1], self._last)
        successors = (torch.cat([first, half[:-1]]) + 1).clamp(max=self.index.last)
        return torch.cat([nearest, successors], dim=1)

    def _concatenation_costs(self, positions: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Cost ``[time - 1, from, to]`` of each step between candidates, and whether it is contiguous."""
        following, now = self.index.features[positions[:-1] + 1], self.index.features[positions[1:]]
        squares = following.square().sum(-1)[:, :, None] + now.square().sum(-1)[:, None]
        distance = torch.baddbmm(squares, following, now.mT, alpha=-2.0).clamp_(min=0.0) / self.index.unit
        contiguous = positions[1:, None] == positions[:-1, :, None] + 1
        return (self.options.jump_cost * (1.0 + distance)).masked_fill(contiguous, 0.0).numpy(), contiguous.numpy()

    def _search(self, positions: Tensor, target: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Viterbi search: the path ``[time]`` of least cost, and the length of its verbatim run at each frame."""
        longest = max(1, round(self.options.longest_run * self.index.frame_rate))
        start = positions[:1] if self._last is None else torch.full_like(positions[:1], self._last)
        costs, contiguous = self._concatenation_costs(torch.cat([start, positions]))
        run = np.full(positions.shape[1], 0 if self._last is None else self._run)
        cost, columns = np.zeros(positions.shape[1]), np.arange(positions.shape[1])
        origins, runs = [], []
        for step, continues, own in zip(costs, contiguous, target.numpy(), strict=True):
            total = cost[:, None] + step
            if run.max() >= longest:
                total += FORBIDDEN * (continues & (run >= longest)[:, None])
            best = total.argmin(axis=0)
            chosen = best * len(columns) + columns  # flat indices: several times faster than pairs
            cost = total.take(chosen) + own
            run = run.take(best) * continues.take(chosen) + 1
            origins.append(best)
            runs.append(run)
        return self._trace(positions.numpy(), origins, runs, int(cost.argmin()))

    def _trace(
        self, positions: np.ndarray, origins: list[np.ndarray], runs: list[np.ndarray], chosen: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Backtracking from the ``chosen`` candidate of the last frame."""
        path, lengths = [], []
        for step in range(len(positions) - 1, -1, -1):
            path.append(positions[step, chosen])
            lengths.append(runs[step][chosen])
            chosen = int(origins[step][chosen])
        return np.array(path[::-1]), np.array(lengths[::-1])

    def _remember(self, path: np.ndarray) -> None:
        """Mark positions as used, and let earlier use decay."""
        self._used *= float(np.exp(-len(path) / (self.options.reuse_decay * self.index.frame_rate)))
        near = torch.from_numpy(path)[:, None] + torch.arange(2 * self._reach + 1)
        self._used.index_add_(0, near.flatten(), torch.ones(near.numel()))
