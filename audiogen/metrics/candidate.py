"""Measures of one candidate of an evaluation: a continuation, what its Model draws, real audio, or a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audiogen.audio import Recording
from audiogen.metrics.copying import Matches
from audiogen.metrics.registry import Metric, measure
from audiogen.metrics.tail_evaluator import TEXTURE_SECONDS, TailComparison, TailEvaluator

REPETITION_MARGIN = 0.05  # fraction of repeated windows above that of real audio which is still acceptable


@dataclass(frozen=True)
class Candidate:
    """Texture and repetition measures of one candidate: the continuation, real audio or a baseline.

    Args:
        name: "output", "real", or the baseline's.
        overall: texture distance; 1.0 is as close as another real segment. None if the audio is too short.
        classes: texture distance by class of statistics.
        copied: fraction of 0.5 s windows that repeat the prompt; None if the audio is too short.
        looped: fraction of 0.5 s windows that repeat the candidate itself; None if the audio is too short.
        scattering: distance by scattering moments, which texture matching does not optimise; None if too short.
        tonality: distance by spectral lines; None if too short.
        separability: how well a classifier tells it from the prompt, 0.5 (not at all) .. 1; None if too short, or if
            there is no prompt.
        others: values of the registered `METRICS`, by column.
    """

    name: str
    overall: float | None
    classes: dict[str, float]
    copied: float | None
    looped: float | None
    scattering: float | None = None
    tonality: float | None = None
    separability: float | None = None
    others: dict[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The row of tables: name, distances, separability, repetition, classes and registered metrics."""
        return {
            "candidate": self.name,
            "overall": self.overall,
            "scattering": self.scattering,
            "tonality": self.tonality,
            "separability": self.separability,
            "copied": self.copied,
            "looped": self.looped,
            **self.classes,
            **self.others,
        }

    def repeats(self, real: Candidate) -> list[str]:
        """How it repeats more than real audio does, in words; empty if it does not."""
        faults = []
        if (self.copied or 0) > (real.copied or 0) + REPETITION_MARGIN:
            faults.append(f"copies the prompt ({percent_text(self.copied)})")
        if (self.looped or 0) > (real.looped or 0) + REPETITION_MARGIN:
            faults.append(f"repeats itself ({percent_text(self.looped)})")
        return faults


def evaluate_candidate(
    name: str,
    tail: Recording,
    evaluator: TailEvaluator,
    metrics: Mapping[str, Metric] | None = None,
    compared: TailComparison | None = None,
) -> Candidate:
    """Distances and repetition of a tail; ``compared`` is the first and last, if known."""
    compared = compared or evaluator.compare(tail)
    texture, scattering, tonality = compared.texture, evaluator.scattering(tail), evaluator.tonality(tail)
    return Candidate(
        name,
        texture.overall if texture else None,
        texture.classes if texture else {},
        _fraction(compared.copying),
        _fraction(compared.looping),
        scattering.overall if scattering else None,
        tonality.overall if tonality else None,
        evaluator.separability(tail),
        measure(metrics or {}, tail),
    )


def _fraction(matches: Matches | None) -> float | None:
    return matches.fraction if matches else None


def evaluate_real(
    real: Recording, evaluator: TailEvaluator, classes: list[str], metrics: Mapping[str, Metric] | None = None
) -> Candidate:
    """The same for the real audio, whose distance to itself is 1; copying is None where it is the source itself."""
    segment, copied = real.last(TEXTURE_SECONDS), _fraction(evaluator.real_copying)
    others = measure(metrics or {}, segment)
    return Candidate(
        name="real",
        overall=1.0,
        classes=dict.fromkeys(classes, 1.0),
        copied=copied,
        looped=_fraction(evaluator.looping(segment)),
        scattering=1.0,
        tonality=1.0,
        separability=evaluator.separability(segment),
        others=others,
    )


def number_text(value: float | None) -> str:
    """A measure with two decimals, or a dash."""
    return "–" if value is None else f"{value:.2f}"


def percent_text(fraction: float | None) -> str:
    """A fraction as a percentage, or a dash."""
    return "–" if fraction is None else f"{100 * fraction:.0f} %"
