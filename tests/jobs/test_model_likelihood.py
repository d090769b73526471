"""Likelihood of tails under the Model of a Run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.experiment import Experiment
from audiogen.jobs.model_likelihood import ModelLikelihood
from audiogen.training.trainer import train
from tests.conftest import synthetic

WHOLE = synthetic(12.0)
PROMPT, REAL = WHOLE.cut(0, 8 * 44100), WHOLE.cut(8 * 44100, 12 * 44100)


@pytest.mark.parametrize(
    ("model", "known"),
    [("{kind: hmm, states: 4}", True), ("{kind: vae}", True), ("{kind: gan}", False), ("{head: point}", False)],
)
def test_a_model_with_a_density_finds_real_audio_likelier_than_noise(
    tiny: Callable[..., Experiment], model: str, known: bool
) -> None:
    run = train(tiny(f"model={model}", "training.steps=40"), PROMPT)
    likelihood = ModelLikelihood(run, PROMPT)
    noise = np.random.default_rng(0).standard_normal(REAL.samples.shape).astype(np.float32)
    real, other = likelihood(REAL), likelihood(Recording(noise, 44100))
    assert (real is not None) == known
    assert (other is not None) == known
    if real is not None and other is not None:
        assert real > other + 0.5
        assert likelihood(REAL.cut(0, 2000)) is None
