"""Training windows: random segments of frames, each batch a function of the seed and the step alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray


class Windows:
    """Random segments of a set of recordings.

    A batch depends on the seed and the step only, so a resumed training gets the batches that it would have had.

    Args:
        recordings: ``[time, feature]`` frames each, arrays or memory maps.
        length: frames of a window; at most the length of the longest recording.
        multiple: the length is rounded down to a multiple of this.
        centres: ``[feature]`` each, to subtract from the frames of each recording later.
        seed: of the windows.

    Raises:
        ValueError: all recordings are shorter than ``multiple``.
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
        """``[size, length, feature]`` windows, all starts equally likely, and ``[size, 1, feature]`` centres."""
        numbers = np.random.Generator(np.random.PCG64([self.seed, step])).integers(self.ends[-1], size=size)
        return self._windows(numbers)

    def spread(self, count: int) -> tuple[Tensor, Tensor]:
        """``count`` evenly spaced windows, for validation: the same at every call."""
        return self._windows(np.linspace(0, self.ends[-1] - 1, count).astype(int))

    def _windows(self, numbers: Array) -> tuple[Tensor, Tensor]:
        """The windows of these numbers, counted over all recordings."""
        which = np.searchsorted(self.ends, numbers, side="right")
        starts = numbers - np.where(which > 0, self.ends[which - 1], 0)
        windows = [
            self.recordings[index][start : start + self.length] for index, start in zip(which, starts, strict=True)
        ]
        return torch.from_numpy(np.stack(windows)), self.centres[torch.from_numpy(which)].unsqueeze(1)
