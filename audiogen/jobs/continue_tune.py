"""Job: continue a MIDI file, as MIDI or rendered, and describe the result in a sidecar."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from audiogen.audio import AudioWarning
from audiogen.errors import InputError
from audiogen.experiment import Experiment, read_experiment
from audiogen.file_names import is_midi
from audiogen.jobs.planned_tail import PreparedPlan, planned_tail, prepare_plan
from audiogen.jobs.provenance import Clock, collect_warnings, remove_output_on_failure
from audiogen.jobs.run_choice import single_recording
from audiogen.jobs.tune_request import TuneRequest
from audiogen.jobs.tune_results import (
    MARKOV_ORDER,
    events_tokenizer,
    measure_tail,
    midi_representation_of,
    sidecar_entries,
    write_audio,
)
from audiogen.models import Model
from audiogen.output_names import sidecar_of
from audiogen.run import Run
from audiogen.text_files import dump_json, write_text
from audiogen.tunes.midi.controller_reset import Reset, controller_resets
from audiogen.tunes.midi.editor import extend_midi, tail_midi
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.rendering import SAMPLE_RATE
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune, joined
from audiogen.tunes.tune_continuation import ContinuedTune, TuneContinuer, markov_chain, truncate_prompt

PROMPT_EXPERIMENT = (
    "representation=midi",
    "model={kind: tokens, embedding: 64, dropout: 0.3, backbone: {kind: lstm, hidden: 128, layers: 2, dropout: 0.3}}",
    "training={steps: 400, batch_size: 8, window: 192, warmup: 40, learning_rate: 0.004}",
    "training={validate_every: 25, patience: 4}",
)
"""Overrides for training on a prompt alone: a small network, in all keys, stopped early by the prompt's end."""


def prompt_experiment(config: Path | None, overrides: tuple[str, ...]) -> Experiment:
    """The experiment of a YAML file, or else the one for a prompt alone.

    Args:
        config: the file; None for `PROMPT_EXPERIMENT`.
        overrides: ``key=value`` on top.

    Raises:
        InputError: its representation is not ``midi``.
    """
    experiment = read_experiment(config, overrides if config is not None else (*PROMPT_EXPERIMENT, *overrides))
    require_midi(experiment, config or "configuration")
    return experiment


def require_midi(experiment: Experiment, subject: object) -> None:
    """Raise an InputError about ``subject`` unless the experiment's representation is ``midi``."""
    if (kind := experiment.representation.kind) != "midi":
        raise InputError(subject, f"its representation is {kind}", "a MIDI prompt needs midi")


def continue_tune(
    prompt: Path,
    outputs: Sequence[tuple[Path, TuneRequest]],
    run: Run | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
) -> Iterator[ContinuedTune]:
    """Continue a MIDI file once per output, each with a JSON sidecar.

    Args:
        prompt: MIDI file; all of its events are kept.
        outputs: files to write, MIDI or audio by their suffix, and the request for each.
        run: trained Run; None to use the prompt alone.
        experiment: how to train on the prompt if there is no Run; None to fit a Markov chain, which predicts better
            from so little, and at once.
        budget: time limit of that training, seconds.
        device: "auto", "cpu" or "cuda", for that training.

    Yields:
        The continuations, each when its files are written.

    Raises:
        InputError: the prompt is not usable, or the Run does not predict notes.
    """
    clock = Clock()
    plans = [None if request.plan is None else prepare_plan(request.plan) for _, request in outputs]
    with collect_warnings() as shared_warnings:
        tune = read_midi(prompt)
        _warn_of_resets(prompt, tune)
        if run is None and experiment is not None:
            run = _train_on(tune, experiment, budget, device, clock)
        with clock("warming"):
            model, tokenizer = _model_and_tokenizer(run, tune)
            continuer = TuneContinuer(model, tokenizer, tune)
    for (out, request), prepared in zip(outputs, plans, strict=True):
        spent = Clock(clock.seconds)
        with collect_warnings() as own_warnings:
            with spent("generation"):
                tail, planned = _tail(continuer, request, prepared)
            with spent("writing"):
                _write(prompt, tune, tail, out, request)
        with remove_output_on_failure(out):
            whole = joined(tune, tail)
            sidecar = (
                _sidecar(prompt, tune, tail, whole, out, request, run)
                | planned
                | {
                    "timings": spent.seconds,
                    "warnings": [*shared_warnings, *own_warnings],
                }
            )
            write_text(sidecar_of(out), dump_json(sidecar))
        yield ContinuedTune(whole, tune.end, sidecar)


def _tail(continuer: TuneContinuer, request: TuneRequest, prepared: PreparedPlan | None) -> tuple[Tune, dict[str, Any]]:
    """A tail, and what the sidecar says about the search for it."""
    if prepared is not None:
        tail, entry = planned_tail(continuer, request, prepared)
        return tail, {"plan": entry}
    bars, takes = request.bars, request.takes if request.temperature == 1 else 1
    return continuer.tail(request.sampling, None if bars else request.seconds, bars, takes), {}


def _train_on(tune: Tune, experiment: Experiment, budget: float | None, device: str, clock: Clock) -> Run:
    from audiogen.training.trainer import train

    with clock("training"):
        return train(single_recording(experiment), tune, budget=budget, device=device)


def _model_and_tokenizer(run: Run | None, tune: Tune) -> tuple[Model, Tokenizer]:
    """Those of the Run, or a Markov chain fitted to the tune."""
    if run is None:
        tokenizer = events_tokenizer(None)
        return markov_chain([truncate_prompt(tune)[1]], tokenizer, MARKOV_ORDER, keys=(0,)), tokenizer
    return run.model, midi_representation_of(run).tokenizer


def _warn_of_resets(prompt: Path, tune: Tune) -> None:
    """Warn of the controllers that are reset at the join."""
    by_name: dict[str, list[Reset]] = {}
    for each in controller_resets(tune):
        by_name.setdefault(each.name, []).append(each)
    parts = []
    for name, changes in by_name.items():
        values = sorted({(each.final, each.value) for each in changes})
        parts.append(f"{name} {', '.join(f'{final} to {value}' for final, value in values[:3])}")
        channels = sorted(each.channel + 1 for each in changes if each.channel >= 0)
        if channels:
            parts[-1] += f" (channel {', '.join(map(str, channels))})"
    if parts:
        text = f"{prompt}: it ends with controllers away from their typical values; at the join they are reset: "
        warnings.warn(text + "; ".join(parts), AudioWarning, stacklevel=3)


def _write(prompt: Path, tune: Tune, tail: Tune, out: Path, request: TuneRequest) -> None:
    """Write the output, MIDI or rendered."""
    if is_midi(out):
        write = tail_midi if request.tail_only else extend_midi
        write(prompt, tail, out, tune)
        return
    whole = joined(tune, tail)
    alone = replace(tail.shifted(-tune.end), controllers=whole.shifted(-tune.end).controllers)
    write_audio(out, alone if request.tail_only else whole, request.seed, request.subtype)


def _sidecar(
    prompt: Path, tune: Tune, tail: Tune, whole: Tune, out: Path, request: TuneRequest, run: Run | None
) -> dict[str, Any]:
    """Content of the sidecar but for timings and warnings."""
    begun = float(whole.seconds_at(tune.end))
    ended = max(whole.seconds, begun)
    return {
        "prompt": str(prompt),
        "output": out.name,
        "join": {"tick": tune.end, "seconds": round(begun, 4), "bar": len(tune.bar_lines()) + 1},
        "join_sample": None if is_midi(out) else (0 if request.tail_only else round(begun * SAMPLE_RATE)),
        "added": {"notes": len(tail.notes), "seconds": round(ended - begun, 4)},
        "reset_at_join": [_reset_entry(each) for each in controller_resets(tune)],
        "seed": request.seed,
        **sidecar_entries(asdict(request), run, measure_tail(tune, tail)),
    }


def _reset_entry(reset: Reset) -> dict[str, Any]:
    """Entry of the sidecar; channels count from 1."""
    channel = reset.channel + 1 if reset.channel >= 0 else None
    return {"channel": channel, "controller": reset.name, "from": reset.final, "to": reset.value}
