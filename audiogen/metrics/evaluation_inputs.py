"""Inputs of an evaluation: the tail, real audio, the source and the baselines' tails, at one sample rate.

`prepare_inputs` cuts the continuation at the join, resamples, renders the baselines, and checks that the real audio is
the same kind of sound as the prompt.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import InputError
from audiogen.metrics.drift import SILENCE_FLOOR
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.metrics.tail_measures import EXCERPT_SECONDS, RunningMeasures
from audiogen.metrics.texture import remove_part
from audiogen.metrics.waveform_baselines import BASELINES, Baseline
from audiogen.progress import progress

SAMPLE_TOLERANCE = 1e-4  # largest difference of samples that were stored in a file in between
MIN_COMMON = 0.2  # of the prompt: the least that a continuation keeps of it (`sound.fade_detection.MIN_BODY_FRACTION`)
MIN_SECONDS = 1.0  # of a continuation, for most metrics
MAX_RELATION = 1.6  # halves of a recording reach 1.33, different recordings start at 1.8: `TextureReference.relation`
MAX_CLASS_RELATION = 4.0  # the same for a single class of statistics: halves reach 2
PASSBAND = 0.9  # of the lower Nyquist frequency, unaffected by resampling


@dataclass(frozen=True)
class EvaluationInputs:
    """What an evaluation compares.

    Args:
        tail: the continuation alone.
        source: the continued recording; the reference if there is no prompt.
        held_out: the real continuation; None if there is no prompt.
        baselines: continuation of the source by each baseline, as long as the tail, at most 30 s.
        running: measures of the tail, with the `TailEvaluator` that all candidates use.
        mismatch: why the real audio is another kind of sound than the source, in words; None if it is not, or unknown.
        raw: what the Model of the tail itself draws, as long as the tail's excerpt at most; None if it is not known.
    """

    tail: Recording
    source: Recording
    held_out: Recording | None
    baselines: dict[str, Recording]
    running: RunningMeasures
    mismatch: str | None = None
    raw: Recording | None = None

    @property
    def real(self) -> Recording:
        """The real audio that textures are compared with."""
        return self.held_out or self.source

    @cached_property
    def excerpt(self) -> Recording:
        """The part of the tail whose texture and repetitions are measured: see `RunningMeasures.excerpt`."""
        return self.running.excerpt


def _same(one: Recording, other: Recording) -> bool:
    """Whether two recordings have the same samples, but for what another sample format has rounded."""
    if one.samples.shape != other.samples.shape:
        return False
    tolerance = min(SAMPLE_TOLERANCE, 0.01 * max(one.peak, other.peak))
    return bool(np.abs(one.samples - other.samples).max(initial=0.0) <= tolerance)


def prepare_inputs(
    output: Recording,
    reference: Recording,
    prompt: Recording | None = None,
    join_sample: int | None = None,
    baselines: Iterable[str] = tuple(BASELINES),
    seed: int = 0,
    controls: Mapping[str, Baseline] | None = None,
    raw: Recording | None = None,
) -> EvaluationInputs:
    """Cut, resample and render what an evaluation needs; the arguments are those of `evaluate`.

    Warns:
        AudioWarning: the real audio is the prompt, is another kind of sound, or has another sample rate than the
            output; the continuation is shorter than `MIN_SECONDS`.

    Raises:
        InputError: the reference is silent where the rest is not, or is the output itself; channel counts differ; no
            continuation follows the join; the prompt is a single sample; a baseline is unknown.
    """
    rate = output.sample_rate
    reference_name, output_name = reference.path or "the reference", output.path or "the output"
    if _same(output, reference):
        raise InputError(reference_name, "it is the output itself", "give real audio, ideally what followed the prompt")
    held_out = None if prompt is None else reference.resampled(rate)
    source = (reference if prompt is None else prompt).resampled(rate)
    if held_out is not None:
        held_out = remove_part(held_out, source) or held_out
        if _same(held_out, source):
            cause = "it is the prompt itself, to which all tails are close, and a copy the closest"
            warnings.warn(f"{reference_name}: {cause}; give what followed the prompt", AudioWarning, stacklevel=2)
        _require_channels(reference_name, held_out, output)
    if source.length < 2:
        raise InputError("the prompt", "is a single sample", "give a longer one")
    start = _find_join(output, prompt and source) if join_sample is None else join_sample
    if start >= output.length:
        raise InputError(output_name, "ends where the continuation should begin", "check the prompt")
    tail = output.cut(start, output.length)
    if tail.seconds < MIN_SECONDS:
        cause = f"{tail.seconds:.2f} s of continuation are too short for most measures"
        warnings.warn(f"{output_name}: {cause}; give {MIN_SECONDS:g} s or more", AudioWarning, stacklevel=2)
    _require_channels((prompt.path if prompt else reference_name) or "the prompt", source, output)
    real = held_out or source
    if not _sounding(real).any() and (_sounding(source).any() or _sounding(tail).any()):
        raise InputError(reference_name, "it is silent", "give real audio, ideally what followed the prompt")
    lowest = min(reference.sample_rate, rate)
    nyquist = None if reference.sample_rate == rate else PASSBAND * lowest / 2
    if nyquist is not None:
        rates = f"its sample rate is {reference.sample_rate} Hz, that of {output_name} {rate} Hz"
        cure = f"textures are compared up to {nyquist:.0f} Hz; give one of the same rate to compare all frequencies"
        warnings.warn(f"{reference_name}: {rates}; {cure}", AudioWarning, stacklevel=2)
    evaluator = TailEvaluator(source, held_out, nyquist=nyquist)
    mismatch = _mismatch(evaluator, real, source if held_out else tail)
    if mismatch is not None:
        cure = "give what followed the prompt, or other audio of the same recording"
        warnings.warn(f"{reference_name}: {mismatch}; {cure}", AudioWarning, stacklevel=2)
        evaluator = TailEvaluator(source, held_out, unrelated=True, nyquist=nyquist)
    running = RunningMeasures(source, held_out, evaluator)
    running.push(tail.samples)
    seconds = min(running.excerpt.seconds, EXCERPT_SECONDS)
    rendered = _render_baselines(baselines, controls or {}, source, seconds, seed)
    raw = None if raw is None else _raw_tail(raw, output, source if prompt else None, seconds)
    return EvaluationInputs(tail, source, held_out, rendered, running, mismatch, raw)


def _raw_tail(raw: Recording, output: Recording, prompt: Recording | None, seconds: float) -> Recording:
    """What follows the prompt in a raw continuation, if that is in it; at most ``seconds`` of it."""
    _require_channels(raw.path or "the raw tail", raw, output)
    raw = raw.resampled(output.sample_rate)
    start = _find_join(raw, prompt)
    return raw.cut(start, min(raw.length, start + round(seconds * raw.sample_rate)))


def _mismatch(evaluator: TailEvaluator, real: Recording, known: Recording) -> str | None:
    """Why ``real`` is another kind of sound than ``known``, in words; None if it is not, or unknown."""
    silent = np.flatnonzero(~_sounding(real) & _sounding(known))
    if len(silent):
        numbers = ", ".join(str(channel + 1) for channel in silent)
        other = "the prompt" if evaluator.held_out else "the output"
        return f"its channel {numbers} is silent, but not that of {other}"
    relation = evaluator.texture_reference.relation() if evaluator.held_out is not None else {}
    if not relation:
        return None
    overall, worst = float(np.exp(np.mean(np.log(list(relation.values()))))), max(relation, key=lambda k: relation[k])
    if overall > MAX_RELATION:
        figure = f"{overall:.1f} times as far from it as each is from itself (usually at most {MAX_RELATION:g})"
    elif relation[worst] > MAX_CLASS_RELATION:
        figure = f"by {worst}, {relation[worst]:.1f} times as far as each is from itself (usually at most 2)"
    else:
        return None
    return f"it is not the prompt's kind of sound: {figure}"


def _sounding(recording: Recording) -> np.ndarray:
    """``[channels]`` bool: above -80 dBFS and at most 60 dB below the loudest channel."""
    power = np.square(recording.samples, dtype=np.float64).mean(axis=1)
    return (power > SILENCE_FLOOR) & (power > 1e-6 * power.max())


def _require_channels(subject: object, recording: Recording, output: Recording) -> None:
    if recording.channels != output.channels:
        counts = f"has {recording.channels} channels, the output {output.channels}"
        raise InputError(subject, counts, "give recordings with the same channels")


def _find_join(output: Recording, prompt: Recording | None) -> int:
    """First sample of the continuation: after what the output has of the prompt, which may lack a fade at its end."""
    if prompt is None or prompt.channels != output.channels:
        return 0
    length = min(prompt.length, output.length)
    differs = np.abs(output.samples[:, :length] - prompt.samples[:, :length]).max(axis=0) >= SAMPLE_TOLERANCE
    common = int(np.argmax(differs)) if differs.any() else length
    return common if common > MIN_COMMON * prompt.length and common < output.length else 0


def _render_baselines(
    names: Iterable[str], controls: Mapping[str, Baseline], source: Recording, seconds: float, seed: int
) -> dict[str, Recording]:
    chosen: dict[str, Baseline] = {}
    for name in names:
        if name not in BASELINES:
            raise InputError(f"baseline {name}", "there is no such baseline", f"choose from {', '.join(BASELINES)}")
        chosen[name] = BASELINES[name]
    chosen |= controls
    tails = {}
    with progress(len(chosen), "rendering baselines") as bar:
        for name, baseline in chosen.items():
            with suppress(InputError):  # the prompt is too short for this baseline
                tails[name] = baseline(source, seconds, seed)
            bar.update()
    return tails
