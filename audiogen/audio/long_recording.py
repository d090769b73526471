"""A recording that is too long to be held in memory: it stays in its file, and is read from there in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio.decoding import open_source
from audiogen.audio.recording import Recording
from audiogen.audio.sample_checks import SampleChecker
from audiogen.errors import InputError


@dataclass(frozen=True)
class Survey:
    """What one pass over a file has found of the samples of a recording.

    Args:
        length: samples per channel.
        peak: largest magnitude, 1.0 at full scale.
        silent: channels of digital silence.
        fits_24_bits: whether 24-bit integers hold all samples exactly.
        stamp: `stamp_of` the file.
    """

    length: int
    peak: float
    silent: tuple[int, ...]
    fits_24_bits: bool
    stamp: tuple[int, int]


class LongRecording(Recording):
    """A Recording of which only the last samples are held; the others are read from the file when they are needed.

    Whoever works in bounded memory asks for `blocks` or a `cut`; ``samples`` reads all of them at each access. Peak and
    silent channels of a cut that is not held are those of the whole. `dataclasses.replace`, and with it `resampled`,
    makes a `Recording` in memory.

    Args:
        path: the file.
        start: position in it of the first sample.
        sample_rate: Hz.
        subtype, layout: as of `Recording`.
        survey: of the samples from ``start`` on.
        end: ``[channels, time]`` float32, those that are held.
    """

    path: Path
    start: int
    survey: Survey
    end: np.ndarray

    def __new__(cls, *values: Any, **named: Any) -> Any:
        """A `Recording` of fields such as `dataclasses.replace` gives: it has ``samples``."""
        return Recording(*values, **named) if "samples" in named else super().__new__(cls)

    def __init__(
        self,
        path: Path,
        start: int,
        sample_rate: int,
        subtype: str | None,
        layout: Any,
        survey: Survey,
        end: np.ndarray,
    ) -> None:
        values = {"sample_rate": sample_rate, "subtype": subtype, "path": path, "layout": layout, "start": start}
        for name, value in {**values, "survey": survey, "end": end}.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, start={self.start}, length={self.length})"

    @property
    def samples(self) -> np.ndarray:
        samples, done = np.empty((self.channels, self.length), np.float32), 0
        for block in self.blocks():
            samples[:, done : done + block.shape[1]] = block
            done += block.shape[1]
        return samples

    @property
    def channels(self) -> int:
        return self.end.shape[0]

    @property
    def length(self) -> int:
        return self.survey.length

    @property
    def peak(self) -> float:
        return self.survey.peak

    @property
    def sounds(self) -> bool:
        return self.survey.peak > 0

    @property
    def silent(self) -> tuple[int, ...]:
        return self.survey.silent

    def cut(self, start: int, stop: int) -> Recording:
        """Samples ``start`` to ``stop`` (exclusive): in memory where they are held, otherwise a `LongRecording`."""
        self.require_range(start, stop)
        if stop - start == self.length > self.end.shape[1]:
            return self
        first = self.length - self.end.shape[1]  # that is held
        first_in_file = self.start + start
        if start >= first:
            held = self.end[:, start - first : stop - first]
            return Recording.of_checked(held, self.sample_rate, self.subtype, self.path, self.layout, first_in_file)
        survey, end = replace(self.survey, length=stop - start), self.end[:, : max(stop - first, 0)]
        return LongRecording(self.path, first_in_file, self.sample_rate, self.subtype, self.layout, survey, end)

    def loaded(self) -> Recording:
        return Recording.of_checked(self.samples, self.sample_rate, self.subtype, self.path, self.layout, self.start)

    def blocks(self, dtype: type[np.float32] | type[np.float64] = np.float32) -> Iterator[np.ndarray]:
        """All samples in blocks ``[channels, time]``, decoded again from the file.

        Raises:
            InputError: the file is missing, or is not the one that was surveyed.
        """
        if self.path.exists() and stamp_of(self.path) != self.survey.stamp:
            raise self._changed()
        source, checker = open_source(self.path, dtype), SampleChecker(self.channels, self.subtype or "")
        position, stop = 0, self.start + self.length
        try:
            for chunk in source.chunks():
                part = checker.check(chunk)[:, max(self.start - position, 0) : max(stop - position, 0)]
                position += chunk.shape[1]
                if part.shape[1]:
                    yield part.copy()  # the decoder reuses its memory
                if position >= stop:
                    return
        finally:
            source.close()
        raise self._changed()

    def _changed(self) -> InputError:
        return InputError(self.path, "it has changed since the command began", "run the command again")


def stamp_of(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns
