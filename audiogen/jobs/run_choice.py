"""Choice of the Run that continues a recording: the shipped base, or one trained on that recording if it is asked for.

With the base, the contexts of the recording itself predict, at once (``predictor: contexts`` in its configuration);
with a trained Run, its Model does. Training on the recording takes half a minute and is seldom worth it: over 15
recordings the tails of both read a texture distance of 0.90, the largest gain was 0.05, and the base was kept for two
tails in three. Where it is asked for, the last part of the recording is held out of the training; both Runs continue
the part before it a few times, with the same engine as any tail (`sound.continuation.Continuer`), and the texture
distance to the real end decides. What was trained is found again the next time (`run_cache`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.experiment import Experiment, SplitFractions, dump_yaml
from audiogen.jobs import run_cache
from audiogen.jobs.provenance import Clock
from audiogen.jobs.pulse_choice import describe_pulse
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.pretrained import BASE
from audiogen.pretrained import base as shipped_base
from audiogen.progress import progress, stage
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.fade_detection import without_edges
from audiogen.sound.partials import without_partials

MIN_HELD_OUT = 1.0  # seconds of a held-out end that can be measured
MAX_HELD_OUT = 12.0  # seconds of it that are measured
ROLLOUTS = 3  # per candidate
MARGIN = 0.1  # texture distance by which the trained Model must be closer: the base has the better worst case
CONTEXTS = "the contexts of the recording itself"  # what predicts with the shipped base, in messages
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
    cache: bool = True,
) -> Run:
    """The shipped base, or a Run that is trained on the recording if an experiment or a budget is given.

    With the base, the recording's own contexts predict.

    Args:
        recording: to continue; its edges (`sound.fade_detection`) are not trained on.
        experiment: to train; None for the default one, which is chosen only if its rollouts are closer to the
            recording's held-out end (which the training uses for early stopping only) than the base's.
        budget: limit of the training time in seconds, infinite for none. None or 0 takes the base, without training;
            None with an experiment is no limit.
        device: "auto", "cpu" or "cuda".
        clock: measures ``opening`` (the base, or the trainer and its libraries), ``training`` and ``choosing``.
        cache: whether to look for a Run that was trained in the same way before, and to keep this one.

    Returns:
        The Run; if it was chosen, ``metrics["choice"]`` holds the figures.

    Raises:
        InputError: the recording is too short to train on, or an experiment is given with a budget of 0.
    """
    clock = clock or Clock()
    if experiment is None and not budget:
        with clock("opening"):
            return shipped_base()
    if budget == 0:
        raise InputError("--budget 0", "a configuration has to be trained", "leave one of the two out")
    with clock("opening"):
        base = shipped_base()
        key = run_cache.key_of(recording, dump_yaml(experiment or Experiment()), budget, experiment is None)
        found = run_cache.find(key) if cache else None
    if found is not None:
        return _chosen(replace(found, path=None, metrics=found.metrics | {"from_cache": True}), base)
    with clock("opening"), stage("loading the trainer"):
        from audiogen.training.trainer import train  # here, since the base alone does not need it

    limit = None if budget is None or math.isinf(budget) else budget
    recording = without_partials(without_edges(recording))  # as `Continuer` does
    with clock("training"):
        trained = train(single_recording(experiment or Experiment()), recording, budget=limit, device=device)
    if experiment is None:
        with clock("choosing"):
            choice = compare_with_base(recording, trained, base)
        trained = replace(trained, metrics=trained.metrics | {"choice": choice})
    if cache:
        run_cache.keep(key, trained)
    return _chosen(trained, base)


def _chosen(trained: Run, base: Run) -> Run:
    """The base, with the figures that decided, if it was chosen; else the trained Run."""
    if trained.metrics.get("choice", {}).get("chosen") != "base":
        return trained
    figures = {name: trained.metrics[name] for name in ("choice", "from_cache") if name in trained.metrics}
    return replace(base, metrics=base.metrics | figures)


def compare_with_base(recording: Recording, trained: Run, base: Run) -> dict[str, Any]:
    """Whether a trained Run's rollouts are closer to the recording's held-out end than the base's.

    Args:
        recording: that the Run was trained on.
        trained: whose experiment says how much of the recording was held out.
        base: the alternative.

    Returns:
        ``chosen``, "trained" or "base", and the figures that decided.
    """
    held_out = trained.experiment.training.split_fractions.validation * recording.seconds
    spent = trained.metrics["seconds"]
    if held_out < MIN_HELD_OUT:
        why = "the recording is too short to hold out its end"
        return {"chosen": "trained", "why": why, "training_seconds": spent}
    candidates = {"trained": trained, "base": base}
    start = recording.cut(0, recording.length - round(held_out * recording.sample_rate))
    end = recording.cut(start.length, start.length + round(min(held_out, MAX_HELD_OUT) * recording.sample_rate))
    with stage("measuring the held-out end"):
        evaluator = TailEvaluator(start, end)
    with progress(2 * ROLLOUTS, "choosing between the trained model and the recording's contexts", "rollout") as bar:
        scores = {name: rollout_score(run, start, end, evaluator, bar.update) for name, run in candidates.items()}
    return {
        "chosen": "trained" if scores["trained"] < scores["base"] - MARGIN else "base",
        "held_out_seconds": round(end.seconds, 2),
        "texture_distance": {name: round(value, 3) for name, value in scores.items()},
        "training_seconds": spent,
    }


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
    found = ", found again" if training.get("from_cache") else ""
    if choice := training.get("choice"):
        return _reason(choice, found)
    if path is not None and Path(path) == BASE:
        if settings.get("raw"):
            return "the network of the shipped base"
        events = settings.get("separate_events")
        whole = f"; its {events} separate events stay whole, a little higher or lower" if events else ""
        return f"{CONTEXTS}, at once (--adapt trains on it first){whole}"
    if path is not None:
        by_contexts = settings.get("experiment", {}).get("predictor") == "contexts" and not settings.get("raw")
        return f"{CONTEXTS}, by the patches of the Run {path}" if by_contexts else f"the Run {path}"
    if "seconds" not in training:  # a Run assembled in Python
        return "the Run that was given"
    return f"a model trained {training['seconds']:.0f} s on this prompt{found}"


def _reason(choice: Mapping[str, Any], found: str) -> str:
    trained = f"the model trained {choice['training_seconds']:.0f} s on this recording{found}"
    if "why" in choice:
        return f"{trained} ({choice['why']})"
    ours, base = (f"{choice['texture_distance'][name]:.2f}" for name in ("trained", "base"))
    if choice["chosen"] == "trained":
        return f"{trained} (texture distance {ours}; {base} for {CONTEXTS})"
    margin = "" if float(ours) >= float(base) else f", which would have to be closer by {MARGIN:g}"
    return f"{CONTEXTS} (texture distance {base}; {ours} for {trained}{margin})"


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
