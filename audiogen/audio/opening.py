"""Opens recordings of any length: short ones are read, long ones stay in their files."""

from __future__ import annotations

import warnings
from collections import deque
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np

from audiogen.audio.long_recording import LongRecording, Survey, stamp_of
from audiogen.audio.reading import open_blocks
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.audio.sample_checks import SampleChecker, sample_remarks
from audiogen.audio.sample_formats import fits_24_bits
from audiogen.audio.segments import read_segment


def open_recording(path: Path, start: float | None, stop: float | None, most: float) -> Recording:
    """Read a recording or a part of it; of one of more than ``most`` seconds only the end is held.

    Args:
        path: audio file.
        start, stop: of the part, seconds; None for the beginning and the end.
        most: seconds that are held at most.

    Returns:
        A `LongRecording` if it is longer, after one pass over the file.

    Warns, raises:
        as `audiogen.audio.read`, of what is read: of the samples of a part, not of the file's.
    """
    for_part = start is not None or stop is not None
    with open_blocks(path, for_part=for_part) as blocks:
        rate, stated = blocks.sample_rate, blocks.length
        first = round((start or 0.0) * rate)
        last = inf if stop is None else round(stop * rate)
        if stated is not None and min(last, stated) - first > most * rate:
            stamp = stamp_of(path)
            position, fits, sounding = 0, True, np.zeros(blocks.channels, bool)
            ending, held = deque[np.ndarray](), 0
            checker = SampleChecker(blocks.channels, blocks.subtype)
            for block in blocks:
                part = block[:, max(first - position, 0) : None if last == inf else max(int(last) - position, 0)]
                position += block.shape[1]
                if part.shape[1]:
                    checker.check(part)
                sounding |= part.any(axis=1)
                fits = fits and fits_24_bits(part, blocks.subtype)
                ending.append(part)
                held += part.shape[1]
                while held - ending[0].shape[1] >= most * rate:
                    held -= ending.popleft().shape[1]
                if position >= last:
                    break  # what follows is not decoded
            if for_part:  # its samples were interpolated on the way
                findings = replace(checker.findings, nonfinite=blocks.findings.nonfinite)
                for remark in sample_remarks(findings, blocks.channels, blocks.subtype):
                    warnings.warn(f"{path}: {remark}", AudioWarning, stacklevel=2)
            length = max(int(min(last, position)) - first, 0)
            silent = tuple(int(channel) for channel in np.flatnonzero(~sounding))
            survey = Survey(length, checker.findings.peak, silent, fits, stamp)
            end = np.concatenate(ending, axis=1)[:, -round(most * rate) :]
            opened = LongRecording(path, first, rate, blocks.subtype, blocks.layout, survey, end)
            return opened.cut(0, length)  # held after all if the file is truncated
        if not for_part:
            return blocks.recording()
    return read_segment(path, start or 0.0, stop)
