"""Crest factor."""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording

CREST_WINDOW, CREST_BLOCK = 0.002, 0.1  # seconds


def crest_factor(recording: Recording) -> float:
    """Sharpness of transients, dB: energy of the loudest 2 ms of each 100 ms over their mean, mean of the dB.

    The crest factor of IEC 60268-1 on a millisecond scale: 0 for a square wave, about 4 for noise, 17 for
    one click. Blocks of digital silence do not count. 0 if nothing is left.
    """
    window = max(1, round(CREST_WINDOW * recording.sample_rate))
    count = round(CREST_BLOCK / CREST_WINDOW)
    blocks = recording.length // (window * count)
    if not blocks:
        return 0.0
    cut = recording.samples[:, : blocks * count * window].astype(np.float64)
    energy = np.square(cut).mean(axis=0).reshape(blocks, count, window).mean(axis=2)
    mean = energy.mean(axis=1)
    heard = mean > 1e-10
    return float(np.mean(10 * np.log10(energy.max(axis=1)[heard] / mean[heard]))) if heard.any() else 0.0


def crest_ratio(output: Recording, reference: Recording) -> float:
    """Crest factor of the output over the reference's, a ratio of powers: below 1, transients are smeared."""
    return float(10 ** ((crest_factor(output) - crest_factor(reference)) / 10))
