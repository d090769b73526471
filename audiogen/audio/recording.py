"""Recording: samples and their sample rate."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from audiogen.audio.channel_layout import ChannelLayout
from audiogen.audio.resampling import resample
from audiogen.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 1 << 20
"""Samples per channel of `Recording.blocks`."""

Samples: TypeAlias = "NDArray[np.floating[Any]] | Tensor"
"""Samples of a recording: ``[time]`` or ``[channels, time]``, of any floating-point type, in numpy or torch."""


class AudioWarning(UserWarning):
    """A problem with a recording that does not stop the work, in one line."""


@dataclass(frozen=True, eq=False, init=False)
class Recording:
    """Samples, their sample rate, and what is known of the file they come from.

    Args:
        samples: ``[channels, time]``, or ``[time]`` for one channel: a numpy array or torch tensor of any
            floating-point type. Full scale is -1 to 1 and may be exceeded. Kept as ``[channels, time]`` float32
            numpy, without a copy if they are that already.
        sample_rate: Hz.
        subtype: how the file stores its samples, in libsndfile's terms: "PCM_16", "FLOAT", "VORBIS", ...; None for
            samples that come from no file.
        path: the file.
        layout: speaker positions of the channels; None for the usual ones.
        start: position in the file of the first sample; None if these are not samples of the file as they are.

    Raises:
        InputError: the samples have another shape, are integers, or some are NaN or infinite; or the sample rate is no
            positive integer.

    Example:
        >>> tone = np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)
        >>> Recording(tone, 48000).samples.shape
        (1, 48000)
    """

    samples: np.ndarray
    sample_rate: int
    subtype: str | None = None
    path: Path | None = None
    layout: ChannelLayout | None = None
    start: int | None = None

    def __init__(
        self,
        samples: Samples,
        sample_rate: int,
        subtype: str | None = None,
        path: Path | None = None,
        layout: ChannelLayout | None = None,
        start: int | None = None,
    ) -> None:
        values = {
            "samples": to_channels(samples),
            "sample_rate": _positive(sample_rate),
            "subtype": subtype,
            "path": path,
            "layout": layout,
            "start": start,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of_checked(cls, samples: np.ndarray, *values: Any) -> Recording:
        """A Recording of ``[channels, time]`` float32 that are known to be finite: they are not searched again.

        Args:
            samples: as they are to be kept.
            values: the other fields, in their order.
        """
        recording = cls(samples[:, :0], *values)
        object.__setattr__(recording, "samples", samples)
        return recording

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
    def peak(self) -> float:
        """Largest magnitude, 1.0 at full scale."""
        return float(max(self.samples.max(initial=0.0), -self.samples.min(initial=0.0)))

    @property
    def sounds(self) -> bool:
        """Whether any sample is not 0."""
        return bool(self.samples.any())

    @property
    def silent(self) -> tuple[int, ...]:
        """Channels of digital silence."""
        return tuple(index for index, samples in enumerate(self.samples) if not samples.any())

    def cut(self, start: int, stop: int) -> Recording:
        """Samples ``start`` to ``stop`` (exclusive) as a view; itself if that is all of it.

        Raises:
            ValueError: unless 0 <= start <= stop <= length.
        """
        self.require_range(start, stop)
        if stop - start == self.length:
            return self
        first = None if self.start is None else self.start + start
        return replace(self, samples=self.samples[:, start:stop], start=first)

    def last(self, seconds: float) -> Recording:
        """The last seconds of it as a view, or all of it if it is shorter."""
        return self.cut(max(0, self.length - round(seconds * self.sample_rate)), self.length)

    def require_range(self, start: int, stop: int) -> None:
        """Raise a ValueError unless 0 <= start <= stop <= length."""
        if not 0 <= start <= stop <= self.length:
            raise ValueError(f"0 <= start ({start}) <= stop ({stop}) <= length ({self.length}) must hold")

    def loaded(self) -> Recording:
        """The same, with all samples in memory."""
        return self

    def blocks(self) -> Iterator[np.ndarray]:
        """All samples in blocks ``[channels, time]``."""
        for first in range(0, self.length, BLOCK):
            yield self.samples[:, first : first + BLOCK]

    def resampled(self, rate: int) -> Recording:
        """The same sound at another rate in Hz; itself when the rate is its own."""
        if rate == self.sample_rate:
            return self
        samples = resample(self.samples, self.sample_rate, rate)
        return replace(self, samples=samples, sample_rate=rate, start=None)


def to_channels(samples: Samples) -> np.ndarray:
    """Samples as ``[channels, time]`` float32 numpy, without a copy if they are that already.

    Raises:
        InputError: see `Recording`.
    """
    array = _to_numpy(samples)
    if array.dtype.kind in "iub":
        cause = f"they are {array.dtype}, whose full scale is not known"
        raise InputError("samples", cause, "scale them to -1..1: 16-bit integers by samples / 32768")
    if array.dtype.kind != "f":
        raise InputError("samples", f"they are {array.dtype}", "give real floating-point numbers")
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[0] == 0):
        shape = list(array.shape)
        raise InputError("samples", f"their shape is {shape}", "give [channels, time], or [time] for one channel")
    with np.errstate(over="ignore", invalid="ignore"):  # float64 beyond float32's range becomes infinite
        array = np.require(array, np.float32, ["W", "E"])  # torch warns of arrays that cannot be written to
        finite = bool(np.isfinite(array.sum()) or np.isfinite(array).all())  # the sum takes no memory
    if not finite:
        count = array.size - int(np.isfinite(array).sum())
        raise InputError("samples", f"{count} of {array.size} are NaN or infinite", "replace them: numpy.nan_to_num")
    return array[None] if array.ndim == 1 else array


def _to_numpy(samples: object) -> np.ndarray:
    if isinstance(samples, np.ndarray):
        return samples
    if hasattr(samples, "detach"):  # a tensor, without importing torch
        tensor = samples.detach()
        if str(tensor.layout) != "torch.strided" or tensor.is_meta:
            raise InputError("samples", f"a {tensor.layout} tensor on {tensor.device} is not dense", "give a dense one")
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy(force=True)
    raise InputError("samples", f"a {type(samples).__name__} is not an array", "give a numpy array or a torch tensor")


def _positive(sample_rate: int) -> int:
    try:
        rate = operator.index(sample_rate)
    except TypeError:
        rate = 0
    if rate <= 0 or isinstance(sample_rate, bool):
        raise InputError("sample_rate", f"{sample_rate!r} is not a positive integer", "give Hz, such as 44100")
    return rate
