"""Classifier two-sample test."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.errors import InputError
from audiogen.metrics.two_sample import separability
from tests.metrics.signals import modulated, noise, recording


def test_the_same_sound_cannot_be_told_apart() -> None:
    areas = [separability(recording(noise(30, seed)), recording(noise(12, seed + 50))) for seed in range(4)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.15)


def test_another_sound_is_told_apart() -> None:
    assert separability(recording(noise(30, 1)), recording(modulated(12, 2, 8.0))) > 0.95
    louder = recording(1.5 * noise(12, 3))
    assert separability(recording(noise(30, 1)), louder) > 0.95


def test_too_few_seconds_are_refused() -> None:
    with pytest.raises(InputError, match="too few seconds"):
        separability(recording(noise(30, 1)), recording(noise(4, 2)))
