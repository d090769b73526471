"""One job on symbols: a MIDI prompt in, a continued MIDI file (or its rendering) and its sidecar out."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from audiogen import __version__
from audiogen.audio import AudioWarning, Writer, subtype_for
from audiogen.errors import InputError
from audiogen.experiment import Experiment, read_experiment, to_tree
from audiogen.file_names import is_midi
from audiogen.jobs.provenance import Clock, collect_warnings, remove_sidecar_on_failure
from audiogen.jobs.run_choice import single_recording
from audiogen.jobs.tune_request import TuneRequest
from audiogen.models import Model
from audiogen.output_names import sidecar_of
from audiogen.run import Run
from audiogen.text_files import dump_json, write_text
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.metrics.tune_statistics import SCALARS
from audiogen.tunes.midi.controller_reset import Reset, controller_resets
from audiogen.tunes.midi.editor import extend_midi, tail_midi
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.rendering import SAMPLE_RATE, render
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune, joined
from audiogen.tunes.tune_continuation import ContinuedTune, TuneContinuer, markov_chain, truncate_prompt

ORDER = 8  # tokens, two or three notes, that the chain on a prompt alone goes on from
ON_THE_PROMPT = (
    "representation=midi",
    "model={kind: tokens, embedding: 64, dropout: 0.3, backbone: {kind: lstm, hidden: 128, layers: 2, dropout: 0.3}}",
    "training={steps: 400, batch_size: 8, window: 192, warmup: 40, learning_rate: 0.004}",
    "training={validate_every: 25, patience: 4}",
)
"""What is trained on a prompt alone where a training is asked for: little, in all keys, stopped by its own end."""


def prompt_experiment(config: Path | None, overrides: tuple[str, ...]) -> Experiment:
    """The experiment of a YAML file, or the one for a prompt alone, with overrides.

    Raises:
        InputError: it is not about tunes.
    """
    experiment = read_experiment(config, overrides if config is not None else (*ON_THE_PROMPT, *overrides))
    if experiment.representation.kind != "midi":
        kind = experiment.representation.kind
        raise InputError(config or "configuration", f"its representation is {kind}", "a MIDI prompt needs midi")
    return experiment


def continue_tune(
    prompt: Path,
    wanted: Sequence[tuple[Path, TuneRequest]],
    run: Run | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
) -> Iterator[ContinuedTune]:
    """Continue a MIDI file into each of ``wanted`` and describe what was done in a JSON file beside it.

    Args:
        prompt: MIDI file. All of its events stay as they are.
        wanted: files to write, MIDI or sound by their suffix, and what is asked of each tail.
        run: what predicts; None learns from the prompt alone.
        experiment: how, by a training; None counts a Markov chain, which learns more from so little, at once.
        budget: most wall-clock seconds for that training.
        device: "auto", "cpu" or "cuda", for that training.

    Yields:
        What was made, each as its files are there.

    Raises:
        InputError: the prompt is not usable, or the Run is not of tunes.
    """
    clock = Clock()
    with collect_warnings() as general:
        tune = read_midi(prompt)
        _warn_of_resets(prompt, tune)
        if run is None:
            text = (
                f"without --run, all that is learned from are the prompt's own {len(tune.notes)} notes: a Run trained "
                "on many tunes (audiogen train configs/midi/lstm.yaml --data FOLDER -o RUN) goes on with more ideas"
            )
            warnings.warn(text, AudioWarning, stacklevel=2)
        if run is None and experiment is not None:
            run = _train_on(tune, experiment, budget, device, clock)
        with clock("warming"):
            model, tokenizer = _predicting(run, tune)
            continuer = TuneContinuer(model, tokenizer, tune)
    for out, request in wanted:
        spent = Clock(clock.seconds)
        with collect_warnings() as particular:
            with spent("generation"):
                bars, takes = request.bars, request.takes if request.temperature == 1 else 1
                tail = continuer.tail(request.sampling, None if bars else request.seconds, bars, takes)
            with spent("writing"):
                _write(prompt, tune, tail, out, request)
        with remove_sidecar_on_failure(out):
            whole = joined(tune, tail)
            sidecar = _described(prompt, tune, tail, whole, out, request, run) | {
                "timings": spent.seconds,
                "warnings": [*general, *particular],
            }
            write_text(sidecar_of(out), dump_json(sidecar))
        yield ContinuedTune(whole, tune.end, sidecar)


def _train_on(tune: Tune, experiment: Experiment, budget: float | None, device: str, clock: Clock) -> Run:
    from audiogen.training.trainer import train

    with clock("training"):
        return train(single_recording(experiment), tune, budget=budget, device=device)


def _predicting(run: Run | None, tune: Tune) -> tuple[Model, Tokenizer]:
    """What goes on, and its scheme."""
    if run is None:
        tokenizer = TOKENIZERS["events"](TOKENIZERS["events"].Options())
        return markov_chain([truncate_prompt(tune)[1]], tokenizer, ORDER, keys=(0,)), tokenizer
    if not isinstance(run.representation, Midi):
        raise InputError(run.path or "--run", "it predicts sound, not notes", "name a Run of the midi representation")
    return run.model, run.representation.tokenizer


def _warn_of_resets(prompt: Path, tune: Tune) -> None:
    """Say what the tail does not inherit."""
    by_name: dict[str, list[Reset]] = {}
    for each in controller_resets(tune):
        by_name.setdefault(each.name, []).append(each)
    said = []
    for name, changes in by_name.items():
        values = sorted({(each.final, each.value) for each in changes})
        said.append(f"{name} {', '.join(f'{held} to {value}' for held, value in values[:3])}")
        channels = sorted(each.channel + 1 for each in changes if each.channel >= 0)
        if channels:
            said[-1] += f" (channel {', '.join(map(str, channels))})"
    if said:
        text = f"{prompt}: it ends with settings that most of it does not have; at the join they go back: "
        warnings.warn(text + "; ".join(said), AudioWarning, stacklevel=3)


def _write(prompt: Path, tune: Tune, tail: Tune, out: Path, request: TuneRequest) -> None:
    if is_midi(out):
        write = tail_midi if request.tail_only else extend_midi
        write(prompt, tail, out, tune)
        return
    whole = joined(tune, tail)
    alone = replace(tail.shifted(-tune.end), controllers=whole.shifted(-tune.end).controllers)
    sound = render(alone if request.tail_only else whole, SAMPLE_RATE)
    with Writer(out, sound.sample_rate, sound.channels, request.subtype or subtype_for(sound, out), request.seed) as to:
        to.write(sound.samples)


def _described(
    prompt: Path, tune: Tune, tail: Tune, whole: Tune, out: Path, request: TuneRequest, run: Run | None
) -> dict[str, Any]:
    begun, ended = float(whole.seconds_at(tune.end)), max(whole.seconds, float(whole.seconds_at(tune.end)))
    settings = {key: value for key, value in asdict(request).items() if key != "seed"}
    return {
        "prompt": str(prompt),
        "output": out.name,
        "join": {"tick": tune.end, "seconds": round(begun, 4), "bar": len(tune.bar_lines()) + 1},
        "join_sample": None if is_midi(out) else (0 if request.tail_only else round(begun * SAMPLE_RATE)),
        "added": {"notes": len(tail.notes), "seconds": round(ended - begun, 4)},
        "reset_at_join": [_reset_of(each) for each in controller_resets(tune)],
        "seed": request.seed,
        "settings": settings | learned_from(run),
        "versions": versions(),
        "measures": measured(tune, tail),
    }


def _reset_of(reset: Reset) -> dict[str, Any]:
    """For the sidecar, with channels from 1 on."""
    channel = reset.channel + 1 if reset.channel >= 0 else None
    return {"channel": channel, "controller": reset.name, "from": reset.final, "to": reset.value}


def learned_from(run: Run | None) -> dict[str, Any]:
    """What predicted, for the sidecar."""
    if run is None:
        return {"run": None, "training": None, "model": {"kind": "markov", "order": ORDER}}
    path = str(run.path) if run.path else None
    return {"run": path, "training": run.metrics, "experiment": to_tree(run.experiment)}


def measured(prompt: Tune, tail: Tune) -> dict[str, Any]:
    """What the tail is like beside the prompt, and how much of the prompt it repeats, in any key."""
    if not len(tail.melodic_notes) or not len(prompt.melodic_notes):
        return {}
    copied = NoteMatchIndex([prompt]).longest(tail)
    return {
        "prompt": {name: round(measure(prompt), 4) for name, measure in SCALARS.items()},
        "tail": {name: round(measure(tail), 4) for name, measure in SCALARS.items()},
        "longest_run_of_prompt_notes": copied.notes,
    }


def versions() -> dict[str, str]:
    """Of audiogen and of what its notes depend on."""
    names = ("torch", "numpy", "mido", "midirenderer", "pretty_midi")
    own = {"python": platform.python_version(), "audiogen": __version__}
    return own | {name: version(name) for name in names}
