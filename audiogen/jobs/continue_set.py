"""The job of `audiogen continue --set`: takes for a random container, equally loud and distinct.

The takes are generated into a temporary file one after the other, each avoiding what those before it sound like
(`PreparedTails.as_set`). When the loudness of all is known, they are written at the highest that the true peak of each
permits, and measured.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from audiogen.audio import AudioWarning, Recording
from audiogen.experiment import Experiment
from audiogen.jobs.continue_sound import write_sidecar
from audiogen.jobs.continuer_choice import AnyContinuer, MorphTarget, Runs, why_not_distinct
from audiogen.jobs.loudness_target import NO_LOUDNESS, HeldSound, Level
from audiogen.jobs.prepare_tail import PreparedTails, prepare_tails
from audiogen.jobs.provenance import Clock, collect_warnings
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import length_of, tail_blocks, write_tail, writer_of
from audiogen.jobs.take_set import levels_of_set, request_for_set
from audiogen.progress import progress
from audiogen.sound.prompt_analysis import PromptParts


def continue_set(
    prompt: Recording,
    outputs: Sequence[tuple[Path, Request]],
    run: Runs | None = None,
    experiment: Experiment | None = None,
    budget: float | None = None,
    device: str = "auto",
    prompt_warnings: Sequence[str] = (),
    morph_target: MorphTarget | None = None,
    cache: bool = True,
    distinct: bool = True,
) -> Iterator[dict[str, Any]]:
    """Write a set of takes: tails alone, as loud as the prompt unless their requests say otherwise.

    Args:
        prompt: the recording. All arguments that are not listed here are those of `continue_variations`.
        outputs: path and request of each take; of several loudnesses that are requested, all have the lowest.
        distinct: let no take repeat those before it; False for takes that were chosen by ear.

    Yields:
        The content of each sidecar, after all takes are generated.
    """
    wanted = [(out, request_for_set(prompt, request)) for out, request in outputs]
    for out, request in wanted:
        writer_of(PromptParts.whole(prompt), out, request).rehearse()
    with collect_warnings() as general:
        choice = (morph_target, run, experiment, budget, device, cache)
        prepared = prepare_tails(prompt, [request for _, request in wanted], *choice, as_set=distinct)
    with tempfile.TemporaryFile(dir=wanted[0][0].parent) as file:
        takes = [_Take.generated(prepared, file, out, request) for out, request in wanted]
        target = min((request.loudness for _, request in wanted if request.loudness is not None), default=None)
        levels: Sequence[Level | None] = [None] * len(takes)
        with collect_warnings() as of_levels:
            if target is not None:
                loudness = {out.name: take.sound.loudness for (out, _), take in zip(wanted, takes, strict=True)}
                requested = any(request.loudness is not None for _, request in outputs)
                levels = levels_of_set(prompt, loudness, target, requested)
        for number, ((out, request), take, level) in enumerate(zip(wanted, takes, levels, strict=True), 1):
            parts, blocks = prepared.parts(request), take.sound.blocks(level.gain_db if level else 0.0)
            with collect_warnings() as texts:
                sidecar = write_tail(
                    parts, take.continuer, out, request, take.clock, blocks=blocks, level=level, follows=False
                )
                if level is not None and level.lufs is None and outputs[number - 1][1].loudness is not None:
                    warnings.warn(f"{out}: {NO_LOUDNESS}", AudioWarning, stacklevel=2)
            sidecar["settings"]["set"] = {"take": number, "takes": len(takes), "distinct": distinct and take.distinct}
            given = [*prompt_warnings, *prepared.warnings_of(request, general)]
            yield write_sidecar(prepared, out, request, sidecar, [*given, *of_levels, *take.warnings, *texts])


@dataclass(frozen=True)
class _Take:
    """A take that is generated, and not yet written.

    Args:
        sound: its samples.
        continuer: what generated it, with its account of this tail; None for silence.
        clock: of the time spent so far.
        warnings: so far.
    """

    sound: HeldSound
    continuer: AnyContinuer | None
    clock: Clock
    warnings: Sequence[str]

    @property
    def distinct(self) -> bool:
        """Whether it was kept from repeating those before it."""
        return self.continuer is not None and why_not_distinct(self.continuer) is None

    @classmethod
    def generated(cls, prepared: PreparedTails, file: BinaryIO, out: Path, request: Request) -> _Take:
        with collect_warnings() as texts:
            parts, continuer = prepared.tail(request)
        if continuer is not None:
            continuer = continuer.for_one_tail()
        recording, clock = parts.recording, Clock(prepared.clock.seconds)
        with clock("generation"), progress(request.seconds, f"generating {out.name}", "s") as bar:
            blocks = tail_blocks(parts, continuer, length_of(recording, request), request)

            def shown() -> Iterator[np.ndarray]:
                for block in blocks:
                    yield block
                    bar.update(block.shape[1] / recording.sample_rate)

            sound = HeldSound(file, shown(), recording.sample_rate, recording.channels)
        return cls(sound, continuer, clock, texts)
