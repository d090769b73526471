"""Measures of a comparison's tails and Runs, their mean and standard deviation over seeds, and the CSV table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from audiogen.errors import InputError
from audiogen.jobs.compare.candidates import CandidateTail
from audiogen.metrics.registry import Metric, measure
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.metrics.tune_statistics import distances
from audiogen.tunes.tune import Tune

ROW_MEASURES = ("texture", "tonality", "separability", "copied", "looped", "longest_run")
RUN_MEASURES = ("note_distance", "nats_per_note", "nats_per_second", "parameters", "training_seconds")
IDENTITY = ("candidate", "domain", "seeds")  # keys of a summary that are no measures
DESCRIPTIONS = {
    "texture": "Texture distance from the real continuation; 1.0 is as close as another real segment.",
    "tonality": "Distance of the spectral lines from the real continuation's; 1.0 is as close as another real segment.",
    "separability": "How well a classifier tells the tail from the prompt; 0.5 is not at all, 1 always.",
    "copied": "Fraction of 0.5 s windows that repeat the prompt.",
    "looped": "Fraction of 0.5 s windows that repeat the tail itself.",
    "longest_run": "Longest sequence of notes (transcribed, in sound) that occurs in a training tune, in any key.",
    "note_distance": "Distance of the note statistics from those of real tails; 1.0 is as close as halves of these.",
    "nats_per_note": "Negative log-likelihood of the test tunes, in nats per note that the tokens encode.",
    "nats_per_second": "The same, in nats per second of music.",
    "parameters": "Number of weights of the Model.",
    "training_seconds": "Duration of the training, in seconds.",
    "likelihood": "Log density of the tail under the Model itself, in nats per latent coordinate.",
    "real.likelihood": "The same of the real continuation.",
}
"""Explanation of each measure."""
RAW_PREFIX = "raw."  # before the name of a measure: of what the Model itself drew
SIDE_BY_SIDE = ("texture", "order", "likelihood")  # measures that are shown of raw and of finished tails


def measure_tail(
    tail: CandidateTail,
    evaluator: TailEvaluator,
    index: NoteMatchIndex | None,
    metrics: Mapping[str, Metric] | None = None,
) -> dict[str, Any]:
    """The measures of one tail; None where one is not available.

    Args:
        tail: the tail.
        evaluator: of its prompt.
        index: of the training tunes; None without notes.
        metrics: registered ones, of its prompt; their values are ``"others"``, by column.
    """
    texture = evaluator.texture(tail.sound)
    tonality, separability = evaluator.tonality(tail.sound), evaluator.separability(tail.sound)
    copied, looped = evaluator.copying(tail.sound), evaluator.looping(tail.sound)
    notes = tail.tune is not None and index is not None and len(tail.tune.melodic_notes) > 0
    return {
        "texture": None if texture is None else _plain(texture.overall),
        "tonality": None if tonality is None else _plain(tonality.overall),
        "separability": None if separability is None else _plain(separability),
        "copied": None if copied is None else _plain(copied.fraction),
        "looped": None if looped is None else _plain(looped.fraction),
        "others": measure_others(tail, evaluator, metrics or {}),
        "longest_run": index.longest(tail.tune).notes if notes and index and tail.tune else None,
    }


def measure_others(tail: CandidateTail, evaluator: TailEvaluator, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Registered metrics and likelihood of a tail; as ``"raw.…"`` the same, and the texture, of what its Model drew."""
    others = measure(metrics, tail.sound)
    if tail.raw is not None:
        raw, texture = measure(metrics, tail.raw), evaluator.texture(tail.raw)
        others |= {} if texture is None else {f"{RAW_PREFIX}texture": texture.overall}
        others |= {f"{RAW_PREFIX}{name}": value for name, value in raw.items()}
    columns = {"real": "real.likelihood", "raw": f"{RAW_PREFIX}likelihood", "finished": "likelihood"}
    others |= {columns[name]: value for name, value in tail.likelihood.items()}
    return {name: _plain(value) for name, value in others.items()}


def note_distance(tails: Sequence[Tune], real: Sequence[Tune]) -> float | None:
    """Geometric mean of the ratios of `tune_statistics.distances`; None for fewer than four real tails."""
    try:
        by_statistic = distances(tails, real)
    except InputError:
        return None
    ratios = [each.ratio for each in by_statistic.values() if each.ratio is not None and each.floor > 0]
    return _plain(math.exp(float(np.mean([math.log(max(ratio, 1e-3)) for ratio in ratios])))) if ratios else None


def summarise(rows: Sequence[Mapping[str, Any]], runs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over seeds of each measure of each candidate.

    Args:
        rows: measures of single tails, with ``candidate`` and ``seed``.
        runs: measures of whole Runs, by "candidate/seed".
    """
    summary: list[dict[str, Any]] = []
    for name in dict.fromkeys(row["candidate"] for row in rows):
        mine = [row for row in rows if row["candidate"] == name]
        seeds = sorted({row["seed"] for row in mine})
        aggregate: dict[str, Any] = {"candidate": name, "domain": mine[0]["domain"], "seeds": len(seeds)}
        for column in ROW_MEASURES:
            by_seed = ([row.get(column) for row in mine if row["seed"] == seed] for seed in seeds)
            aggregate[column] = _spread([_mean(values) for values in by_seed])
        for column in RUN_MEASURES:
            aggregate[column] = _spread([runs[f"{name}/{seed}"].get(column) for seed in seeds])
        for column in other_measures(rows):
            aggregate[column] = _spread(
                [_mean([_others(row).get(column) for row in mine if row["seed"] == seed]) for seed in seeds]
            )
        summary.append(aggregate)
    return summary


def other_measures(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Columns of registered metrics among the rows, in their order."""
    return list(dict.fromkeys(name for row in rows for name in _others(row)))


def raw_beside_finished(summary: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, tuple[float | None, ...]]]:
    """Means of the measures of raw and finished tails, side by side.

    Args:
        summary: see `summarise`.

    Returns:
        Candidate -> measure of `SIDE_BY_SIDE` -> (raw, finished, real); only candidates with a Model of sound. None
        where it is not known: the likelihood of a Model without a density, and of real audio all but the likelihood.
    """
    found = {}
    for row in summary:
        means = {key: value["mean"] for key, value in row.items() if isinstance(value, Mapping)}
        if means.get(f"{RAW_PREFIX}texture") is not None:
            found[row["candidate"]] = {
                name: tuple(means.get(key) for key in (f"{RAW_PREFIX}{name}", name, f"real.{name}"))
                for name in SIDE_BY_SIDE
            }
    return found


def _others(row: Mapping[str, Any]) -> Mapping[str, float]:
    return row.get("others", {})  # which rows of earlier versions lack


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """CSV table of all tails."""
    out = io.StringIO()
    columns = ["candidate", "domain", "seed", "prompt", *ROW_MEASURES, *other_measures(rows), "seconds"]
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**_others(row), **row} for row in rows)
    return out.getvalue()


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _spread(values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {
        "mean": _plain(np.mean(known)) if known else None,
        "deviation": _plain(np.std(known, ddof=1)) if len(known) > 1 else None,
    }


def _plain(value: Any) -> float:
    return round(float(value), 5)
