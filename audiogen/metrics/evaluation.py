"""Evaluation of one continuation: its measures, the same for real audio and baselines, and the verdicts.

Start here: `evaluate` takes recordings and returns an `Evaluation`, the content of the printed table, evaluation.json,
evaluation.csv and report.html. `audiogen.metrics.evaluation_inputs` prepares the recordings,
`audiogen.metrics.tail_evaluator` compares one tail with real audio, and `audiogen.metrics.tail_measures` measures what
needs the prompt but no baseline (join, level, drift, stereo).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.candidate import Candidate, evaluate_candidate, evaluate_real, number_text, percent_text
from audiogen.metrics.copying import Matches
from audiogen.metrics.crest_factor import crest_ratio
from audiogen.metrics.evaluation_inputs import EvaluationInputs, prepare_inputs
from audiogen.metrics.population_distance import DISTANCES, population_distance
from audiogen.metrics.registry import open_metrics
from audiogen.metrics.spectral_tilt import spectral_tilt
from audiogen.metrics.tail_evaluator import TEXTURE_SECONDS
from audiogen.metrics.waveform_baselines import BASELINES, Baseline
from audiogen.metrics.waveform_repeat import WaveformRepeat, waveform_repeat
from audiogen.progress import progress
from audiogen.text_files import dump_json, write_text

LIKELIHOOD = "likelihood"  # column, of a tail under the Model of the output
Likelihood = Callable[[Recording], float | None]


class Verdict(NamedTuple):
    """One sentence about a continuation, and whether it is good, bad, or neither."""

    kind: Literal["good", "bad", "neutral"]
    text: str


@dataclass(frozen=True)
class Evaluation:
    """Result of `evaluate`.

    Args:
        measures: see `audiogen.metrics.tail_measures.measure_continuation`.
        output: the continuation.
        real: the real continuation, by the same measures (its texture distance is 1 by definition).
        baselines: see `audiogen.metrics.waveform_baselines`.
        distances: ``tilt_db_per_octave``, ``tilt_rms_db`` and ``crest_ratio`` relative to the real audio; ``frechet``
            and ``kernel`` relative to the prompt, which has more windows, with their floor and caveat.
        marks: ``copied`` and ``looped``: ``[time, time of what it repeats, similarity]`` of each repeated window, in
            seconds of the excerpt (of a tail above a minute: its first and last half minute, joined).
        repeat: whether the real audio repeats the prompt sample by sample; None if it is too short to tell.
        mismatch: why the real audio is another kind of sound than the prompt, in words; None if it is not, or unknown.
        raw: what the Model of the output itself draws; None if that is not known.
    """

    measures: dict[str, Any]
    output: Candidate
    real: Candidate
    baselines: list[Candidate]
    distances: dict[str, Any]
    marks: dict[str, list[list[float]]]
    repeat: WaveformRepeat | None = None
    mismatch: str | None = None
    raw: Candidate | None = None

    @property
    def candidates(self) -> list[Candidate]:
        """The output, what its Model draws if that is known, the real audio and the baselines, in this order."""
        return [self.output, *([] if self.raw is None else [self.raw]), self.real, *self.baselines]

    def repeats(self, candidate: Candidate) -> list[str]:
        """`Candidate.repeats` compared with this evaluation's real audio."""
        return candidate.repeats(self.real)

    def beats(self, baseline: Candidate) -> bool | None:
        """Whether the output is closer to real audio; None if it cannot be measured or the baseline repeats."""
        if self.mismatch is not None:
            return None
        if self.output.overall is None or baseline.overall is None or self.repeats(baseline):
            return None
        return self.output.overall < baseline.overall

    def verdicts(self) -> list[str]:
        """The sentences of `graded_verdicts`."""
        return [verdict.text for verdict in self.graded_verdicts()]

    def graded_verdicts(self) -> list[Verdict]:
        """One verdict per fault of the output and per baseline; the last one is the summary."""
        real = f"real audio: {percent_text(self.real.copied)} copied, {percent_text(self.real.looped)} looped"
        verdicts = [Verdict("bad", f"{fault}; {real}") for fault in self.repeats(self.output)]
        if self.mismatch is not None:
            text = f"not comparable with the baselines: of the real audio, {self.mismatch}"
            return [*verdicts, Verdict("bad", text)]
        if self.repeat is not None and self.repeat.repeats:
            again = f"{self.repeat.seconds:.2f} s later (correlation {self.repeat.correlation:.2f})"
            text = f"the real audio repeats the prompt's samples, {again}: only a copy can reach a distance of 1.0"
            verdicts.append(Verdict("neutral", text))
        verdicts += map(self._compare, self.baselines)
        fair = [baseline for baseline in self.baselines if self.beats(baseline) is not None]
        if self.output.scattering is not None:
            farther = [other for other in fair if self.output.scattering < (other.scattering or 0)]
            text = (
                f"by scattering moments, not optimised by texture matching: {self.output.scattering:.2f},"
                f" beats {len(farther)} of {len(fair)}"
            )
            verdicts.append(Verdict("neutral", text))
        order, real_order = (each.others.get("order") for each in (self.output, self.real))
        if order is not None and real_order is not None:
            text = f"by order (what follows what): {order:.2f}, real audio {real_order:.2f}"
            verdicts.append(Verdict("neutral", text))
        verdicts += [Verdict("neutral", text) for text in self._model_level()]
        if self.output.separability is not None and self.real.separability is not None:
            figures = f"{self.output.separability:.2f}, what really followed {self.real.separability:.2f}"
            verdicts.append(Verdict("neutral", f"a classifier tells it from the prompt: {figures} (0.5 is not at all)"))
        won = sum(map(bool, map(self.beats, fair)))
        summary = f"beats {won} of the {len(fair)} baselines that do not repeat"
        return [*verdicts, Verdict("good" if won == len(fair) else "bad", summary)]

    def _model_level(self) -> Iterator[str]:
        """What the Model itself draws, beside what patch selection and guards make of it."""
        if self.raw is not None:
            order = (number_text(each.others.get("order")) for each in (self.raw, self.output))
            texture = f"texture {number_text(self.raw.overall)}, finished {number_text(self.output.overall)}"
            yield f"as its Model draws it (raw): {texture}; order {next(order)}, finished {next(order)}"
        nats = {each.name: each.others[LIKELIHOOD] for each in self.candidates if LIKELIHOOD in each.others}
        if nats:
            values = ", ".join(f"{name} {value:.2f}" for name, value in nats.items())
            yield f"log likelihood under its Model, nats per latent coordinate: {values}"

    def _compare(self, baseline: Candidate) -> Verdict:
        values = f"{number_text(self.output.overall)} against {number_text(baseline.overall)}"
        match self.beats(baseline):
            case True:
                return Verdict("good", f"beats {baseline.name}: {values}")
            case False:
                return Verdict("bad", f"does not beat {baseline.name}: {values}")
        faults = self.repeats(baseline)
        reason = f"it {' and '.join(faults)}" if faults else "too short to measure"
        return Verdict("neutral", f"not compared with {baseline.name}: {values}, but {reason}")

    def as_dict(self) -> dict[str, Any]:
        """The evaluation in JSON types: the content of evaluation.json."""
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
        """One row per candidate, all with the same columns."""
        columns = dict.fromkeys(key for candidate in self.candidates for key in candidate.row())
        return [{key: candidate.row().get(key) for key in columns} for candidate in self.candidates]

    def table(self) -> str:
        """The rows as a Markdown table."""
        rows = self.rows()
        lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
        for row in rows:
            cells = [value if isinstance(value, str) else number_text(value) for value in row.values()]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Write ``evaluation.json`` and ``evaluation.csv`` into an existing folder."""
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
    controls: Mapping[str, Baseline] | None = None,
    raw: Recording | None = None,
) -> Evaluation:
    """Compare a continuation with real audio and with simple baselines.

    Args:
        output: the continuation, alone or after its prompt.
        reference: real audio of the same recording, ideally what followed the prompt. If it begins with the prompt, the
            part after that is used. Resampled to the output's rate if necessary.
        prompt: the continued recording. None: the reference takes its place, and the join is not measured.
        join_sample: first sample of the continuation in ``output``; None compares ``output`` with the prompt.
        baselines: names of `BASELINES` to compare with.
        seed: random seed of the baselines.
        controls: further baselines, such as `audiogen.jobs.control_baselines.CONTROL_BASELINES`.
        raw: the continuation as its Model draws it (``--raw``), alone or after its prompt.

    Raises:
        InputError: see `audiogen.metrics.evaluation_inputs.prepare_inputs`.
    """
    return evaluate_inputs(prepare_inputs(output, reference, prompt, join_sample, baselines, seed, controls, raw))


def evaluate_inputs(inputs: EvaluationInputs, likelihood: Likelihood | None = None) -> Evaluation:
    """`evaluate` with prepared inputs, for callers that also play or plot them.

    Args:
        inputs: see `prepare_inputs`.
        likelihood: of a tail under the Model of the output (`jobs.model_likelihood.ModelLikelihood`); None without.
    """
    evaluator, excerpt = inputs.running.evaluator, inputs.excerpt
    compared = evaluator.compare(excerpt)
    measures = inputs.running.result(compared=compared)
    if inputs.held_out is None:
        measures |= {"join": None, "level": None}
    metrics = open_metrics(inputs.real, None if inputs.held_out is None else inputs.source)
    tails = {"output": excerpt, **({} if inputs.raw is None else {"raw": inputs.raw}), **inputs.baselines}
    with progress(len(tails), "evaluating") as bar:
        candidates = []
        for name, tail in tails.items():
            known = compared if name == "output" else None
            candidates.append(evaluate_candidate(name, tail, evaluator, metrics, known))
            bar.update()
    real = evaluate_real(inputs.real, evaluator, list(candidates[0].classes), metrics)
    if likelihood is not None:
        sounds = {**tails, "real": inputs.real.last(TEXTURE_SECONDS)}
        candidates = [_with_likelihood(each, likelihood(sounds[each.name])) for each in candidates]
        real = _with_likelihood(real, likelihood(sounds["real"]))
    models = 1 if inputs.raw is None else 2  # candidates that are no baselines
    return Evaluation(
        measures=measures,
        output=candidates[0],
        real=real,
        baselines=candidates[models:],
        distances=_distances(excerpt, inputs.real, inputs.source),
        marks={"copied": _marks(compared.copying), "looped": _marks(compared.looping)},
        repeat=None if inputs.held_out is None else waveform_repeat(inputs.held_out, inputs.source),
        mismatch=inputs.mismatch,
        raw=candidates[1] if models == 2 else None,
    )


def _with_likelihood(candidate: Candidate, nats: float | None) -> Candidate:
    return candidate if nats is None else replace(candidate, others={**candidate.others, LIKELIHOOD: nats})


def _distances(tail: Recording, real: Recording, source: Recording) -> dict[str, Any]:
    tilt = spectral_tilt(tail, real)
    distances: dict[str, Any] = {
        "tilt_db_per_octave": tilt.slope,
        "tilt_rms_db": tilt.rms,
        "crest_ratio": crest_ratio(tail, real),
    }
    for name in DISTANCES:
        try:
            distance = population_distance(tail, source, distance=name)
        except InputError:
            distances[name] = None
            continue
        distances[name] = {key: getattr(distance, key) for key in ("value", "floor", "features", "caveat")}
    return distances


def _marks(matches: Matches | None) -> list[list[float]]:
    if matches is None:
        return []
    columns = (matches.times, matches.positions, matches.similarity)
    return [[round(float(value), 3) for value in row] for row in np.stack(columns, axis=1)[matches.repeated]]
