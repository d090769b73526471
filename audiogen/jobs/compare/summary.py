"""What a comparison found: rows, means with their spread over seeds, JSON and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from audiogen.errors import InputError
from audiogen.jobs.compare.candidates import CandidateTail
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.metrics.tune_statistics import distances
from audiogen.tunes.tune import Tune

ROW_MEASURES = ("texture", "copied", "looped", "longest_run")
RUN_MEASURES = ("note_distance", "nats_per_note", "nats_per_second", "parameters", "training_seconds")
DESCRIPTIONS = {
    "texture": "Texture distance to what truly follows; 1.0 is as close as another real stretch.",
    "copied": "Share of half seconds that repeat the prompt.",
    "looped": "Share of half seconds that repeat the tail itself.",
    "longest_run": "Longest run of notes (heard ones, in sound) of a training tune, in any key.",
    "note_distance": "Distance of the notes' statistics to those of real tails; 1.0 is as close as halves of them are.",
    "nats_per_note": "Negative log-likelihood of whole test tunes, nats a note that the tokens hold.",
    "nats_per_second": "The same, nats a second of music.",
    "parameters": "Weights of the Model.",
    "training_seconds": "Wall clock of the training.",
}
"""Each measure, in words."""


def measure_tail(
    made: CandidateTail, evaluator: TailEvaluator, index: NoteMatchIndex | None
) -> dict[str, float | None]:
    """The measures of one tail; None where one cannot be taken."""
    texture, copied, looped = (
        evaluator.texture(made.sound),
        evaluator.copying(made.sound),
        evaluator.looping(made.sound),
    )
    notes = made.tune is not None and index is not None and len(made.tune.melodic_notes) > 0
    return {
        "texture": None if texture is None else _plain(texture.overall),
        "copied": None if copied is None else _plain(copied.fraction),
        "looped": None if looped is None else _plain(looped.fraction),
        "longest_run": index.longest(made.tune).notes if notes and index and made.tune else None,
    }


def note_distance(tails: Sequence[Tune], real: Sequence[Tune]) -> float | None:
    """Geometric mean of the ratios of `tune_statistics.distances`; None for fewer than four real tails."""
    try:
        found = distances(tails, real)
    except InputError:
        return None
    ratios = [told.ratio for told in found.values() if told.ratio is not None and told.floor > 0]
    return _plain(math.exp(float(np.mean([math.log(max(ratio, 1e-3)) for ratio in ratios])))) if ratios else None


def summarise(rows: Sequence[Mapping[str, Any]], runs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each candidate each measure's mean over seeds, and its standard deviation over them.

    Args:
        rows: of single tails, with ``candidate`` and ``seed``.
        runs: what was measured of a candidate's seed as a whole, by "candidate/seed".
    """
    found = []
    for name in dict.fromkeys(row["candidate"] for row in rows):
        mine = [row for row in rows if row["candidate"] == name]
        seeds = sorted({row["seed"] for row in mine})
        told: dict[str, Any] = {"candidate": name, "domain": mine[0]["domain"], "seeds": len(seeds)}
        for measure in ROW_MEASURES:
            told[measure] = _spread([_mean([row[measure] for row in mine if row["seed"] == seed]) for seed in seeds])
        for measure in RUN_MEASURES:
            told[measure] = _spread([runs[f"{name}/{seed}"].get(measure) for seed in seeds])
        found.append(told)
    return found


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a tail."""
    out = io.StringIO()
    writer = csv.DictWriter(
        out, ["candidate", "domain", "seed", "prompt", *ROW_MEASURES, "seconds"], extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(rows)
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
