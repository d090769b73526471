"""Format, levels and defects of an audio file, measured block by block."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np

from audiogen.audio.loudness import LoudnessMeter
from audiogen.audio.reading import open_blocks


@dataclass(frozen=True)
class Info:
    """Format, levels and defects of an audio file. Counts are over all channels.

    Args:
        format: container, in the decoder's terms.
        subtype: sample format, in libsndfile's terms.
        sample_rate: Hz.
        channels: number of channels.
        length: samples per channel.
        seconds: duration.
        peak_dbfs: largest magnitude, dB relative to full scale; None for digital silence.
        rms_dbfs: root mean square over all channels, dB relative to full scale; None for digital silence.
        loudness_lufs: integrated loudness (ITU-R BS.1770-4); None if shorter than 0.4 s, sampled below 4 kHz, or
            nowhere above -70 LUFS.
        dc: offset (mean) of each channel.
        clipped: samples at full scale that repeat the two before them.
        over_full_scale: samples beyond full scale.
        nonfinite: samples that are NaN or infinite (interpolated before levels are measured).
    """

    format: str
    subtype: str
    sample_rate: int
    channels: int
    length: int
    seconds: float
    peak_dbfs: float | None
    rms_dbfs: float | None
    loudness_lufs: float | None
    dc: list[float]
    clipped: int
    over_full_scale: int
    nonfinite: int


def info(path: str | os.PathLike[str]) -> Info:
    """Measure an audio file of any length, in bounded memory.

    Warns:
        AudioWarning: as `audiogen.audio.read`.

    Raises:
        InputError: as `audiogen.audio.read`.
    """
    with open_blocks(path) as blocks:
        meter = LoudnessMeter(blocks.sample_rate, blocks.channels)
        total, energy = np.zeros(blocks.channels), 0.0
        for block in blocks:
            wide = block.astype(np.float64)
            total += wide.sum(axis=1)
            energy += float(np.square(wide).sum())
            meter.push(wide)
    findings = blocks.findings
    return Info(
        format=blocks.format,
        subtype=blocks.subtype,
        sample_rate=blocks.sample_rate,
        channels=blocks.channels,
        length=findings.samples,
        seconds=findings.samples / blocks.sample_rate,
        peak_dbfs=_decibels(findings.peak),
        rms_dbfs=_decibels(math.sqrt(energy / (findings.samples * blocks.channels))),
        loudness_lufs=meter.integrated(),
        dc=[float(mean) for mean in total / findings.samples],
        clipped=findings.clipped,
        over_full_scale=findings.over,
        nonfinite=findings.nonfinite,
    )


def _decibels(amplitude: float) -> float | None:
    return 20 * math.log10(amplitude) if amplitude > 0 else None
