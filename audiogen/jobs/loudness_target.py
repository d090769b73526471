"""Output at a target loudness: samples wait in a temporary file until their loudness is known."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from audiogen.audio import AudioWarning, LoudnessMeter, Recording, Writer, info, open_blocks
from audiogen.audio.true_peak import TruePeakMeter

MAX_TRUE_PEAK_DB = -1.0  # dBTP, as EBU R 128 has it for production
CHUNK = 1 << 16  # samples


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
    meter = LoudnessMeter(writer.sample_rate, writer.channels)
    peak = TruePeakMeter(writer.sample_rate, writer.channels)
    with tempfile.TemporaryFile(dir=writer.path.parent) as file:
        for block in _chunks(prompt, tail):
            meter.push(block.astype(np.float64))
            peak.push(block)
            file.write(np.ascontiguousarray(block.T, np.float32).tobytes())
        level = _level(meter.integrated(), peak.finish(), target)
        for text in _remarks(level, target, prompt is not None):
            warnings.warn(f"{writer.path}: {text}", AudioWarning, stacklevel=2)
        gain = np.float32(10 ** (level.gain_db / 20))
        for block in _read(file, writer.channels):
            writer.write(block * gain)
    return level


def level_at(recording: Recording, target: float) -> Level:
    """The level that a recording has at an integrated loudness in LUFS, as far as its true peak permits."""
    return _level_of(_chunks(recording, ()), recording.sample_rate, recording.channels, target)


def level_in(path: Path, target: float) -> Level:
    """The same of a file of any length, in bounded memory."""
    with warnings.catch_warnings(), open_blocks(path) as blocks:
        warnings.simplefilter("ignore", AudioWarning)
        return _level_of(blocks, blocks.sample_rate, blocks.channels, target)


def _level_of(blocks: Iterable[np.ndarray], sample_rate: int, channels: int, target: float) -> Level:
    meter, peak = LoudnessMeter(sample_rate, channels), TruePeakMeter(sample_rate, channels)
    for block in blocks:
        meter.push(block.astype(np.float64))
        peak.push(block)
    return _level(meter.integrated(), peak.finish(), target)


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


def lowered(level: Level, by_db: float) -> Level:
    """The level of the same samples with less gain."""
    peak = None if level.true_peak_dbtp is None else level.true_peak_dbtp - by_db
    return Level(None if level.lufs is None else level.lufs - by_db, peak, level.gain_db - by_db)


def amplified(recording: Recording, gain_db: float) -> Recording:
    """A recording at another level."""
    return Recording(recording.samples * np.float32(10 ** (gain_db / 20)), recording.sample_rate)


def _level(lufs: float | None, peak: float, target: float) -> Level:
    if lufs is None or peak == 0:
        return Level(None, 20 * math.log10(peak) if peak > 0 else None, 0.0)
    peak_db = 20 * math.log10(peak)
    gain_db = min(target - lufs, MAX_TRUE_PEAK_DB - peak_db)
    return Level(lufs + gain_db, peak_db + gain_db, gain_db)


def _remarks(level: Level, target: float, with_prompt: bool) -> Iterator[str]:
    if level.lufs is None:
        yield "too short or too quiet to have a loudness: its level was left alone"
        return
    if level.lufs < target - 0.05:
        cause = f"with more, its true peak would exceed {MAX_TRUE_PEAK_DB:g} dBTP"
        yield f"its loudness is {level.lufs:.1f} LUFS instead of {target:g}: {cause}"
    if with_prompt and level.gain_db:
        yield f"the prompt was amplified with the tail, by {level.gain_db:+.1f} dB; --tail-only leaves it out"


def _chunks(first: Recording | None, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """A recording's samples ``[channels, time]`` in chunks, then blocks."""
    for block in first.blocks() if first is not None else ():
        for start in range(0, block.shape[1], CHUNK):
            yield block[:, start : start + CHUNK]
    yield from blocks


def _read(file: BinaryIO, channels: int) -> Iterator[np.ndarray]:
    file.seek(0)
    while content := file.read(4 * channels * CHUNK):
        yield np.frombuffer(content, np.float32).reshape(-1, channels).T
