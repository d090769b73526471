"""Output at a target loudness: samples wait in a temporary file until their loudness is known."""

from __future__ import annotations

import math
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from audiogen.audio import AudioWarning, LoudnessMeter, Recording, Writer, info
from audiogen.audio.loudness import STEP_SECONDS, STEPS_PER_BLOCK
from audiogen.audio.true_peak import TruePeakMeter

MAX_TRUE_PEAK_DB = -1.0  # dBTP, as EBU R 128 has it for production
BED_PERCENTILE = 20.0  # of the loudness of 400 ms: what lies beneath events that fill less than four fifths
TOLERANCE = 0.05  # LU below a target that are not worth a word
CHUNK = 1 << 16  # samples
NO_LOUDNESS = "too short or too quiet to have a loudness: its level was left alone"


@dataclass(frozen=True)
class Level:
    """Loudness of an output, and what was done to reach it.

    Args:
        lufs: integrated loudness; None for what is too short or too quiet to have one.
        true_peak_dbtp: dB relative to full scale; None for silence.
        gain_db: by which all samples were amplified.
    """

    lufs: float | None
    true_peak_dbtp: float | None
    gain_db: float


class Loudness(NamedTuple):
    """What a level is decided by.

    Args:
        lufs: integrated loudness; None for what is too short or too quiet to have one.
        peak: true peak, linear.
        bed: loudness in LUFS of what lies beneath events, `BED_PERCENTILE` of the blocks of 400 ms; minus infinity of
            less than one.
        seconds: length.
    """

    lufs: float | None
    peak: float
    bed: float
    seconds: float

    def level(self, gain_db: float) -> Level:
        """The level with a gain in dB, or with the highest below it that the true peak permits; of silence, with 0."""
        if self.lufs is None or self.peak == 0:
            return Level(None, 20 * math.log10(self.peak) if self.peak > 0 else None, 0.0)
        peak_db = 20 * math.log10(self.peak)
        gain_db = min(gain_db, MAX_TRUE_PEAK_DB - peak_db)
        return Level(self.lufs + gain_db, peak_db + gain_db, gain_db)

    def level_at(self, target: float) -> Level:
        """The level at an integrated loudness in LUFS, as far as the true peak permits."""
        return self.level(0.0 if self.lufs is None else target - self.lufs)


def write_at_loudness(writer: Writer, prompt: Recording | None, tail: Iterable[np.ndarray], target: float) -> Level:
    """Write a prompt and its tail, amplified as a whole to a loudness, as far as the true peak permits.

    Args:
        writer: of the output; the temporary file needs room beside it for the samples as float32.
        prompt: None to write the tail alone.
        tail: blocks ``[channels, time]``.
        target: integrated loudness, LUFS.

    Warns:
        AudioWarning: the target is not reached; the prompt's samples are not kept as they are.
    """
    with tempfile.TemporaryFile(dir=writer.path.parent) as file:
        held = HeldSound(file, _chunks(prompt, tail), writer.sample_rate, writer.channels)
        level = held.loudness.level_at(target)
        for text in loudness_remarks(level, target, prompt is not None):
            warnings.warn(f"{writer.path}: {text}", AudioWarning, stacklevel=2)
        for block in held.blocks(level.gain_db):
            writer.write(block)
    return level


class HeldSound:
    """A sound that waits in a temporary file until its level is decided; one file holds any number of them.

    Args:
        file: to append the samples to, as float32.
        blocks: ``[channels, time]``.
        sample_rate: Hz.
        channels: number of channels.

    Attributes:
        loudness: its own.
    """

    def __init__(self, file: BinaryIO, blocks: Iterable[np.ndarray], sample_rate: int, channels: int) -> None:
        self._file, self._channels, self._start = file, channels, file.seek(0, os.SEEK_END)
        self.loudness = _measured(self._kept(blocks), sample_rate, channels)
        self._stop = file.tell()

    def _kept(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for block in blocks:
            self._file.write(np.ascontiguousarray(block.T, np.float32).tobytes())
            yield block

    def blocks(self, gain_db: float = 0.0) -> Iterator[np.ndarray]:
        """The samples ``[channels, time]``, amplified."""
        gain, position = np.float32(10 ** (gain_db / 20)), self._start
        while position < self._stop:
            self._file.seek(position)
            content = self._file.read(min(4 * self._channels * CHUNK, self._stop - position))
            position += len(content)
            yield np.frombuffer(content, np.float32).reshape(-1, self._channels).T * gain


def measured_loudness(recording: Recording) -> Loudness:
    """What the level of a recording is decided by."""
    return _measured(_chunks(recording, ()), recording.sample_rate, recording.channels)


def highest_bed(recording: Recording, seconds: float) -> float:
    """The highest `Loudness.bed` of a recording's segments of a length, or of all of it if it is shorter."""
    meter = LoudnessMeter(recording.sample_rate, recording.channels)
    for block in _chunks(recording, ()):
        meter.push(block.astype(np.float64))
    momentary = meter.momentary()
    count = min(max(round(seconds / STEP_SECONDS) - STEPS_PER_BLOCK + 1, 1), len(momentary))
    if not count:
        return -math.inf
    segments = np.lib.stride_tricks.sliding_window_view(momentary, count)
    return float(np.percentile(segments, BED_PERCENTILE, axis=1).max())


def _measured(blocks: Iterable[np.ndarray], sample_rate: int, channels: int) -> Loudness:
    meter, peak, length = LoudnessMeter(sample_rate, channels), TruePeakMeter(sample_rate, channels), 0
    for block in blocks:
        meter.push(block.astype(np.float64))
        peak.push(block)
        length += block.shape[1]
    momentary = meter.momentary()
    bed = float(np.percentile(momentary, BED_PERCENTILE)) if len(momentary) else -math.inf
    return Loudness(meter.integrated(), peak.finish(), bed, length / sample_rate)


def loudness_of(recording: Recording) -> float | None:
    """Integrated loudness in LUFS; None if too short or too quiet."""
    meter = LoudnessMeter(recording.sample_rate, recording.channels)
    for block in _chunks(recording, ()):
        meter.push(block.astype(np.float64))
    return meter.integrated()


def loudness_in(path: Path) -> float | None:
    """The same of a file of any length, in bounded memory; what else is to be said of it is left to others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        return info(path).loudness_lufs


def amplified(recording: Recording, gain_db: float) -> Recording:
    """A recording at another level."""
    return Recording(recording.samples * np.float32(10 ** (gain_db / 20)), recording.sample_rate)


def missed_loudness(lufs: float, target: float) -> str:
    """What is to be said of a loudness that a true peak keeps below its target, LUFS."""
    cause = f"with more, its true peak would exceed {MAX_TRUE_PEAK_DB:g} dBTP"
    return f"its loudness is {lufs:.1f} LUFS instead of {target:g}: {cause}"


def loudness_remarks(level: Level, target: float, with_prompt: bool) -> Iterator[str]:
    """What is to be said of a level that was asked for, a line each."""
    if level.lufs is None:
        yield NO_LOUDNESS
        return
    if level.lufs < target - TOLERANCE:
        yield missed_loudness(level.lufs, target)
    if with_prompt and level.gain_db:
        yield f"the prompt's level was changed with the tail's, by {level.gain_db:+.1f} dB; --tail-only leaves it out"


def _chunks(first: Recording | None, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """A recording's samples ``[channels, time]`` in chunks, then blocks."""
    for block in first.blocks() if first is not None else ():
        for start in range(0, block.shape[1], CHUNK):
            yield block[:, start : start + CHUNK]
    yield from blocks
