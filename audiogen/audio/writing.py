"""Writes audio files in blocks: quantised and dithered, into a temporary file that is renamed when complete."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from audiogen.audio.channel_layout import ChannelLayout
from audiogen.audio.metadata import Metadata
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.audio.sample_formats import (
    BITS,
    DITHERED,
    EXACT_SUBTYPES,
    UNLIMITED,
    container_for,
    exact_blocks,
    lossless_subtype,
    subtype_for,
)
from audiogen.audio.soundfile_decoder import CHUNK
from audiogen.audio.soundfile_writer import SoundfileWriter
from audiogen.audio.wav_writer import WavWriter
from audiogen.errors import InputError
from audiogen.file_names import to_path
from audiogen.part_file import PartFile

FULL_SCALE = 1 + 1e-6
"""Magnitude from which a sample counts as clipped: a limiter at full scale may be beyond it by a rounding error."""


class Sink(Protocol):
    """A file under construction."""

    def write(self, values: np.ndarray) -> None:
        """Append ``[time, channels]`` integer codes or floats."""

    def close(self, complete: bool = True) -> None:
        """Finish the file, unless it is incomplete and will be removed."""


class _Rehearsed(Exception):
    """Ends a rehearsal: a `Writer` removes its file on any exception."""


class Writer:
    """Writes an audio file in blocks, in bounded memory and atomically.

    A context manager: blocks go to a hidden file in the same folder, which takes the name of the target on success, and
    is removed on any exception, Ctrl-C included. A target that existed before is replaced.

    Samples are rounded to the nearest code; those beyond full scale are clipped, counted, and warned of at the end.
    For 8, 16 and 24 bits, triangular dither (the difference of two uniform random values of one step each) makes the
    mean and variance of the error independent of the signal (Lipshitz, Wannamaker & Vanderkooy 1992, J. Audio Eng.
    Soc. 40(5)); ``exact`` blocks are not dithered. Random values are used for dithered samples only, so that neither
    the sizes of the blocks nor an exact part before them changes a byte.

    Args:
        path: the file; its suffix names the container (a key of `CONTAINERS`).
        sample_rate: Hz.
        channels: rows of each block.
        subtype: sample format; None for the container's default, PCM_24 for WAV and FLAC.
        dither_seed: random seed of the dither.
        layout: loudspeaker positions of the channels; None for the default.
        silent: channels of digital silence, which are not dithered.
        metadata: what to store besides samples; None for nothing. What the container cannot store is warned of at the
            end, except for new markers.

    Attributes:
        length: samples per channel written so far.
        clipped: number of samples, over all channels, that were clipped.
        rounded: number of samples of recordings, over all channels, that the subtype cannot represent.

    Raises:
        InputError: unknown suffix or subtype, no such folder, a sample rate or number of channels that the container
            does not support; another process has written the file meanwhile.
        OSError: the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        channels: int,
        subtype: str | None = None,
        dither_seed: int = 0,
        layout: ChannelLayout | None = None,
        silent: Sequence[int] = (),
        metadata: Metadata | None = None,
    ) -> None:
        self.path = Path(path)
        self._container, self.subtype = container_for(self.path, subtype)
        if self.path.is_dir():
            raise InputError(self.path, "it is a folder", "name a file")
        if not self.path.parent.is_dir():
            raise InputError(self.path, "its folder does not exist", f"create {self.path.parent} first")
        self.sample_rate, self.channels = sample_rate, channels
        self.length = self.clipped = self.rounded = 0
        self._layout, self._silent = layout, list(silent)
        self._metadata = metadata or Metadata()
        self._lossless_subtype, self._counts_rounded = "", False
        self._peak = 0.0
        self._noise = np.random.Generator(np.random.PCG64(dither_seed))
        self._sink: Sink | None = None
        self._files = ExitStack()

    def __enter__(self) -> Writer:
        with ExitStack() as files:  # removes the part file if it cannot be opened
            self._sink = self._open(files.enter_context(PartFile(self.path, exclusive=True)))
            files.push(self._close)
            self._files = files.pop_all()
        return self

    def rehearse(self) -> None:
        """Raise the errors of ``with`` before any work is done, without leaving a file."""
        with suppress(_Rehearsed), self:
            raise _Rehearsed

    def _open(self, part: Path) -> Sink:
        try:
            return self._sink_at(part)
        except OSError as error:
            cause = f"it cannot be written ({error.strerror})"
            raise InputError(self.path, cause, "check its folder") from error
        except RuntimeError as error:  # libsndfile's
            combination = f"{self.channels} channels at {self.sample_rate} Hz as {self._container} {self.subtype}"
            reason = getattr(error, "error_string", error)
            raise InputError(self.path, f"it cannot have {combination} ({reason})", "write a .wav") from error

    def _sink_at(self, part: Path) -> Sink:
        if self._container == "WAV":
            before, after = self._metadata.chunks_before_data(), self._metadata.chunks_after_data(self.sample_rate)
            return WavWriter(part, self.sample_rate, self.channels, self.subtype, self._layout, before, after)
        kind, tags = (self._container, self.subtype), self._metadata.named_tags
        return SoundfileWriter(part, self.sample_rate, self.channels, *kind, self._layout, tags)

    def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close(complete=kind is None)

    def append(self, recording: Recording) -> None:
        """Append a Recording without dither, with all bits of its file that the subtype can represent.

        Samples that are rounded although those of the file are exact are counted, and warned of at the end.
        """
        self._lossless_subtype = lossless_subtype(recording) or "PCM_24"
        self._counts_rounded = recording.subtype in EXACT_SUBTYPES
        try:
            for block in exact_blocks(recording):
                self.write(block, exact=True)
        finally:
            self._counts_rounded = False

    def write(self, block: np.ndarray, exact: bool = False) -> None:
        """Append samples.

        Args:
            block: ``[channels, time]``; full scale is -1..1.
            exact: round without dither, so that samples that the subtype can represent are kept bit for bit.

        Raises:
            ValueError: another shape, NaN or infinite samples, or a Writer that is not open.
            InputError: libsndfile fails for another reason than the system.
            OSError: the disk is full.
        """
        if self._sink is None:
            raise ValueError("a Writer accepts blocks only inside its `with`")
        if block.ndim != 2 or block.shape[0] != self.channels:
            raise ValueError(f"a block must be [{self.channels}, time], not {block.shape}")
        for start in range(0, block.shape[1], CHUNK):
            chunk = block[:, start : start + CHUNK].T
            self._measure(chunk)
            try:
                self._sink.write(self._stored(chunk, exact))
            except RuntimeError as error:  # libsndfile's
                reason = getattr(error, "error_string", error)
                raise InputError(self.path, f"it cannot be written ({reason})", "write a .wav") from error
            self.length += len(chunk)

    def _measure(self, chunk: np.ndarray) -> None:
        magnitude = np.abs(chunk)
        peak = float(magnitude.max(initial=0.0))
        if not np.isfinite(peak):
            raise ValueError(f"samples for {self.path} are NaN or infinite")
        self._peak = max(self._peak, peak)
        if self.subtype not in UNLIMITED:
            self.clipped += int(np.count_nonzero(magnitude > FULL_SCALE))

    def _stored(self, chunk: np.ndarray, exact: bool) -> np.ndarray:
        """``[time, channels]`` floats -> integer codes, or floats for subtypes that store them."""
        if self.subtype in UNLIMITED:
            if self._counts_rounded and chunk.dtype == np.float64 and self.subtype == "FLOAT":
                self.rounded += int(np.count_nonzero(chunk.astype(np.float32) != chunk))
            return chunk
        if self.subtype not in BITS:  # a lossy codec takes floats
            return np.clip(chunk, -1.0, 1.0).astype(np.float32)
        full_scale = 2.0 ** (BITS[self.subtype] - 1)
        steps = chunk.astype(np.float64) * full_scale
        if self.subtype in DITHERED and not exact:
            uniform = self._noise.random((*steps.shape, 2), dtype=np.float32)
            noise = uniform[..., 0] - uniform[..., 1]
            noise[:, self._silent] = 0
            steps += noise
        codes = np.clip(np.rint(steps), -full_scale, full_scale - 1)
        if self._counts_rounded:
            self.rounded += int(np.count_nonzero((codes != steps) & (np.abs(steps) <= full_scale)))
        return codes.astype(np.int32)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sink is None:
            return
        self._files.__exit__(kind, error, trace)
        if kind is None:
            for text in self._remarks():
                warnings.warn(f"{self.path}: {text}", AudioWarning, stacklevel=2)

    def _remarks(self) -> Iterator[str]:
        total = self.length * self.channels
        if self.clipped:
            level = f"peak {20 * np.log10(self._peak):+.1f} dBFS"
            cure = "keep them with --subtype FLOAT into a .wav, or lower the level"
            yield f"{self.clipped} of {total} samples exceeded full scale ({level}) and were clipped; {cure}"
        if self.rounded:
            cure = f"keep them with --subtype {self._lossless_subtype} into a .wav"
            yield f"{self.rounded} of {total} samples have more bits than {self.subtype} and were rounded; {cure}"
        if (
            self._layout is not None
            and self._container != "WAV"
            and not self._layout.is_implied(self._container, self.channels)
        ):
            yield f"a {self.path.suffix} file cannot store the {self._layout} of its channels; write a .wav"
        yield from self._metadata.remarks
        if self._container != "WAV" and (beyond := self._metadata.beyond_tags(self._container)):
            yield f"a {self.path.suffix} file cannot store {', '.join(beyond)} of the prompt: dropped; write a .wav"


def write(
    path: str | os.PathLike[str],
    recording: Recording,
    subtype: str | None = None,
    exact: bool = False,
    dither_seed: int = 0,
) -> None:
    """Write a whole Recording with a `Writer`.

    Args:
        path: the file; its suffix names the container (a key of `CONTAINERS`).
        recording: what to write.
        subtype: sample format; None for `subtype_for` the recording.
        exact: do not dither, and keep all bits of the recording's file that the subtype can represent.
        dither_seed: random seed of the dither.

    Raises:
        InputError, OSError: as of `Writer`.
    """
    path = to_path("path", path)
    if not isinstance(recording, Recording):
        cause = f"it is of type {type(recording).__name__}"
        raise InputError("recording", cause, "give Recording(samples, sample_rate)")
    subtype = subtype or subtype_for(recording, path)
    rate, channels = recording.sample_rate, recording.channels
    with Writer(path, rate, channels, subtype, dither_seed, recording.layout) as writer:
        if exact:
            writer.append(recording)
        else:
            writer.write(recording.samples)
