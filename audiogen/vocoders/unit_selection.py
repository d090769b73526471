"""Which place of a recording sounds most like each predicted frame: unit selection (Hunt & Black 1996).

Every frame gets a few candidate places by nearest neighbours; dynamic programming chooses the path through them that
trades likeness against smooth joins, and prefers to read on in the recording, but never for longer than a limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiogen.config.option_types import NonNegativeFloat, PositiveFloat, PositiveInt

FORBIDDEN = 1e9  # the cost of what is not allowed
MAX_POSITIONS = 32_768  # that are searched: of longer recordings (6 minutes), every second, third, ... frame
CHUNK = 8192  # frames described at a time, and most that the principal components are taken from


@dataclass(frozen=True)
class UnitSelectionOptions:
    """Args:
    candidates: places considered for each frame.
    dimensions: of the features, after principal component analysis.
    level_weight: how much a difference in level counts, beside 1 for each difference in colour.
    jump_cost: cost of not reading on, in units of the typical distance between a frame and its best match.
    longest_run: seconds read verbatim at most.
    reuse_cost: cost of a place that was used lately, in the same unit.
    reuse_decay: seconds after which a place's use is forgotten by a factor of e.
    """

    candidates: PositiveInt = 16
    dimensions: PositiveInt = 64
    level_weight: NonNegativeFloat = 1.0
    jump_cost: NonNegativeFloat = 2.0
    longest_run: PositiveFloat = 0.25
    reuse_cost: NonNegativeFloat = 0.2
    reuse_decay: PositiveFloat = 4.0


class UnitIndex:
    """The frames of a recording, arranged to be searched.

    Args:
        frames: ``[time, channels * n_mels]`` log-mel frames of all channels side by side, at least two.
        frame_rate: frames a second.
    """

    def __init__(self, frames: Tensor, frame_rate: float, options: UnitSelectionOptions) -> None:
        self.options, self.frame_rate = options, frame_rate
        self._mean = frames.mean(dim=0)
        sample = self._context(frames[:: -(-len(frames) // CHUNK)])
        centred = sample - sample.mean(dim=0)
        _, directions = torch.linalg.eigh(centred.T @ centred)  # a tenth of the time of a singular value decomposition
        self._basis = directions.flip(1)[:, : options.dimensions].contiguous()
        self.features = torch.cat([self.describe(piece) for piece in frames.split(CHUNK)])
        self.last = len(frames) - 2  # the last place that something follows
        self._places = torch.arange(0, self.last + 1, -(-(self.last + 1) // MAX_POSITIONS))
        self._searched = self.features[self._places].T.contiguous()
        self._squares = self._searched.square().sum(dim=0)
        steps = self.features.diff(dim=0).square().sum(dim=1)
        self.unit = float(steps.mean()) + 1e-12  # squared distance of one frame to the next: the scale of costs

    def _context(self, frames: Tensor) -> Tensor:
        """Each frame with its neighbours, its level weighed."""
        frames = frames - self._mean
        level = frames.mean(dim=1, keepdim=True)
        shaped = frames - (1.0 - self.options.level_weight) * level
        before = torch.cat([shaped[:1], shaped[:-1]])
        after = torch.cat([shaped[1:], shaped[-1:]])
        return torch.cat([0.5 * before, shaped, 0.5 * after], dim=1)

    def describe(self, frames: Tensor) -> Tensor:
        """``[time, channels * n_mels]`` -> ``[time, dimensions]`` features."""
        return self._context(frames) @ self._basis

    def nearest(self, features: Tensor) -> Tensor:
        """Candidate places ``[time, candidates]`` of each frame, the nearest first."""
        count = min(self.options.candidates, len(self._places))
        distance = torch.addmm(self._squares, features, self._searched, alpha=-2.0)
        return self._places[distance.topk(count, dim=1, largest=False).indices]


class UnitPath:
    """The places chosen so far; `extend` goes on from them."""

    def __init__(self, library: UnitIndex) -> None:
        self.library = library
        self.options = library.options
        self._last: int | None = None
        self._run = 0
        self._reach = max(1, round(0.05 * library.frame_rate))  # places on either side of a used one that are used too
        self._used = torch.zeros(len(library.features) + 2 * self._reach)

    def extend(self, frames: Tensor, final: int) -> Tensor:
        """Places ``[time]`` for ``[time, channels * n_mels]`` frames, of which the first ``final`` are committed to."""
        library, options = self.library, self.options
        features = library.describe(frames)
        places = self._candidates(library.nearest(features))
        target = (library.features[places] - features[:, None]).square().sum(-1) / library.unit
        target += options.reuse_cost * self._used[places + self._reach]
        path, runs = self._search(places, target)
        self._last, self._run = int(path[final - 1]), int(runs[final - 1])
        self._remember(path[:final])
        return torch.from_numpy(path)

    def _candidates(self, nearest: Tensor) -> Tensor:
        """Nearest places, and those that follow the nearest places of the frame before."""
        half = nearest[:, : max(1, nearest.shape[1] // 2)]
        first = half[:1] if self._last is None else torch.full_like(half[:1], self._last)
        follow = (torch.cat([first, half[:-1]]) + 1).clamp(max=self.library.last)
        return torch.cat([nearest, follow], dim=1)

    def _steps(self, places: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Cost of each step ``[time - 1, before, now]`` between candidates, and whether it reads on."""
        following, now = self.library.features[places[:-1] + 1], self.library.features[places[1:]]
        squares = following.square().sum(-1)[:, :, None] + now.square().sum(-1)[:, None]
        join = torch.baddbmm(squares, following, now.mT, alpha=-2.0).clamp_(min=0.0) / self.library.unit
        reads_on = places[1:, None] == places[:-1, :, None] + 1
        return (self.options.jump_cost * (1.0 + join)).masked_fill(reads_on, 0.0).numpy(), reads_on.numpy()

    def _search(self, places: Tensor, target: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The cheapest path through the candidates, and how long each of its places has been read verbatim."""
        longest = max(1, round(self.options.longest_run * self.library.frame_rate))
        start = places[:1] if self._last is None else torch.full_like(places[:1], self._last)
        steps, reads_on = self._steps(torch.cat([start, places]))
        run = np.full(places.shape[1], 0 if self._last is None else self._run)
        cost, columns = np.zeros(places.shape[1]), np.arange(places.shape[1])
        came, runs = [], []
        for step, on, own in zip(steps, reads_on, target.numpy(), strict=True):
            total = cost[:, None] + step
            if run.max() >= longest:
                total += FORBIDDEN * (on & (run >= longest)[:, None])
            best = total.argmin(axis=0)
            chosen = best * len(columns) + columns  # in the flattened step: taken several times as fast as by pairs
            cost = total.take(chosen) + own
            run = run.take(best) * on.take(chosen) + 1
            came.append(best)
            runs.append(run)
        return self._trace(places.numpy(), came, runs, int(cost.argmin()))

    def _trace(
        self, places: np.ndarray, came: list[np.ndarray], runs: list[np.ndarray], chosen: int
    ) -> tuple[np.ndarray, np.ndarray]:
        path, lengths = [], []
        for step in range(len(places) - 1, -1, -1):
            path.append(places[step, chosen])
            lengths.append(runs[step][chosen])
            chosen = int(came[step][chosen])
        return np.array(path[::-1]), np.array(lengths[::-1])

    def _remember(self, path: np.ndarray) -> None:
        self._used *= float(np.exp(-len(path) / (self.options.reuse_decay * self.library.frame_rate)))
        near = torch.from_numpy(path)[:, None] + torch.arange(2 * self._reach + 1)
        self._used.index_add_(0, near.flatten(), torch.ones(near.numel()))
