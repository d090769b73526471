"""Candidates of a comparison, which continue a prompt: audio Runs, MIDI Runs, and baselines of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch

from audiogen.audio import Recording
from audiogen.jobs.compare.pieces import Prompt
from audiogen.jobs.control_baselines import control_tail
from audiogen.jobs.model_likelihood import ModelLikelihood
from audiogen.jobs.tune_request import TuneRequest
from audiogen.jobs.tune_results import events_tokenizer
from audiogen.metrics import waveform_baselines as baselines
from audiogen.models import Model, Sampling
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.control_predictors import CONTROLS
from audiogen.sound.raw_tail import RawContinuer
from audiogen.tunes.metrics.tune_statistics import polyphony
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.models.markov import Markov
from audiogen.tunes.piano_transcription import can_transcribe_piano, is_piano, transcribe_piano
from audiogen.tunes.rendering import render
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.transcription import transcribe
from audiogen.tunes.tune import Tune, bar_ticks, joined
from audiogen.tunes.tune_continuation import TuneContinuer, markov_chain

MARKOV_ORDER = 5
MAX_MONOPHONIC = 1.05  # mean number of simultaneous pitches of a single voice


@dataclass(frozen=True)
class CandidateTail:
    """The tail of a candidate.

    Args:
        sound: as long as requested.
        tune: its notes, at ticks after the prompt's: predicted, or transcribed from the sound; None if the sound was
            predicted and cannot be transcribed.
        raw: what the Model itself drew, without patch selection and guards; None without a Model of sound.
        likelihood: nats per latent coordinate, under the Model itself, of the real continuation, of ``raw`` and of
            ``sound`` ("real", "raw", "finished"); empty where it has no density.
    """

    sound: Recording
    tune: Tune | None = None
    raw: Recording | None = None
    likelihood: Mapping[str, float] = field(default_factory=dict)


Candidate = Callable[[Prompt, float, int], CandidateTail]
"""(prompt, seconds, seed) -> tail."""


def candidate_of(run: Run) -> Candidate:
    """A trained Run as a candidate."""
    if isinstance(run.representation, Midi):
        return partial(_continue_notes, run.model, run.representation.tokenizer)
    return partial(_continue_sound, run)


def _continue_sound(run: Run, prompt: Prompt, seconds: float, seed: int) -> CandidateTail:
    length = round(seconds * prompt.sound.sample_rate)
    sound, raw = (
        Recording(np.concatenate(list(continuer.tail(length, seed)), axis=1), prompt.sound.sample_rate)
        for continuer in (Continuer(run, prompt.sound, match_texture=False), RawContinuer(run, prompt.sound))
    )
    likelihood = ModelLikelihood(run, prompt.sound)
    nats = {name: likelihood(each) for name, each in (("real", prompt.real), ("raw", raw), ("finished", sound))}
    return CandidateTail(sound, raw=raw, likelihood={name: value for name, value in nats.items() if value is not None})


def _continue_notes(model: Model, tokenizer: Tokenizer, prompt: Prompt, seconds: float, seed: int) -> CandidateTail:
    assert prompt.tune is not None
    sampling = Sampling(min_p=TuneRequest().min_p, generator=torch.Generator().manual_seed(seed))
    # A rest at the end of the prompt is added to the duration.
    silence = prompt.join - float(prompt.tune.seconds_at(prompt.tune.end))
    tail = TuneContinuer(model, tokenizer, prompt.tune).tail(sampling, seconds=seconds + max(silence, 0.0))
    return CandidateTail(_render_tail(prompt, joined(prompt.tune, tail), seconds), tail)


def with_detected_notes(tail: CandidateTail, prompt: Prompt) -> CandidateTail:
    """The tail with transcribed notes if it has none.

    Transcribes single voices, and several voices of a piano if the library for it is installed.
    """
    if tail.tune is not None or prompt.tune is None or prompt.rest is None:
        return tail
    if max(polyphony(prompt.tune), polyphony(prompt.rest)) <= MAX_MONOPHONIC:
        return replace(tail, tune=transcribe(tail.sound, prompt.tune, prompt.join))
    if is_piano(prompt.tune) and can_transcribe_piano():
        return replace(tail, tune=transcribe_piano(tail.sound, prompt.tune, prompt.join))
    return tail


def repeat_bars(prompt: Prompt, seconds: float, seed: int) -> CandidateTail:
    """Baseline of notes: the last bars of the prompt, about half of them, repeated."""
    tune = prompt.tune
    assert tune is not None
    end, stop = (int(tune.ticks_at(at)) for at in (prompt.join, prompt.join + seconds))
    numerator, denominator = tune.meters[-1, 1:].tolist()
    period = bar_ticks(numerator, denominator, tune.ticks_per_quarter) * max(len(tune.bar_lines()) // 2, 1)
    unit = tune.between(end - period, end)
    copies = [unit.shifted(count * period) for count in range(1, (stop - end) // period + 2)]
    notes = np.concatenate([copy.notes for copy in copies])
    tail = replace(tune, notes=notes, pedals=np.concatenate([copy.pedals for copy in copies])).between(end, stop)
    tail = replace(tail, tempos=tune.tempos[-1:] * [0, 1], meters=tune.meters[-1:] * [0, 1, 1])
    return CandidateTail(_render_tail(prompt, joined(tune, tail), seconds), tail)


def repeat_sound(prompt: Prompt, seconds: float, seed: int) -> CandidateTail:
    """Baseline of sound: the last seconds of the prompt, repeated."""
    return CandidateTail(baselines.loop(prompt.sound, seconds, seed))


def markov_candidate(tunes: list[Tune]) -> tuple[Markov, Tokenizer, Candidate]:
    """Markov chain over ``events`` tokens of the training tunes, its tokenizer, and both as a candidate."""
    tokenizer = events_tokenizer(None)
    chain = markov_chain(tunes, tokenizer, MARKOV_ORDER)
    return chain, tokenizer, partial(_continue_notes, chain, tokenizer)


def _control(name: str, prompt: Prompt, seconds: float, seed: int) -> CandidateTail:
    return CandidateTail(control_tail(name, prompt.sound, seconds, seed, match_texture=False))


SOUND_BASELINES: Mapping[str, Candidate] = {
    "loop": repeat_sound,
    **{name: partial(_control, name) for name in CONTROLS},
}
BASELINES: Mapping[str, Candidate] = {**SOUND_BASELINES, "repeat": repeat_bars}


def _render_tail(prompt: Prompt, tune: Tune, seconds: float) -> Recording:
    """Render the part of a tune after the join, padded with silence if it ends early."""
    sound = render(tune, prompt.sound.sample_rate)
    first, length = prompt.sound.length, round(seconds * prompt.sound.sample_rate)
    samples = np.zeros((sound.channels, length), np.float32)
    tail = sound.samples[:, first : first + length]
    samples[:, : tail.shape[1]] = tail
    return Recording(samples, sound.sample_rate)
