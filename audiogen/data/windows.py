"""Training windows: stretches of frames drawn at random, each batch a function of (seed, step) alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray


class Windows:
    """Random stretches of a set of recordings.

    Since a batch depends on the seed and the step only, a training that was interrupted goes on with exactly
    the batches that it would have had.

    Args:
        recordings: ``[time, feature]`` frames each, arrays or memory maps.
        length: frames of a window; shortened to the longest recording if that is shorter, in whole
            ``multiple``.
        multiple: windows are a multiple of this long.
        centres: ``[feature]`` each, what is subtracted later from the frames of each recording.
        seed: of the draws.
    """

    def __init__(
        self, recordings: Sequence[Array], length: int, multiple: int, centres: Sequence[Tensor], seed: int
    ) -> None:
        longest = max(len(frames) for frames in recordings)
        self.length = max(min(length, longest) // multiple, 1) * multiple
        usable = [
            (frames, centre) for frames, centre in zip(recordings, centres, strict=True) if len(frames) >= self.length
        ]
        if not usable:
            raise ValueError(f"no recording has {self.length} frames")
        self.recordings = [frames for frames, _ in usable]
        self.centres = torch.stack([centre for _, centre in usable])
        starts = np.array([len(frames) - self.length + 1 for frames in self.recordings])
        self.ends = starts.cumsum()
        self.seed = seed

    def batch(self, step: int, size: int) -> tuple[Tensor, Tensor]:
        """``[size, length, feature]`` windows, all starts equally likely; ``[size, 1, feature]`` centres."""
        draws = np.random.Generator(np.random.PCG64([self.seed, step])).integers(self.ends[-1], size=size)
        return self._at(draws)

    def spread(self, count: int) -> tuple[Tensor, Tensor]:
        """``count`` windows at even distances, for validation: the same each time."""
        return self._at(np.linspace(0, self.ends[-1] - 1, count).astype(int))

    def _at(self, draws: Array) -> tuple[Tensor, Tensor]:
        which = np.searchsorted(self.ends, draws, side="right")
        starts = draws - np.where(which > 0, self.ends[which - 1], 0)
        windows = [
            self.recordings[index][start : start + self.length] for index, start in zip(which, starts, strict=True)
        ]
        return torch.from_numpy(np.stack(windows)), self.centres[torch.from_numpy(which)].unsqueeze(1)
