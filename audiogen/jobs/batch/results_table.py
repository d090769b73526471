"""What became of each row: the results table, and whether a file on disk is what its row asks for."""

from __future__ import annotations

import csv
import io
import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from audiogen.audio import AudioWarning, open_blocks
from audiogen.errors import InputError
from audiogen.jobs.batch.rows import ASKED, Clip, Row, file_digest
from audiogen.output_names import sidecar_of
from audiogen.reports.scorecard import MEASURES, flatten
from audiogen.text_files import dump_json, write_text

TABLE, LINES = "results.csv", "results.jsonl"
PENDING, FINISHED, FAILED = "pending", "finished", "failed"
MAIN = tuple(measure.path for measure in MEASURES)  # the sidecars have them all
DONE = ("output", "warnings", "request", "sha256")
FIRST = ("row", "name", "status", "error", "prompt", "run", "weights", "morph", "config", *ASKED, *DONE)


class Results:
    """The table of a folder, rewritten whole whenever a row changes.

    Args:
        folder: where ``results.csv`` and ``results.jsonl`` lie.
        rows: in the order of the job file.
    """

    def __init__(self, folder: Path, rows: list[Row]) -> None:
        self.folder = folder
        self.records: dict[str, dict[str, Any]] = {row.name: _begun(row) for row in rows}

    def set(self, row: Row, **values: Any) -> None:
        """Note something about a row, in memory."""
        self.records[row.name].update(values)

    def with_status(self, status: str) -> list[dict[str, Any]]:
        """The records of one status, in order."""
        return [record for record in self.records.values() if record["status"] == status]

    def write(self) -> None:
        """Write both files, each whole or not at all."""
        records = list(self.records.values())
        later = sorted({key for record in records for key in record} - set(FIRST))
        table = io.StringIO()
        writer = csv.DictWriter(table, [*FIRST, *later], lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        write_text(self.folder / TABLE, table.getvalue())
        write_text(self.folder / LINES, "".join(dump_json(record, indent=None) for record in records))


def former_records(folder: Path) -> dict[str, dict[str, Any]]:
    """What the folder's results say so far, by name; empty if there are none that can be read."""
    try:
        lines = (folder / LINES).read_text("utf-8").splitlines()
        return {record["name"]: record for record in map(json.loads, lines)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _begun(row: Row) -> dict[str, Any]:
    asked = {key: value if isinstance(value, int | float) else str(value) for key, value in row.values.items()}
    return {"row": row.number, **asked, "name": row.name, "status": PENDING}


def finished(clip: Clip, out: Path) -> dict[str, Any]:
    """What the results say of a clip whose file and sidecar are complete."""
    sidecar = json.loads(sidecar_of(out).read_text("utf-8"))
    timings, measures = dict(sidecar["timings"]), flatten(sidecar["measures"])
    if trained := sidecar["settings"].get("training"):
        timings.setdefault("training", trained.get("seconds"))
    return {
        **asdict(clip.request),
        "status": FINISHED,
        "error": None,
        "output": out.name,
        "warnings": " | ".join(sidecar["warnings"]),
        "request": clip.digest,
        "sha256": file_digest(out),
        **{f"measures.{path}": measures[path] for path in MAIN if path in measures},
        **flatten(timings, "timings"),
    }


def mismatch(clip: Clip, out: Path, former: dict[str, Any]) -> str | None:
    """Why a file is not the one that the clip asks for, or None when it is.

    Args:
        clip: what is asked for.
        out: where its file should be.
        former: the row's record of an earlier time, or an empty mapping.
    """
    try:
        sidecar = json.loads(sidecar_of(out).read_text("utf-8"))
        facts = tuple(sidecar[key] for key in ("sample_rate", "channels", "length"))
        settings = {**sidecar["settings"], "seed": sidecar["seed"]}
    except OSError:
        return "its sidecar is missing"
    except (ValueError, KeyError, TypeError):
        return "its sidecar is damaged"
    if any(settings.get(key, ...) != value for key, value in asdict(clip.request).items()):
        return "its settings were others"
    if former.get("request", clip.digest) != clip.digest:
        return "its prompt, Run or settings were others"
    try:
        return _flaw_of_audio(out, facts, former.get("sha256"))
    except InputError as error:
        return error.cause
    except Exception as error:  # a decoder's own
        return f"it cannot be read ({type(error).__name__})"


def _flaw_of_audio(out: Path, facts: tuple[int, int, int], digest: str | None) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        with open_blocks(out) as blocks:
            length = sum(block.shape[1] for block in blocks)
    if (blocks.sample_rate, blocks.channels, length) != facts:
        return "its rate, channels or length are not those of its sidecar"
    if digest is not None and file_digest(out) != digest:
        return "its content has changed"
    return None
