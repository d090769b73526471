"""What an evaluation hears: the tail, real audio, the source, and how the baselines go on, at one rate."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import InputError
from audiogen.metrics.drift import SILENCE_FLOOR
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.metrics.tail_measures import EXCERPT_SECONDS, RunningMeasures
from audiogen.metrics.texture import remove_part
from audiogen.metrics.waveform_baselines import BASELINES
from audiogen.progress import progress

SAMPLE_TOLERANCE = 1e-4  # samples that differ by less are the same, written to a file in between
MIN_SECONDS = 1.0  # seconds of a continuation that can be judged
MAX_RELATION = (
    1.6  # halves of one recording reach 1.33, different recordings begin at 1.8; see `TextureReference.relation`
)
MAX_CLASS_RELATION = 4.0  # the same of a single class of statistics: halves reach 2
PASSBAND = 0.9  # of the lower of two rates' bandwidths that resampling leaves as it is


@dataclass(frozen=True)
class EvaluationInputs:
    """Everything that is judged, and what it is judged by.

    Args:
        tail: the continuation alone.
        source: what was continued; the reference, if nobody says what was.
        held_out: what truly came next; None if nobody says what was continued.
        baselines: how each baseline continues the source, as long as the tail, 30 s at most.
        running: the tail's running measures, which hold the evaluator of all the others.
        mismatch: why the real audio is not the source's kind of sound, in words; None where it is, or nobody can say.
    """

    tail: Recording
    source: Recording
    held_out: Recording | None
    baselines: dict[str, Recording]
    running: RunningMeasures
    mismatch: str | None = None

    @property
    def real(self) -> Recording:
        """The real audio that texture is held against."""
        return self.held_out or self.source

    @property
    def excerpt(self) -> Recording:
        """What of the tail is judged by texture and repetitions: see `measures.RunningMeasures.excerpt`."""
        return self.running.excerpt


def prepare_inputs(
    output: Recording,
    reference: Recording,
    prompt: Recording | None = None,
    join_sample: int | None = None,
    baselines: Iterable[str] = tuple(BASELINES),
    seed: int = 0,
) -> EvaluationInputs:
    """Cut, resample and render what an evaluation needs; the arguments are those of `report.evaluate`.

    Warns:
        AudioWarning: the real audio is not the prompt's kind of sound, or is of another rate than the output; less than
            `MIN_SECONDS` is left after the join.

    Raises:
        InputError: the reference is silent where the rest is not, or is the output itself; channels differ; nothing is
            left after the join; the prompt is a single sample; or there is no such baseline.
    """
    rate = output.sample_rate
    named, named_output = reference.path or "the reference", output.path or "the output"
    if output.samples.shape == reference.samples.shape and np.array_equal(output.samples, reference.samples):
        raise InputError(named, "it is what is judged", "name real audio, best what truly came next")
    held_out = None if prompt is None else reference.resampled(rate)
    source = (reference if prompt is None else prompt).resampled(rate)
    if held_out is not None:
        held_out = remove_part(held_out, source) or held_out
        _require_channels(named, held_out, output)
    if source.length < 2:
        raise InputError("the prompt", "is a single sample", "give a longer one")
    start = _join(output, prompt and source) if join_sample is None else join_sample
    if start >= output.length:
        raise InputError(named_output, "ends where the continuation should begin", "check the prompt")
    tail = output.cut(start, output.length)
    if tail.seconds < MIN_SECONDS:
        cause = f"{tail.seconds:.2f} s of continuation are too short for most measures"
        warnings.warn(f"{named_output}: {cause}; give {MIN_SECONDS:g} s or more", AudioWarning, stacklevel=2)
    _require_channels((prompt.path if prompt else named) or "the prompt", source, output)
    real = held_out or source
    if not _sounding(real).any() and (_sounding(source).any() or _sounding(tail).any()):
        raise InputError(named, "it is silent", "name real audio, best what truly came next")
    lowest = min(reference.sample_rate, rate)
    nyquist = None if reference.sample_rate == rate else PASSBAND * lowest / 2
    if nyquist is not None:
        rates = f"it is of {reference.sample_rate} Hz, {named_output} of {rate} Hz"
        cure = f"textures are compared up to {nyquist:.0f} Hz; name one of the same rate to compare all"
        warnings.warn(f"{named}: {rates}; {cure}", AudioWarning, stacklevel=2)
    evaluator = TailEvaluator(source, held_out, nyquist=nyquist)
    mismatch = _mismatch(evaluator, real, source if held_out else tail)
    if mismatch is not None:
        cure = "name what truly followed the prompt, or other audio of the same recording"
        warnings.warn(f"{named}: {mismatch}; {cure}", AudioWarning, stacklevel=2)
        evaluator = TailEvaluator(source, held_out, unrelated=True, nyquist=nyquist)
    running = RunningMeasures(source, held_out, evaluator)
    running.push(tail.samples)
    seconds = min(running.excerpt.seconds, EXCERPT_SECONDS)
    return EvaluationInputs(tail, source, held_out, _rendered(baselines, source, seconds, seed), running, mismatch)


def _mismatch(evaluator: TailEvaluator, real: Recording, known: Recording) -> str | None:
    """Why real audio is not the kind of sound that it should be, beside audio of which that is known."""
    dead = np.flatnonzero(~_sounding(real) & _sounding(known))
    if len(dead):
        numbers = ", ".join(str(channel + 1) for channel in dead)
        other = "the prompt" if evaluator.held_out else "the output"
        return f"its channel {numbers} is silent, which it is not in {other}"
    relation = evaluator.texture_reference.relation() if evaluator.held_out is not None else {}
    if not relation:
        return None
    overall, worst = float(np.exp(np.mean(np.log(list(relation.values()))))), max(relation, key=lambda k: relation[k])
    if overall > MAX_RELATION:
        figure = f"{overall:.1f} times as far from it as each is from itself (up to {MAX_RELATION:g} is usual)"
    elif relation[worst] > MAX_CLASS_RELATION:
        figure = f"by its {worst}, {relation[worst]:.1f} times as far as each is from itself (up to 2 is usual)"
    else:
        return None
    return f"it is not the prompt's kind of sound: {figure}"


def _sounding(recording: Recording) -> np.ndarray:
    """``[channels]`` bool: whether they lie above -80 dBFS, and at most 60 dB below the loudest."""
    power = np.square(recording.samples, dtype=np.float64).mean(axis=1)
    return (power > SILENCE_FLOOR) & (power > 1e-6 * power.max())


def _require_channels(subject: object, recording: Recording, output: Recording) -> None:
    if recording.channels != output.channels:
        counts = f"has {recording.channels} channels, the output {output.channels}"
        raise InputError(subject, counts, "give recordings with the same channels")


def _join(output: Recording, prompt: Recording | None) -> int:
    """Where the continuation begins: after the prompt, if the output begins with it."""
    if prompt is None or prompt.length >= output.length or prompt.channels != output.channels:
        return 0
    head = output.samples[:, : prompt.length]
    return prompt.length if np.max(np.abs(head - prompt.samples), initial=0) < SAMPLE_TOLERANCE else 0


def _rendered(names: Iterable[str], source: Recording, seconds: float, seed: int) -> dict[str, Recording]:
    names, found = list(names), {}
    for name in names:
        if name not in BASELINES:
            raise InputError(f"baseline {name}", "there is none of that name", f"choose from {', '.join(BASELINES)}")
    with progress(len(names), "continuing by the baselines") as bar:
        for name in names:
            with suppress(InputError):  # the prompt is too short for this one
                found[name] = BASELINES[name](source, seconds, seed)
            bar.update()
    return found
