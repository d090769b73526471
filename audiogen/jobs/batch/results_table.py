"""The results table: ``results.csv`` and ``results.jsonl``, one record per row of the job file.

A shard has tables of its own, ``results-2-of-8.csv``, so that no two processes write one file.

A column is added to the results in `finished_record`.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from audiogen.jobs.batch.clips import Clip, file_digest
from audiogen.jobs.batch.job_table import REQUEST_COLUMNS
from audiogen.jobs.batch.rows import Row
from audiogen.metrics.former_measures import with_current_names
from audiogen.output_names import sidecar_of
from audiogen.reports.scorecard import MEASURES, flatten
from audiogen.text_files import dump_json, write_text

TABLE, LINES = "results.csv", "results.jsonl"
PENDING, FINISHED, FAILED = "pending", "finished", "failed"  # values of the column "status"
MEASURE_COLUMNS = tuple(measure.path for measure in MEASURES)  # the sidecars have all measures
Shard = tuple[int, int]
"""Which of how many parts of a job file, from 1."""

FIRST_COLUMNS: tuple[str, ...] = ("row", "name", "status", "error", "prompt", "run", "weights", "morph", "config")
FIRST_COLUMNS += (*REQUEST_COLUMNS, "output", "warnings", "request", "sha256")


class Results:
    """The results of a folder; both files are rewritten whenever a row changes.

    Args:
        folder: where ``results.csv`` and ``results.jsonl`` are.
        rows: in the order of the job file.
        shard: which of how many, from 1; None for the whole table.
    """

    def __init__(self, folder: Path, rows: list[Row], shard: Shard | None = None) -> None:
        self.table, self.lines = (folder / _of_shard(name, shard) for name in (TABLE, LINES))
        self.records: dict[str, dict[str, Any]] = {row.name: _pending_record(row) for row in rows}

    def set(self, row: Row, **values: Any) -> None:
        """Update the record of a row in memory."""
        self.records[row.name].update(values)

    def with_status(self, status: str) -> list[dict[str, Any]]:
        """The records with a status, in order."""
        return [record for record in self.records.values() if record["status"] == status]

    def write(self) -> None:
        """Write both files, each atomically."""
        records = list(self.records.values())
        further_columns = sorted({key for record in records for key in record} - set(FIRST_COLUMNS))
        table = io.StringIO()
        writer = csv.DictWriter(table, [*FIRST_COLUMNS, *further_columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        write_text(self.table, table.getvalue())
        write_text(self.lines, "".join(dump_json(record, indent=None) for record in records))


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The records that a folder has, by name, those of its shards included; empty if it has none that can be read."""
    found: dict[str, dict[str, Any]] = {}
    for path in (*sorted(folder.glob(_of_shard(LINES, ("*", "*")))), folder / LINES):
        try:
            records = {record["name"]: record for record in map(json.loads, path.read_text("utf-8").splitlines())}
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found |= {name: each for name, each in records.items() if name not in found or each["status"] != PENDING}
    return found


def _of_shard(name: str, shard: tuple[object, object] | None) -> str:
    """The name of a table, or of a shard's."""
    stem, suffix = name.split(".")
    return name if shard is None else f"{stem}-{shard[0]}-of-{shard[1]}.{suffix}"


def _pending_record(row: Row) -> dict[str, Any]:
    values = {key: value if isinstance(value, int | float) else str(value) for key, value in row.values.items()}
    return {"row": row.number, **values, "name": row.name, "status": PENDING}


def finished_record(clip: Clip, out: Path) -> dict[str, Any]:
    """The columns of a clip whose file and sidecar are complete.

    Args:
        clip: the clip.
        out: its audio file.
    """
    sidecar = with_current_names(json.loads(sidecar_of(out).read_text("utf-8")))
    timings, measures = dict(sidecar["timings"]), flatten(sidecar["measures"])
    trained = sidecar["settings"].get("training") or {}
    if choice := trained.get("choice"):
        timings.setdefault("training", choice["training_seconds"])
    elif clip.experiment is not None:  # else it was trained before: a Run that was given, or the base
        timings.setdefault("training", trained.get("seconds"))
    return {
        **asdict(clip.request),
        "status": FINISHED,
        "error": None,
        "output": out.name,
        "warnings": " | ".join(sidecar["warnings"]),
        "request": clip.digest,
        "sha256": file_digest(out),
        "loudness_lufs": sidecar.get("loudness_lufs"),  # of an earlier version without
        **{f"measures.{path}": measures[path] for path in MEASURE_COLUMNS if path in measures},
        **flatten(timings, "timings"),
    }
