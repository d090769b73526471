"""Models of sound other than `sequence`: trained, saved, opened, and used for a continuation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.experiment import read_experiment
from audiogen.models import MODELS
from audiogen.models.base import FrameModel
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.training.trainer import train
from tests.conftest import TINY

CONFIGS = Path(__file__).parents[2] / "configs" / "mel"
FAMILIES = ("loop", "grains", "walk", "noise", "var", "hmm", "gmm", "vae", "gan")
QUICK = tuple(override for override in TINY if not override.startswith("model."))


def test_each_model_of_sound_has_a_config() -> None:
    kinds = {read_experiment(CONFIGS / f"{name}.yaml").model.kind for name in FAMILIES}
    assert kinds == {kind for kind, model in MODELS.items() if issubclass(model, FrameModel)} - {"sequence"}


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_trained_saved_opened_and_continued(name: str, tmp_path: Path, texture: Callable[..., Recording]) -> None:
    prompt = texture(3)
    run = train(read_experiment(CONFIGS / f"{name}.yaml", QUICK), prompt, tmp_path / "run")
    assert run.metrics["steps"] == (12 if any(True for _ in run.model.parameters()) else 0)
    opened = Run.open(tmp_path / "run")
    tails = [np.concatenate(list(Continuer(each, prompt).tail(22050, seed=3)), axis=1) for each in (run, opened)]
    assert tails[0].shape == (1, 22050)
    assert np.array_equal(*tails)
    level = np.sqrt(np.mean(np.square(tails[0])) / np.mean(np.square(prompt.samples)))
    assert 0.4 < level < 2.5  # half a second of a texture whose level varies
