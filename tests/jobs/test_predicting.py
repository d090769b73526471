"""The shipped base goes on at once; a trained Run has to be as good on the end that was held back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.generation.continuation import Continuer
from audiogen.jobs import predicting
from audiogen.jobs.predicting import chosen, predictor_of, score
from audiogen.pretrained import BASE, base

Texture = Callable[..., Recording]
Tiny = Callable[..., Experiment]


def test_the_base_ships_with_its_card_and_is_small() -> None:
    assert sum(file.stat().st_size for file in BASE.iterdir()) < 20e6
    card = (BASE / "CARD.md").read_text("utf-8")
    assert all(word in card for word in ("CC0", "CC-BY", "Licence", "steps"))
    assert base().metrics["parameters"] == sum(weight.numel() for weight in base().model.parameters())


def test_no_budget_means_the_base_and_no_trainer(texture: Texture) -> None:
    run = predictor_of(texture(2.0), budget=0)
    assert run.path == BASE
    tail = np.concatenate(list(Continuer(run, texture(2.0, channels=2)).tail(30_000)), axis=1)
    assert tail.shape == (2, 30_000)
    assert 0.3 < tail.std() / texture(2.0, channels=2).samples.std() < 3


def test_an_experiment_of_ones_own_needs_a_budget(texture: Texture, tiny: Tiny) -> None:
    with pytest.raises(InputError, match="--budget 0: an experiment of one's own has to be trained"):
        predictor_of(texture(2.0), tiny(), budget=0)


@pytest.mark.parametrize(("scores", "winner"), [((0.8, 1.0), "trained"), ((0.95, 1.0), "base"), ((1.2, 0.9), "base")])
def test_what_was_trained_has_to_be_clearly_closer(
    texture: Texture, monkeypatch: pytest.MonkeyPatch, scores: tuple[float, float], winner: str
) -> None:
    trained = replace(base(), path=None)
    monkeypatch.setattr(predicting, "score", lambda run, *_: scores[run.path is not None])
    run = chosen(texture(15.0), trained, base())
    assert (run.path is not None) == (winner == "base")
    assert run.metrics["choice"] == {
        "chosen": winner,
        "held_back_seconds": 1.2,
        "texture_distance": {"trained": scores[0], "base": scores[1]},
    }


def test_a_short_recording_is_not_cut_up(texture: Texture) -> None:
    trained = replace(base(), path=None)
    assert chosen(texture(3.0), trained, base()).metrics["choice"]["chosen"] == "trained"


def test_copying_costs_points(texture: Texture, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = texture(8.0)
    start, end = recording.cut(0, 6 * recording.sample_rate), recording.cut(6 * recording.sample_rate, recording.length)
    judge = predicting.Judge(start, end)
    honest = score(base(), start, end, judge)
    monkeypatch.setattr(Continuer, "tail", lambda self, length, seed: iter([start.samples[:, -length:]]))
    assert score(base(), start, end, judge) > honest + 3
