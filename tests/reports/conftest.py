"""A small evaluation and its inputs."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.metrics.evaluation import Evaluation, evaluate_inputs
from audiogen.metrics.evaluation_inputs import EvaluationInputs, prepare_inputs
from tests.metrics.signals import RATE, impacts, modulated, recording


@pytest.fixture(scope="package")
def judged() -> tuple[EvaluationInputs, Evaluation]:
    """A continuation with two seconds copied from the prompt at -6 dB; loop and noise as baselines."""
    whole = modulated(16, 1, 1.5) + impacts(16, 2)
    prompt, real, tail = np.split(whole, [8 * RATE, 12 * RATE], axis=1)
    tail = tail.copy()
    tail[:, RATE : 3 * RATE] = 0.5 * prompt[:, 2 * RATE : 4 * RATE]
    sounds = prepare_inputs(recording(tail), recording(real), recording(prompt), baselines=("loop", "noise"))
    return sounds, evaluate_inputs(sounds)
