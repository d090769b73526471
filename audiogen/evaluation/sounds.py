"""What an evaluation hears: the tail, real audio, the source, and how the baselines go on, at one rate."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.evaluation.baselines import BASELINES
from audiogen.evaluation.measures import EXCERPT, RunningMeasures
from audiogen.evaluation.texture import without
from audiogen.progress import progress

SAME = 1e-4  # samples that differ by less are the same, written to a file in between


@dataclass(frozen=True)
class Sounds:
    """Everything that is judged, and what it is judged by.

    Args:
        tail: the continuation alone.
        source: what was continued; the reference, if nobody says what was.
        held_out: what truly came next; None if nobody says what was continued.
        baselines: how each baseline continues the source, as long as the tail, 30 s at most.
        measures: the tail's running measures, which hold the judge of all the others.
    """

    tail: Recording
    source: Recording
    held_out: Recording | None
    baselines: dict[str, Recording]
    measures: RunningMeasures

    @property
    def real(self) -> Recording:
        """The real audio that texture is held against."""
        return self.held_out or self.source

    @property
    def excerpt(self) -> Recording:
        """What of the tail is judged by texture and repetitions: see `measures.RunningMeasures.excerpt`."""
        return self.measures.excerpt


def gather(
    output: Recording,
    reference: Recording,
    prompt: Recording | None = None,
    join_sample: int | None = None,
    baselines: Iterable[str] = tuple(BASELINES),
    seed: int = 0,
) -> Sounds:
    """Cut, resample and render what an evaluation needs; the arguments are those of `report.evaluate`.

    Raises:
        InputError: channels differ, nothing is left after the join, the prompt is a single sample, or there is no such
            baseline.
    """
    rate = output.sample_rate
    held_out = None if prompt is None else reference.resampled(rate)
    source = (reference if prompt is None else prompt).resampled(rate)
    if held_out is not None:
        held_out = without(held_out, source) or held_out
        _require_channels("the reference", held_out, output)
    if source.length < 2:
        raise InputError("the prompt", "is a single sample", "give a longer one")
    start = _join(output, prompt and source) if join_sample is None else join_sample
    if start >= output.length:
        raise InputError("the output", "ends where the continuation should begin", "check the prompt")
    tail = output.cut(start, output.length)
    _require_channels("the prompt" if held_out else "the reference", source, output)
    running = RunningMeasures(source, held_out)
    running.push(tail.samples)
    seconds = min(running.excerpt.seconds, EXCERPT)
    return Sounds(tail, source, held_out, _rendered(baselines, source, seconds, seed), running)


def _require_channels(subject: str, recording: Recording, output: Recording) -> None:
    if recording.channels != output.channels:
        counts = f"has {recording.channels} channels, the output {output.channels}"
        raise InputError(subject, counts, "give recordings with the same channels")


def _join(output: Recording, prompt: Recording | None) -> int:
    """Where the continuation begins: after the prompt, if the output begins with it."""
    if prompt is None or prompt.length >= output.length or prompt.channels != output.channels:
        return 0
    head = output.samples[:, : prompt.length]
    return prompt.length if np.max(np.abs(head - prompt.samples), initial=0) < SAME else 0


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
