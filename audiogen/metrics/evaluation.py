"""One evaluation of one continuation: its measures, the baselines beside it, and who beats whom.

The data of a report: as a nest for JSON, as rows for CSV, as lines to print.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.copying import Matches
from audiogen.metrics.crest_factor import crest_ratio
from audiogen.metrics.evaluation_inputs import EvaluationInputs, prepare_inputs
from audiogen.metrics.population_distance import DISTANCES, population_distance
from audiogen.metrics.registry import Metric, measure, open_metrics
from audiogen.metrics.spectral_tilt import spectral_tilt
from audiogen.metrics.tail_evaluator import TailEvaluator, end_of
from audiogen.metrics.tail_measures import EXCERPT_SECONDS
from audiogen.metrics.waveform_baselines import BASELINES
from audiogen.metrics.waveform_repeat import WaveformRepeat, waveform_repeat
from audiogen.progress import progress
from audiogen.text_files import dump_json, write_text

REPETITION_MARGIN = 0.05  # share of repeated half seconds beyond that of real audio that still counts as none


@dataclass(frozen=True)
class Candidate:
    """One way to go on, as it was judged.

    Args:
        name: "output", "real", or the baseline's.
        overall: texture distance; 1.0 is as close as another real stretch. None if it was too short to say.
        classes: texture distance by class.
        copied: share of half seconds that repeat the prompt; None if too short.
        looped: share that repeat the candidate itself.
        scattering: distance by scattering moments, which no tail is made to fit; None if it was too short to say.
        others: values of the registered `METRICS`, by column.
    """

    name: str
    overall: float | None
    classes: dict[str, float]
    copied: float | None
    looped: float | None
    scattering: float | None = None
    others: dict[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """One flat row: name, overall, scattering, copied, looped, the classes and the registered metrics."""
        shares = {"scattering": self.scattering, "copied": self.copied, "looped": self.looped}
        return {"candidate": self.name, "overall": self.overall, **shares, **self.classes, **self.others}

    def repeats(self, real: Candidate) -> list[str]:
        """What is wrong with its originality, beside that of real audio, in words; empty if nothing is."""
        faults = []
        if (self.copied or 0) > (real.copied or 0) + REPETITION_MARGIN:
            faults.append(f"copies the prompt ({_percent(self.copied)})")
        if (self.looped or 0) > (real.looped or 0) + REPETITION_MARGIN:
            faults.append(f"repeats itself ({_percent(self.looped)})")
        return faults


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Args:
        measures: see `measures.measure_continuation`.
        output: the continuation.
        real: what truly came next, by the same measures (its texture distance is 1 by definition).
        baselines: the others.
        distances: ``tilt_db_per_octave``, ``tilt_rms_db`` and ``crest_ratio`` against the real audio; ``frechet`` and
            ``kernel`` against the prompt, which has more windows, with their floor and caveat.
        marks: ``copied`` and ``looped``: for each repeated half second ``[seconds, seconds of what it
            repeats, similarity]`` (of a tail above a minute: within its first and last half minute, put
            together).
        repeat: whether the real audio plays the prompt's samples again; None where that cannot be said.
        mismatch: why the real audio is not the prompt's kind of sound, in words; None where it is, or nobody can say.
    """

    measures: dict[str, Any]
    output: Candidate
    real: Candidate
    baselines: list[Candidate]
    distances: dict[str, Any]
    marks: dict[str, list[list[float]]]
    repeat: WaveformRepeat | None = None
    mismatch: str | None = None

    @property
    def candidates(self) -> list[Candidate]:
        """The output, the real audio and the baselines."""
        return [self.output, self.real, *self.baselines]

    def repeats(self, candidate: Candidate) -> list[str]:
        """`Candidate.repeats` beside this evaluation's real audio."""
        return candidate.repeats(self.real)

    def beats(self, baseline: Candidate) -> bool | None:
        """Whether the output is closer to real audio; None if that cannot be said or the baseline repeats."""
        if self.mismatch is not None:
            return None
        if self.output.overall is None or baseline.overall is None or self.repeats(baseline):
            return None
        return self.output.overall < baseline.overall

    def verdicts(self) -> list[str]:
        """One line for each fault of the output and for each baseline, and one that sums up."""
        real = f"real audio: {_percent(self.real.copied)} copied, {_percent(self.real.looped)} looped"
        lines = [f"{fault}; {real}" for fault in self.repeats(self.output)]
        if self.mismatch is not None:
            return [*lines, f"says nothing about the baselines: of the real audio, {self.mismatch}"]
        if self.repeat is not None and self.repeat.repeats:
            again = f"{self.repeat.seconds:.2f} s later (correlation {self.repeat.correlation:.2f})"
            lines.append(
                f"the real audio plays the prompt's samples again, {again}: only a copy can be as close as 1.0"
            )
        for baseline in self.baselines:
            against = f"{_number(self.output.overall)} against {_number(baseline.overall)}"
            beats, faults = self.beats(baseline), self.repeats(baseline)
            if beats is None:
                reason = f"it {' and '.join(faults)}" if faults else "too short to say"
                lines.append(f"not held against {baseline.name}: {against}, but {reason}")
            else:
                lines.append(f"{'beats' if beats else 'does not beat'} {baseline.name}: {against}")
        fair = [baseline for baseline in self.baselines if self.beats(baseline) is not None]
        if self.output.scattering is not None:
            nearer = [baseline.scattering for baseline in fair if self.output.scattering < (baseline.scattering or 0)]
            lines.append(
                f"by scattering moments, which no tail is made to have: {self.output.scattering:.2f},"
                f" beats {len(nearer)} of the {len(fair)}"
            )
        won = sum(map(bool, map(self.beats, fair)))
        return [*lines, f"beats {won} of the {len(fair)} baselines that do not repeat"]

    def as_dict(self) -> dict[str, Any]:
        """The whole evaluation in JSON's own types."""
        return {
            "verdicts": self.verdicts(),
            "real_repeat": asdict(self.repeat) if self.repeat else None,
            "real_mismatch": self.mismatch,
            "candidates": [candidate.row() for candidate in self.candidates],
            "distances": self.distances,
            "measures": self.measures,
            "marks": self.marks,
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row a candidate, the same columns in each."""
        columns = dict.fromkeys(key for candidate in self.candidates for key in candidate.row())
        return [{key: candidate.row().get(key) for key in columns} for candidate in self.candidates]

    def table(self) -> str:
        """The rows as a Markdown table."""
        rows = self.rows()
        lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
        for row in rows:
            cells = [value if isinstance(value, str) else _number(value) for value in row.values()]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Write ``evaluation.json`` and ``evaluation.csv`` into a folder that exists."""
        write_text(folder / "evaluation.json", dump_json(self.as_dict()))
        rows = self.rows()
        with (folder / "evaluation.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def evaluate(
    output: Recording,
    reference: Recording,
    prompt: Recording | None = None,
    join_sample: int | None = None,
    baselines: Iterable[str] = tuple(BASELINES),
    seed: int = 0,
) -> Evaluation:
    """Judge a continuation against real audio and against the cheap baselines.

    Args:
        output: the continuation, alone or after its prompt.
        reference: real audio of the same recording: best what truly came next; if it begins with the
            prompt, what comes after that. Resampled to the output's rate if need be.
        prompt: what was continued. None: the reference stands for it, and nothing is said about the join.
        join_sample: where in ``output`` the continuation begins; None finds out whether it begins with the
            prompt.
        baselines: which of `BASELINES` to hold it against.
        seed: of the baselines.

    Raises:
        InputError: see `sounds.prepare_inputs`.
    """
    return evaluate_inputs(prepare_inputs(output, reference, prompt, join_sample, baselines, seed))


def evaluate_inputs(sounds: EvaluationInputs) -> Evaluation:
    """`evaluate` of what was gathered before, for those who also want to hear it."""
    measures = sounds.running.result()
    if sounds.held_out is None:
        measures |= {"join": None, "level": None}
    evaluator, excerpt = sounds.running.evaluator, sounds.excerpt
    metrics = open_metrics(sounds.real, None if sounds.held_out is None else sounds.source)
    tails = {"output": excerpt, **sounds.baselines}
    with progress(len(tails), "judging") as bar:
        candidates = []
        for name, tail in tails.items():
            candidates.append(evaluate_candidate(name, tail, evaluator, metrics))
            bar.update()
    return Evaluation(
        measures=measures,
        output=candidates[0],
        real=evaluate_real(sounds.real, evaluator, list(candidates[0].classes), metrics),
        baselines=candidates[1:],
        distances=_distances(excerpt, sounds.real, sounds.source),
        marks={"copied": _marks(evaluator.copying(excerpt)), "looped": _marks(evaluator.looping(excerpt))},
        repeat=None if sounds.held_out is None else waveform_repeat(sounds.held_out, sounds.source),
        mismatch=sounds.mismatch,
    )


def evaluate_candidate(
    name: str, tail: Recording, evaluator: TailEvaluator, metrics: Mapping[str, Metric] | None = None
) -> Candidate:
    """A tail as a candidate."""
    texture, scattering = evaluator.texture(tail), evaluator.scattering(tail)
    return Candidate(
        name,
        texture.overall if texture else None,
        texture.classes if texture else {},
        _share(evaluator.copying(tail)),
        _share(evaluator.looping(tail)),
        scattering.overall if scattering else None,
        measure(metrics or {}, tail),
    )


def _share(matches: Matches | None) -> float | None:
    return matches.fraction if matches else None


def evaluate_real(
    real: Recording, evaluator: TailEvaluator, classes: list[str], metrics: Mapping[str, Metric] | None = None
) -> Candidate:
    """Real audio is its own measure; against itself as the source, copying would say nothing."""
    piece = end_of(real, 2 * EXCERPT_SECONDS)
    copied = None if evaluator.held_out is None else _share(evaluator.copying(piece))
    others = measure(metrics or {}, piece)
    return Candidate("real", 1.0, dict.fromkeys(classes, 1.0), copied, _share(evaluator.looping(piece)), 1.0, others)


def _distances(tail: Recording, real: Recording, source: Recording) -> dict[str, Any]:
    tilt = spectral_tilt(tail, real)
    found: dict[str, Any] = {
        "tilt_db_per_octave": tilt.slope,
        "tilt_rms_db": tilt.rms,
        "crest_ratio": crest_ratio(tail, real),
    }
    for name in DISTANCES:
        try:
            distance = population_distance(tail, source, distance=name)
        except InputError:
            found[name] = None
            continue
        found[name] = {key: getattr(distance, key) for key in ("value", "floor", "features", "caveat")}
    return found


def _marks(matches: Matches | None) -> list[list[float]]:
    if matches is None:
        return []
    columns = (matches.times, matches.positions, matches.similarity)
    return [[round(float(value), 3) for value in row] for row in np.stack(columns, axis=1)[matches.repeated]]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
