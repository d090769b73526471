"""The shipped base continues at once; a trained Run has to be better on the held-out end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.jobs import run_choice
from audiogen.jobs.run_choice import choose_run, compare_with_base, describe_choice, rollout_score
from audiogen.pretrained import BASE, base
from audiogen.sound.continuation import Continuer

Texture = Callable[..., Recording]
Tiny = Callable[..., Experiment]


def test_the_base_ships_with_its_card_and_is_small() -> None:
    assert sum(file.stat().st_size for file in BASE.iterdir()) < 20e6
    card = (BASE / "CARD.md").read_text("utf-8")
    assert all(word in card for word in ("CC0", "CC-BY", "Licence", "steps"))
    assert base().metrics["parameters"] == sum(weight.numel() for weight in base().model.parameters())


@pytest.mark.parametrize("budget", [None, 0])
def test_without_a_budget_the_base_is_taken_without_the_trainer(texture: Texture, budget: float | None) -> None:
    run = choose_run(texture(2.0), budget=budget)
    assert run.path == BASE
    tail = np.concatenate(list(Continuer(run, texture(2.0, channels=2)).tail(30_000)), axis=1)
    assert tail.shape == (2, 30_000)
    assert 0.3 < tail.std() / texture(2.0, channels=2).samples.std() < 3


def test_an_experiment_needs_a_budget(texture: Texture, tiny: Tiny) -> None:
    with pytest.raises(InputError, match="--budget 0: a configuration has to be trained"):
        choose_run(texture(2.0), tiny(), budget=0)


@pytest.mark.parametrize("winner", ["trained", "base"])
def test_what_was_trained_is_found_again(
    texture: Texture, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, winner: str
) -> None:
    monkeypatch.setattr(run_choice, "rollout_score", lambda run, *_: float((run.path is None) == (winner == "base")))
    monkeypatch.setattr(run_choice, "Experiment", tiny)
    first = choose_run(texture(15.0), budget=60.0)
    monkeypatch.setattr("audiogen.training.trainer.train", None)  # not callable: training again fails
    again = choose_run(texture(15.0), budget=60.0)
    assert again.metrics == first.metrics | {"from_cache": True}
    assert again.metrics["choice"]["chosen"] == winner
    assert again.path == first.path
    assert again.model.state_dict().keys() == first.model.state_dict().keys()
    with pytest.raises(TypeError):
        choose_run(texture(15.0), budget=60.0, cache=False)


@pytest.mark.parametrize(("scores", "winner"), [((0.8, 1.0), "trained"), ((0.95, 1.0), "base"), ((1.2, 0.9), "base")])
def test_the_trained_run_has_to_be_clearly_closer(
    texture: Texture, monkeypatch: pytest.MonkeyPatch, scores: tuple[float, float], winner: str
) -> None:
    trained = replace(base(), path=None, metrics=base().metrics | {"seconds": 9.0})
    monkeypatch.setattr(run_choice, "rollout_score", lambda run, *_: scores[run.path is not None])
    assert compare_with_base(texture(15.0), trained, base()) == {
        "chosen": winner,
        "held_out_seconds": 1.2,
        "texture_distance": {"trained": scores[0], "base": scores[1]},
        "training_seconds": trained.metrics["seconds"],
    }


def test_a_short_recording_is_not_split(texture: Texture) -> None:
    trained = replace(base(), path=None, metrics=base().metrics | {"seconds": 9.0})
    assert compare_with_base(texture(3.0), trained, base())["chosen"] == "trained"


def test_copying_is_penalised(texture: Texture, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = texture(8.0)
    start, end = recording.cut(0, 6 * recording.sample_rate), recording.cut(6 * recording.sample_rate, recording.length)
    evaluator = run_choice.TailEvaluator(start, end)
    honest = rollout_score(base(), start, end, evaluator)
    monkeypatch.setattr(Continuer, "tail", lambda self, length, seed: iter([start.samples[:, -length:]]))
    assert rollout_score(base(), start, end, evaluator) > honest + 3


def settings(scores: tuple[float, float], winner: str) -> dict[str, object]:
    """Settings of a sidecar with a choice."""
    distance = {"trained": scores[0], "base": scores[1]}
    choice = {"chosen": winner, "texture_distance": distance, "training_seconds": 31.2}
    return {"run": str(BASE) if winner == "base" else None, "training": {"seconds": 9.0, "choice": choice}}


OURS = "the model trained 31 s on this recording"
CONTEXTS = "the contexts of the recording itself"
AT_ONCE = "the contexts of the recording itself, at once (--adapt trains on it first)"
SENTENCES = [
    (settings((1.05, 0.97), "base"), f"{CONTEXTS} (texture distance 0.97; 1.05 for {OURS})"),
    (
        settings((0.95, 1.0), "base"),
        f"{CONTEXTS} (texture distance 1.00; 0.95 for {OURS}, which would have to be closer by 0.1)",
    ),
    (settings((0.8, 1.0), "trained"), f"{OURS} (texture distance 0.80; 1.00 for {CONTEXTS})"),
    (
        {"run": None, "training": {"choice": {"chosen": "trained", "why": "it is short", "training_seconds": 4}}},
        "the model trained 4 s on this recording (it is short)",
    ),
    (
        {"run": str(BASE), "training": {"seconds": 9.0}},
        AT_ONCE,
    ),
    ({"run": str(BASE), "training": {}, "raw": True}, "the network of the shipped base"),
    ({"run": "runs/rain", "training": {"seconds": 9.0}}, "the Run runs/rain"),
    (
        {"run": "runs/rain", "training": {"seconds": 9.0}, "experiment": {"predictor": "contexts"}},
        f"{CONTEXTS}, by the patches of the Run runs/rain",
    ),
    ({"run": None, "training": {"seconds": 9.4}}, "a model trained 9 s on this prompt"),
    (
        {"run": None, "training": {"seconds": 9, "from_cache": True}},
        "a model trained 9 s on this prompt, found again",
    ),
    ({"training": None}, "nothing: silence is continued by silence"),
    (
        {"run": None, "training": None, "model": {"kind": "markov", "order": 5}},
        "a Markov chain of order 5, fitted to this tune",
    ),
    (
        {
            "training": None,
            "runs": [{"weight": 0.7, "run": "a", "training": {}}, {"weight": 1, "run": "b", "training": {}}],
        },
        "the Run a (weight 0.7) and the Run b (weight 1)",
    ),
]


@pytest.mark.parametrize(("recorded", "sentence"), SENTENCES)
def test_the_choice_is_described_with_its_figures(recorded: dict[str, object], sentence: str) -> None:
    assert describe_choice(recorded) == sentence
