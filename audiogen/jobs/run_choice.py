"""Choice of the Run that continues a recording: trained on that recording, or the shipped base, whichever is better.

The last part of the recording is held out of the training. Both Runs continue the part before it a few times, with the
same engine as any tail (`sound.continuation.Continuer`), and the texture distance to the real end decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.experiment import Experiment, SplitFractions
from audiogen.jobs.provenance import Clock
from audiogen.jobs.pulse_choice import describe_pulse
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.pretrained import BASE
from audiogen.pretrained import base as shipped_base
from audiogen.progress import progress, stage
from audiogen.run import Run
from audiogen.sound.continuation import Continuer

MIN_HELD_OUT = 1.0  # seconds of a held-out end that can be measured
MAX_HELD_OUT = 12.0  # seconds of it that are measured
ROLLOUTS = 3  # per candidate
MARGIN = 0.1  # texture distance by which the trained Model must be closer: the base has the better worst case
MAX_COPIED = 0.05  # fraction of a rollout that may be copied, beyond the real end's own


def single_recording(experiment: Experiment) -> Experiment:
    """The experiment as it is used on one recording: without a test split."""
    fractions = SplitFractions(experiment.training.split_fractions.validation, 0.0)
    return replace(experiment, training=replace(experiment.training, split_fractions=fractions))


def choose_run(
    recording: Recording,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    clock: Clock | None = None,
) -> Run:
    """Train a Run on one recording, or choose the shipped base.

    Args:
        recording: to continue.
        experiment: to train; None trains the default one, and chooses the base unless the trained Run's rollouts are
            closer to the recording's held-out end (which the training uses for early stopping only).
        budget: limit of the training time in seconds; None for no limit, 0 for the base without training.
        device: "auto", "cpu" or "cuda".
        clock: measures ``opening`` (the base, or the trainer and its libraries), ``training`` and ``choosing``.

    Returns:
        The Run; if it was chosen, ``metrics["choice"]`` holds the figures.

    Raises:
        InputError: the recording is too short to train on, or an experiment is given with a budget of 0.
    """
    clock = clock or Clock()
    if budget == 0:
        if experiment is not None:
            raise InputError("--budget 0", "an experiment has to be trained", "leave one of them out")
        with clock("opening"):
            return shipped_base()
    with clock("opening"), stage("loading the trainer"):
        from audiogen.training.trainer import train  # here, since the base alone does not need it

    with clock("training"):
        run = train(single_recording(experiment or Experiment()), recording, budget=budget, device=device)
    if experiment is not None:
        return run
    with clock("choosing"):
        return better_run(recording, run, shipped_base())


def better_run(recording: Recording, trained: Run, base: Run) -> Run:
    """The trained Run, if its rollouts are closer to the recording's held-out end than the base's, else the base.

    Args:
        recording: that the Run was trained on.
        trained: whose experiment says how much of the recording was held out.
        base: the alternative.

    Returns:
        The better Run, with the figures in ``metrics["choice"]``.
    """
    held_out = trained.experiment.training.split_fractions.validation * recording.seconds
    spent = trained.metrics["seconds"]
    if held_out < MIN_HELD_OUT:
        why = "the recording is too short to hold out its end"
        choice: dict[str, Any] = {"chosen": "trained", "why": why, "training_seconds": spent}
        return replace(trained, metrics=trained.metrics | {"choice": choice})
    candidates = {"trained": trained, "base": base}
    start = recording.cut(0, recording.length - round(held_out * recording.sample_rate))
    end = recording.cut(start.length, start.length + round(min(held_out, MAX_HELD_OUT) * recording.sample_rate))
    with stage("measuring the held-out end"):
        evaluator = TailEvaluator(start, end)
    with progress(2 * ROLLOUTS, "choosing between the trained model and the shipped base", "rollout") as bar:
        scores = {name: rollout_score(run, start, end, evaluator, bar.update) for name, run in candidates.items()}
    name = "trained" if scores["trained"] < scores["base"] - MARGIN else "base"
    choice = {
        "chosen": name,
        "held_out_seconds": round(end.seconds, 2),
        "texture_distance": {name: round(value, 3) for name, value in scores.items()},
        "training_seconds": spent,
    }
    run = trained if name == "trained" else base
    return replace(run, metrics=run.metrics | {"choice": choice})


def describe_choice(settings: Mapping[str, Any]) -> str:
    """Describe in a line what predicted a tail, and why it was chosen.

    Args:
        settings: of the tail's sidecar, or the sidecar's ``settings.morph``.
    """
    if rhythm := settings.get("rhythm"):
        return describe_pulse(rhythm)
    training, path = settings["training"], settings.get("run")
    if "runs" in settings:
        return " and ".join(f"{describe_choice(each)} (weight {each['weight']:g})" for each in settings["runs"])
    if training is None:
        model = settings.get("model")
        if model is not None and model["kind"] == "markov":
            return f"a Markov chain of order {model['order']}, fitted to this tune"
        return "nothing: silence is continued by silence"
    if choice := training.get("choice"):
        return _reason(choice)
    if path is not None and Path(path) == BASE:
        return "the shipped base"
    if path is not None:
        return f"the Run {path}"
    if "seconds" not in training:  # a Run assembled in Python
        return "the Run that was given"
    return f"a model trained {training['seconds']:.0f} s on this prompt"


def _reason(choice: Mapping[str, Any]) -> str:
    trained = f"the model trained {choice['training_seconds']:.0f} s on this recording"
    if "why" in choice:
        return f"{trained} ({choice['why']})"
    ours, base = (f"{choice['texture_distance'][name]:.2f}" for name in ("trained", "base"))
    if choice["chosen"] == "trained":
        return f"{trained} (texture distance {ours}; {base} for the shipped base)"
    margin = "" if float(ours) >= float(base) else f", which would have to be closer by {MARGIN:g}"
    return f"the shipped base (texture distance {base}; {ours} for {trained}{margin})"


def rollout_score(
    run: Run, start: Recording, end: Recording, evaluator: TailEvaluator, done: Callable[[], object] = lambda: None
) -> float:
    """Score a Run by free-running rollouts: the mean texture distance to the real end, plus a penalty for copying.

    Each tenth of a rollout that is copied beyond what is allowed costs 1.

    Args:
        run: to score.
        start: that it continues.
        end: the real continuation.
        evaluator: of tails of ``start``, with ``end`` as the reference.
        done: called after each rollout.

    Returns:
        The score; lower is better.
    """
    continuer = Continuer(run, start, match_texture=False)  # matching would make all Runs alike
    own = evaluator.copying(end)
    allowed = MAX_COPIED + (own.fraction if own else 0.0)
    values = []
    for seed in range(ROLLOUTS):
        samples = np.concatenate(list(continuer.tail(end.length, seed)), axis=1)
        tail = Recording(samples, end.sample_rate)
        texture, copied = evaluator.texture(tail), evaluator.copying(tail)
        excess = max(0.0, (copied.fraction if copied else 0.0) - allowed)
        values.append((texture.overall if texture else 1.0) + 10 * excess)
        done()
    return float(np.mean(values))
