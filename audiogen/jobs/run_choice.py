"""What predicts a prompt's continuation: a Model trained on it alone, or the shipped base, whichever goes on better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.experiment import Experiment, SplitFractions
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.pretrained import BASE
from audiogen.pretrained import base as shipped_base
from audiogen.progress import progress, stage
from audiogen.run import Run
from audiogen.sound.continuation import Continuer

MIN_HELD_OUT = 1.0  # seconds of a held-back end that can be told from another
MAX_HELD_OUT = 12.0  # seconds of it that are listened to
ROLLOUTS = 3  # a candidate
MARGIN = 0.1  # texture distance by which the trained Model must be closer: the base has the better worst case
MAX_COPIED = 0.05  # share of a rollout that may be copied, beyond what the real end has of its own


def single_recording(experiment: Experiment) -> Experiment:
    """The experiment as it is used on one prompt: nothing is held back for testing, nothing is logged."""
    fractions = SplitFractions(experiment.training.split_fractions.validation, 0.0)
    return replace(experiment, training=replace(experiment.training, split_fractions=fractions))


def choose_run(
    recording: Recording, experiment: Experiment | None = None, budget: float | None = None, device: str = "auto"
) -> Run:
    """A Run for one recording.

    Args:
        recording: what will be continued.
        experiment: trained on the recording; None for the default one where its rollouts are closer to the recording's
            end, which told the training only when to stop, than those of the shipped base; else for the base.
        budget: most wall-clock seconds of training; 0 for the base as it is.
        device: "auto", "cpu" or "cuda".

    Returns:
        The Run; where it was chosen, ``metrics["choice"]`` says by what.

    Raises:
        InputError: a recording too short to learn from, or an experiment without time to train it.
    """
    if budget == 0:
        if experiment is not None:
            raise InputError("--budget 0", "an experiment of one's own has to be trained", "leave one of them out")
        return shipped_base()
    with stage("loading the trainer"):
        from audiogen.training.trainer import train  # here, so that the base alone never waits for the trainer library

    run = train(single_recording(experiment or Experiment()), recording, budget=budget, device=device)
    return run if experiment is not None else better_run(recording, run, shipped_base())


def better_run(recording: Recording, trained: Run, base: Run) -> Run:
    """The trained Run, if its rollouts are closer to the recording's held-back end than the base's; else the base."""
    held = trained.experiment.training.split_fractions.validation * recording.seconds
    spent = trained.metrics["seconds"]
    if held < MIN_HELD_OUT:
        why = "the recording is too short to hold its end back"
        choice: dict[str, Any] = {"chosen": "trained", "why": why, "training_seconds": spent}
        return replace(trained, metrics=trained.metrics | {"choice": choice})
    candidates = {"trained": trained, "base": base}
    start = recording.cut(0, recording.length - round(held * recording.sample_rate))
    end = recording.cut(start.length, start.length + round(min(held, MAX_HELD_OUT) * recording.sample_rate))
    with stage("measuring the end that was held back"):
        judge = TailEvaluator(start, end)
    with progress(2 * ROLLOUTS, "choosing between the trained model and the shipped base", "rollout") as bar:
        scores = {name: rollout_score(run, start, end, judge, bar.update) for name, run in candidates.items()}
    name = "trained" if scores["trained"] < scores["base"] - MARGIN else "base"
    choice = {
        "chosen": name,
        "held_back_seconds": round(end.seconds, 2),
        "texture_distance": {name: round(value, 3) for name, value in scores.items()},
        "training_seconds": spent,
    }
    run = trained if name == "trained" else base
    return replace(run, metrics=run.metrics | {"choice": choice})


def describe_choice(settings: Mapping[str, Any]) -> str:
    """What predicted a tail and why, in a line.

    Args:
        settings: of its sidecar, or the sidecar's ``settings.morph``.
    """
    training, path = settings["training"], settings.get("run")
    if "runs" in settings:
        return " and ".join(f"{describe_choice(each)} (weight {each['weight']:g})" for each in settings["runs"])
    if training is None:
        model = settings.get("model")
        if model is not None and model["kind"] == "markov":
            return f"a Markov chain of order {model['order']}, counted on this tune's own notes"
        return "nothing: silence goes on as silence"
    if choice := training.get("choice"):
        return _reason(choice)
    if path is not None and Path(path) == BASE:
        return "the shipped base"
    if path is not None:
        return f"the Run {path}"
    if "seconds" not in training:  # a Run that was put together in Python
        return "the Run that was given"
    return f"a model trained {training['seconds']:.0f} s on this prompt"


def _reason(choice: Mapping[str, Any]) -> str:
    trained = f"the model trained {choice['training_seconds']:.0f} s on this recording"
    if "why" in choice:
        return f"{trained} ({choice['why']})"
    ours, base = (f"{choice['texture_distance'][name]:.2f}" for name in ("trained", "base"))
    if choice["chosen"] == "trained":
        return f"{trained} (texture distance {ours} against {base} of the shipped base)"
    margin = "" if float(ours) >= float(base) else f", which has to be closer by {MARGIN:g}"
    return f"the shipped base (texture distance {base} against {ours} of {trained}{margin})"


def rollout_score(
    run: Run, start: Recording, end: Recording, judge: TailEvaluator, done: Callable[[], object] = lambda: None
) -> float:
    """Mean texture distance to the real end of a few rollouts from the start; copying is worth a point a tenth.

    Args:
        run: what predicts.
        start: what is continued.
        end: what really follows.
        judge: of both.
        done: called after each rollout.
    """
    continuer = Continuer(run, start, match_texture=False)  # which would make them alike
    own = judge.copying(end)
    allowed = MAX_COPIED + (own.fraction if own else 0.0)
    values = []
    for seed in range(ROLLOUTS):
        samples = np.concatenate(list(continuer.tail(end.length, seed)), axis=1)
        tail = Recording(samples, end.sample_rate)
        texture, copied = judge.texture(tail), judge.copying(tail)
        excess = max(0.0, (copied.fraction if copied else 0.0) - allowed)
        values.append((texture.overall if texture else 1.0) + 10 * excess)
        done()
    return float(np.mean(values))
