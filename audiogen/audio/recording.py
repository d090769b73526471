"""Recording: samples in, samples out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audiogen.audio.layout import ChannelLayout
from audiogen.audio.resampling import resample


class AudioWarning(UserWarning):
    """Something about a recording that its user should know, in one line; the work goes on."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples plus their rate, and what is known of the file that they came from.

    Args:
        samples: ``[channels, time]`` float32; full scale is -1..1 and may be exceeded. At least one channel.
        sample_rate: Hz.
        subtype: how its file stored the samples, in libsndfile's words: "PCM_16", "FLOAT", "VORBIS"...;
            None for samples that came from no file.
        path: the file.
        layout: what its channels are for; None for the usual.
        start: sample of the file that is the first here; None when these are no longer the samples of the file.

    Raises:
        ValueError: for samples of another shape or type, or a rate that is not a positive integer.
    """

    samples: np.ndarray
    sample_rate: int
    subtype: str | None = None
    path: Path | None = None
    layout: ChannelLayout | None = None
    start: int | None = None

    def __post_init__(self) -> None:
        samples = self.samples
        if not isinstance(samples, np.ndarray) or samples.ndim != 2 or samples.shape[0] < 1:
            shape = getattr(samples, "shape", type(samples).__name__)
            raise ValueError(f"samples must be an array [channels, time] with a channel or more, not {shape}")
        if samples.dtype != np.float32:
            raise ValueError(f"samples must be float32, not {samples.dtype}")
        if not isinstance(self.sample_rate, int) or self.sample_rate <= 0:
            raise ValueError(f"sample_rate must be a positive integer in Hz, not {self.sample_rate!r}")

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.samples.shape[0]

    @property
    def length(self) -> int:
        """Number of samples in each channel."""
        return self.samples.shape[1]

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.length / self.sample_rate

    @property
    def silent(self) -> tuple[int, ...]:
        """Channels of digital silence."""
        return tuple(index for index, samples in enumerate(self.samples) if not samples.any())

    def cut(self, start: int, stop: int) -> Recording:
        """Samples ``start`` to ``stop`` (exclusive) as a view.

        Raises:
            ValueError: unless 0 <= start <= stop <= length.
        """
        if not 0 <= start <= stop <= self.length:
            raise ValueError(f"0 <= start ({start}) <= stop ({stop}) <= length ({self.length}) must hold")
        first = None if self.start is None else self.start + start
        return replace(self, samples=self.samples[:, start:stop], start=first)

    def resampled(self, rate: int) -> Recording:
        """The same sound at another rate in Hz; itself when the rate is its own."""
        if rate == self.sample_rate:
            return self
        samples = resample(self.samples, self.sample_rate, rate)
        return replace(self, samples=samples, sample_rate=rate, start=None)
