"""Sounds of an evaluation, small, and what was found in them."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.evaluation.report import Evaluation, evaluate_sounds
from audiogen.evaluation.sounds import Sounds, gather
from tests.evaluation.signals import RATE, impacts, modulated, recording


@pytest.fixture(scope="package")
def judged() -> tuple[Sounds, Evaluation]:
    """A continuation of which two seconds are the prompt's, 6 dB softer; the loop and noise as baselines."""
    whole = modulated(16, 1, 1.5) + impacts(16, 2)
    prompt, real, tail = np.split(whole, [8 * RATE, 12 * RATE], axis=1)
    tail = tail.copy()
    tail[:, RATE : 3 * RATE] = 0.5 * prompt[:, 2 * RATE : 4 * RATE]
    sounds = gather(recording(tail), recording(real), recording(prompt), baselines=("loop", "noise"))
    return sounds, evaluate_sounds(sounds)
