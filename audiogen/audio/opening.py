"""Opens recordings of any length: short ones are read, long ones stay in their files."""

from __future__ import annotations

from collections import deque
from math import inf
from pathlib import Path

import numpy as np

from audiogen.audio.long_recording import LongRecording, Survey, stamp_of
from audiogen.audio.reading import open_blocks, read
from audiogen.audio.recording import Recording
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
        as `audiogen.audio.read`, of what is read.
    """
    with open_blocks(path) as blocks:
        rate, stated = blocks.sample_rate, blocks.length
        first = round((start or 0.0) * rate)
        last = inf if stop is None else round(stop * rate)
        if stated is not None and min(last, stated) - first > most * rate:
            stamp = stamp_of(path)
            position, peak, fits, sounding = 0, 0.0, True, np.zeros(blocks.channels, bool)
            ending, held = deque[np.ndarray](), 0
            for block in blocks:
                part = block[:, max(first - position, 0) : None if last == inf else max(int(last) - position, 0)]
                position += block.shape[1]
                peak = max(peak, float(part.max(initial=0.0)), -float(part.min(initial=0.0)))
                sounding |= part.any(axis=1)
                fits = fits and fits_24_bits(part, blocks.subtype)
                ending.append(part)
                held += part.shape[1]
                while held - ending[0].shape[1] >= most * rate:
                    held -= ending.popleft().shape[1]
            length = max(int(min(last, position)) - first, 0)
            silent = tuple(int(channel) for channel in np.flatnonzero(~sounding))
            survey = Survey(length, peak, silent, fits, stamp)
            end = np.concatenate(ending, axis=1)[:, -round(most * rate) :]
            opened = LongRecording(path, first, rate, blocks.subtype, blocks.layout, survey, end)
            return opened.cut(0, length)  # held after all if the file is truncated
    return read(path) if start is None and stop is None else read_segment(path, start or 0.0, stop)
