"""Resynthesis error between pairs with a known difference."""

from __future__ import annotations

import pytest

from audiogen.errors import InputError
from tests.metrics.signals import impacts, noise, recording
from tools.resynthesis_error import multi_resolution_stft


def test_resynthesis_error_depends_on_magnitudes_only():
    original = recording(impacts(3, 1))
    assert multi_resolution_stft(original, original).log_magnitude == 0
    louder = multi_resolution_stft(recording(2 * original.samples), original)
    assert louder.convergence == pytest.approx(1, abs=1e-4)
    assert louder.log_magnitude == pytest.approx(6.02, abs=0.1)
    inverted = multi_resolution_stft(recording(-original.samples), original)
    assert inverted.convergence == pytest.approx(0, abs=1e-6)
    noisy = [multi_resolution_stft(recording(original.samples + gain * noise(3, 2)), original) for gain in (0.1, 1)]
    assert noisy[0].convergence < noisy[1].convergence


def test_unpaired_sounds_are_refused():
    with pytest.raises(InputError, match="differ from the original's"):
        multi_resolution_stft(recording(noise(1, 1)), recording(noise(2, 1)))
    with pytest.raises(InputError, match="shorter than one frame"):
        multi_resolution_stft(recording(noise(0.01, 1)), recording(noise(0.01, 1)))
