"""Checks of decoded samples: NaN and infinity are interpolated, clipping and samples beyond full scale are counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MIN_CLIPPED_FRACTION = 1e-4
"""Fraction of clipped samples from which on to warn: a single peak at full scale is harmless."""


@dataclass
class Findings:
    """Statistics of the samples read so far; counts are over all channels.

    Args:
        samples: samples per channel.
        nonfinite: samples that were NaN or infinite.
        clipped: samples at full scale that repeat the two before them.
        over: samples beyond full scale.
        peak: largest magnitude, 1.0 at full scale.
    """

    samples: int = 0
    nonfinite: int = 0
    clipped: int = 0
    over: int = 0
    peak: float = 0.0


class SampleChecker:
    """Counts defects and interpolates non-finite samples, chunk by chunk.

    Chunks are those of the decoder, so that the result does not depend on the size of the blocks that are read.

    Args:
        channels: rows of each chunk.
        subtype: sample format, in libsndfile's terms.
    """

    def __init__(self, channels: int, subtype: str) -> None:
        self.findings = Findings()
        # The largest positive code is below 1.0: 127/128 for 8 bits, 32767/32768 for 16.
        self._full_scale = 127 / 128 if subtype in ("PCM_U8", "PCM_S8") else 32767 / 32768
        self._before = np.zeros((channels, 2), np.float32)

    def check(self, chunk: np.ndarray) -> np.ndarray:
        """Count the defects of ``[channels, time]`` samples and return them with non-finite ones interpolated."""
        findings = self.findings
        peak = _peak(chunk)
        if not np.isfinite(peak):
            finite = np.isfinite(chunk)
            findings.nonfinite += int(finite.size - np.count_nonzero(finite))
            chunk = _interpolated(chunk, finite, self._before[:, -1])
            peak = _peak(chunk)
        findings.samples += chunk.shape[1]
        findings.peak = max(findings.peak, peak)
        if peak >= self._full_scale:
            magnitude, joined = np.abs(chunk), np.concatenate([self._before, chunk], axis=1)
            findings.over += int(np.count_nonzero(magnitude > 1.0))
            repeats = (chunk == joined[:, 1:-1]) & (chunk == joined[:, :-2])
            findings.clipped += int(np.count_nonzero(repeats & (magnitude >= self._full_scale)))
        self._before = np.concatenate([self._before, chunk[:, -2:]], axis=1)[:, -2:]
        return chunk


def sample_remarks(findings: Findings, channels: int, subtype: str) -> Iterator[str]:
    """What a user should know of the samples, each in a line."""
    total = findings.samples * channels
    if findings.nonfinite:
        yield f"{findings.nonfinite} of {total} samples were NaN or infinite and were interpolated"
    if findings.clipped and findings.clipped >= MIN_CLIPPED_FRACTION * total:
        yield f"clipped: {findings.clipped} of {total} samples are flat at full scale; kept unchanged"
    if findings.over and subtype in ("FLOAT", "DOUBLE"):
        level = f"peak {20 * np.log10(findings.peak):+.1f} dBFS"
        yield f"{findings.over} of {total} samples exceed full scale ({level}); kept unchanged"


def _peak(chunk: np.ndarray) -> float:
    """Largest magnitude; NaN or infinite if any sample is. Two passes without temporaries, for every sample read."""
    with np.errstate(invalid="ignore"):
        low, high = chunk.min(initial=0.0), chunk.max(initial=0.0)
    return float(np.maximum(-low, high))


def _interpolated(chunk: np.ndarray, finite: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Interpolate linearly over non-finite samples, from the last sample of the previous chunk."""
    chunk = chunk.copy()
    for row, valid, last in zip(chunk, finite, before, strict=True):
        known = np.concatenate([[-1], np.flatnonzero(valid)])
        row[~valid] = np.interp(np.flatnonzero(~valid), known, np.concatenate([[last], row[valid]]))
    return chunk
