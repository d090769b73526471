"""Samples with more bits than float32 has: read from their file again when they are to be written unchanged."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from audiogen.audio.decoding import Source, open_source
from audiogen.audio.ffmpeg_decoder import LOSSLESS
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.errors import InputError

BEYOND_FLOAT32 = ("PCM_32", "ALAC_32", "DOUBLE", "PCM_S64LE", "PCM_S64BE", *LOSSLESS)
"""Subtypes whose samples may have more than the 24 bits of a float32."""


def exact_blocks(recording: Recording) -> Iterator[np.ndarray]:
    """The samples of a Recording in blocks ``[channels, time]``, with all bits of its file.

    32-bit integers and doubles are read from the file again as float64, instead of being kept in memory; all other
    samples are yielded as they are, float32.

    Warns:
        AudioWarning: the file is missing or has changed; the samples are float32 from there on.
    """
    samples, path, done = recording.samples, recording.path, 0
    if recording.subtype not in BEYOND_FLOAT32 or path is None or recording.start is None:
        yield samples
        return
    try:
        source = open_source(path, np.float64)
    except (InputError, OSError):
        pass
    else:
        try:
            for block in _read_again(source, recording):
                yield block
                done += block.shape[1]
        finally:
            source.close()
    if done < recording.length:
        remark = "it has changed since it was read: from there on, its samples are kept with 24 bits"
        warnings.warn(f"{path}: {remark}", AudioWarning, stacklevel=2)
        yield samples[:, done:]


def _read_again(source: Source, recording: Recording) -> Iterator[np.ndarray]:
    """Blocks of the recording in float64, as long as they equal its samples."""
    if (source.sample_rate, source.channels) != (recording.sample_rate, recording.channels):
        return
    assert recording.start is not None
    to_skip, done = recording.start, 0
    for chunk in source.chunks():
        skipped = min(to_skip, chunk.shape[1])
        to_skip -= skipped
        wide = chunk[:, skipped : skipped + recording.length - done]
        known = recording.samples[:, done : done + wide.shape[1]]
        with np.errstate(over="ignore"):
            narrow = wide.astype(np.float32)
        interpolated = ~np.isfinite(narrow)  # as when it was read
        if np.any(interpolated):
            wide, narrow = np.where(interpolated, known, wide), np.where(interpolated, known, narrow)
        if not np.array_equal(narrow, known):
            return
        if wide.shape[1]:
            yield wide
        done += wide.shape[1]
        if done == recording.length:
            return
