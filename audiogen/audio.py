"""Recording: samples in, samples out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples ``[channels, time]`` float32 (full scale is -1..1) plus the sample rate in Hz."""

    samples: np.ndarray
    sample_rate: int
