"""Which place of a recording sounds most like each predicted frame: unit selection (Hunt & Black 1996).

Every frame gets a few candidate places by nearest neighbours; dynamic programming chooses the path through them that
trades likeness against smooth joins, and prefers to read on in the recording, but never for longer than a limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

FAR = 1e9  # the cost of what is not allowed


@dataclass(frozen=True)
class MatchingOptions:
    """Args:
    candidates: places considered for each frame.
    dimensions: of the features, after principal component analysis.
    level_weight: how much a difference in level counts, beside 1 for each difference in colour.
    jump: cost of not reading on, in units of the typical distance between a frame and its best match.
    longest_run: seconds read verbatim at most.
    reuse: cost of a place that was used lately, in the same unit.
    forget: seconds after which a place's use is forgotten by a factor of e.
    """

    candidates: int = 24
    dimensions: int = 32
    level_weight: float = 0.3
    jump: float = 0.5
    longest_run: float = 0.25
    reuse: float = 0.5
    forget: float = 4.0


class Library:
    """The frames of a recording, arranged to be searched.

    Args:
        frames: ``[time, channels * n_mels]`` log-mel frames of all channels side by side.
        frame_rate: frames a second.
    """

    def __init__(self, frames: np.ndarray, frame_rate: float, options: MatchingOptions) -> None:
        self.options, self.frame_rate = options, frame_rate
        self._mean = frames.mean(axis=0)
        colours = self._context(frames - self._mean)
        sample = colours[:: max(1, len(colours) // 8192)]
        _, _, basis = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)
        self._basis = basis[: options.dimensions].T
        self.features = np.ascontiguousarray(colours @ self._basis, dtype=np.float32)
        self._tree = cKDTree(self.features[:-1], balanced_tree=False, compact_nodes=False)
        steps = np.linalg.norm(np.diff(self.features, axis=0), axis=1)
        self.unit = float(np.mean(steps**2)) + 1e-12  # squared distance of one frame to the next: the scale of costs

    def _context(self, frames: np.ndarray) -> np.ndarray:
        """Each frame with its neighbours, most of the level removed from its own channel mean."""
        level = frames.mean(axis=1, keepdims=True)
        shaped = frames - (1.0 - self.options.level_weight) * level
        before = np.concatenate([shaped[:1], shaped[:-1]])
        after = np.concatenate([shaped[1:], shaped[-1:]])
        return np.concatenate([0.5 * before, shaped, 0.5 * after], axis=1)

    def describe(self, frames: np.ndarray) -> np.ndarray:
        """``[time, channels * n_mels]`` -> ``[time, dimensions]`` features."""
        return ((self._context(frames - self._mean)) @ self._basis).astype(np.float32)

    def nearest(self, features: np.ndarray) -> np.ndarray:
        """Candidate places ``[time, candidates]`` of each frame."""
        count = min(self.options.candidates, len(self.features) - 1)
        _, places = self._tree.query(features, k=count)
        return places.reshape(len(features), count)


class Path:
    """The places chosen so far; `extend` goes on from them."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.options = library.options
        self._last: int | None = None
        self._run = 0
        self._used = np.zeros(len(library.features), dtype=np.float32)

    def extend(self, frames: np.ndarray, final: int) -> np.ndarray:
        """Places ``[time]`` for ``[time, channels * n_mels]`` frames, of which the first ``final`` are committed to."""
        library, options = self.library, self.options
        features = library.describe(frames)
        places = self._candidates(library.nearest(features))
        target = ((library.features[places] - features[:, None]) ** 2).sum(-1) / library.unit
        target += options.reuse * self._used[places]
        path, runs = self._search(places, target)
        self._last, self._run = int(path[final - 1]), int(runs[final - 1])
        self._remember(path[:final])
        return path

    def _candidates(self, nearest: np.ndarray) -> np.ndarray:
        """Nearest places, and those that follow the nearest places of the frame before."""
        half = nearest[:, : max(1, nearest.shape[1] // 2)]
        first = np.full_like(half[:1], half[0, 0] if self._last is None else self._last)
        follow = np.minimum(np.concatenate([first, half[:-1]]) + 1, len(self.library.features) - 2)
        return np.concatenate([nearest, follow], axis=1)

    def _search(self, places: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cheapest path through the candidates, and how long each of its places has been read verbatim."""
        features, options = self.library.features, self.options
        longest = max(1, round(options.longest_run * self.library.frame_rate))
        before = places[0] if self._last is None else np.array([self._last])
        cost = np.zeros(len(before))
        run = np.full(len(before), 0 if self._last is None else self._run)
        came, runs = [], []
        for now, own in zip(places, target, strict=True):
            following = features[before + 1]
            join = ((following[:, None] - features[now][None]) ** 2).sum(-1) / self.library.unit
            reads_on = now[None] == before[:, None] + 1
            step = np.where(reads_on, 0.0, options.jump * (1.0 + join))
            step = np.where(reads_on & (run[:, None] >= longest), FAR, step)
            total = cost[:, None] + step
            best = total.argmin(axis=0)
            run = np.where(reads_on[best, np.arange(len(now))], run[best] + 1, 1)
            cost, before = total.min(axis=0) + own, now
            came.append(best)
            runs.append(run)
        chosen = int(cost.argmin())
        path, lengths = [], []
        for step_back in range(len(places) - 1, -1, -1):
            path.append(places[step_back, chosen])
            lengths.append(runs[step_back][chosen])
            chosen = int(came[step_back][chosen])
        return np.array(path[::-1]), np.array(lengths[::-1])

    def _remember(self, path: np.ndarray) -> None:
        self._used *= np.exp(-len(path) / (self.options.forget * self.library.frame_rate))
        reach = max(1, round(0.05 * self.library.frame_rate))
        for place in path:
            self._used[max(0, place - reach) : place + reach + 1] += 1.0
