"""Crest factor: sharpness of transients, and its ratio between two sounds."""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording

WINDOW_SECONDS, BLOCK_SECONDS = 0.002, 0.1


def crest_factor(recording: Recording) -> float:
    """Energy of the loudest 2 ms of each 100 ms over the mean energy, in dB, averaged over blocks.

    The crest factor of IEC 60268-1 on a millisecond scale: 0 for a square wave, about 4 for noise, 17 for a single
    click. Blocks of digital silence are left out; 0 if none remain.
    """
    window = max(1, round(WINDOW_SECONDS * recording.sample_rate))
    count = round(BLOCK_SECONDS / WINDOW_SECONDS)
    blocks = recording.length // (window * count)
    if not blocks:
        return 0.0
    cut = recording.samples[:, : blocks * count * window].astype(np.float64)
    energy = np.square(cut).mean(axis=0).reshape(blocks, count, window).mean(axis=2)
    mean = energy.mean(axis=1)
    sounding = mean > 1e-10
    if not sounding.any():
        return 0.0
    return float(np.mean(10 * np.log10(energy.max(axis=1)[sounding] / mean[sounding])))


def crest_ratio(output: Recording, reference: Recording) -> float:
    """Ratio of the crest factors as powers: below 1, the output's transients are smeared."""
    return float(10 ** ((crest_factor(output) - crest_factor(reference)) / 10))
