"""Spectral tilt of known differences."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.errors import InputError
from audiogen.metrics.spectra import frame_size
from audiogen.metrics.spectral_tilt import spectral_tilt
from tests.metrics.signals import RATE, noise, recording


def test_a_known_tilt_in_decibels_per_octave():
    spectrum = np.fft.rfft(noise(10, 1))
    hertz = np.maximum(np.fft.rfftfreq(10 * RATE, 1 / RATE), 20)
    tilted = np.fft.irfft(spectrum * (hertz / 1000) ** (-3 / 6.02))
    found = spectral_tilt(recording(tilted), recording(noise(10, 2)))
    assert found.slope == pytest.approx(-3, abs=0.1)
    level = found.difference[np.argmin(np.abs(found.hertz - 1000))]
    assert level == pytest.approx(0, abs=0.5)
    assert spectral_tilt(recording(noise(10, 3)), recording(noise(10, 2))).rms < 0.7
    with pytest.raises(InputError, match="rates differ"):
        spectral_tilt(recording(noise(1, 1)), recording(noise(1, 1), 8000))


def test_a_sound_of_a_single_frame_has_a_spectrum() -> None:
    size = frame_size(RATE)
    samples = noise(1, 1)[:, :size]
    assert spectral_tilt(recording(2 * samples), recording(samples)).rms == pytest.approx(6.02, abs=0.01)
    longer = noise(1, 1)[:, : 66 * size // 2]
    assert spectral_tilt(recording(2 * longer), recording(longer)).rms == pytest.approx(6.02, abs=0.01)
