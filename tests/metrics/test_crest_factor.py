"""Crest factors of known signals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.stats

from audiogen.metrics.crest_factor import crest_factor, crest_ratio
from tests.metrics.signals import RATE, impacts, noise, recording


def test_crest_factors():
    square = np.sign(np.sin(2 * np.pi * 500 * (np.arange(RATE) + 0.5) / RATE))[None]
    assert crest_factor(recording(square)) == pytest.approx(0, abs=0.01)
    clicks = np.zeros((1, RATE))
    clicks[:, 100 :: RATE // 10] = 1
    assert crest_factor(recording(clicks)) == pytest.approx(10 * np.log10(50), abs=0.01)
    assert 2 < crest_factor(recording(noise(2, 1))) < 6
    assert crest_factor(recording(np.zeros((1, RATE)))) == 0
    sharp = recording(impacts(4, 1))
    smeared = recording(scipy.signal.fftconvolve(sharp.samples, noise(0.03, 2), axes=1))
    assert crest_ratio(smeared, sharp) < 0.9
    assert crest_ratio(sharp, sharp) == 1
