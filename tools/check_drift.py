"""Drift of level and brightness over ten minutes, continued from 20 s, as a Markdown table.

    python tools/check_drift.py RECORDING... -o docs/drift.md [--minutes 10] [--set KEY=VALUE ...] [--run RUN]

The first 20 s of each recording are the prompt, with which its tail is compared by minutes and by segments of 20 s.
Finished rows are kept in a .jsonl beside the table and not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import markdown_table
import numpy as np

from audiogen.audio import Recording, open_blocks, read
from audiogen.experiment import read_experiment
from audiogen.jobs.continue_sound import Request, continue_variations
from audiogen.metrics.drift import DriftMeter, segment_stats
from audiogen.run import Run
from audiogen.text_files import write_text

PROMPT_SECONDS = 20.0  # seconds
SEGMENT = 20  # seconds
MAX_LEVEL, MAX_CENTROID = 1.0, 5.0  # tolerance of a minute in dB and in per cent
Row = dict[str, Any]


def render_tail(prompt: Recording, arguments: argparse.Namespace) -> tuple[DriftMeter, Row]:
    """Drift meter of the tail, and its sidecar."""
    run = Run.open(arguments.run) if arguments.run else None
    experiment = read_experiment(None, tuple(arguments.set)) if arguments.set else None
    request = Request(seconds=60 * arguments.minutes, seed=arguments.seed, tail_only=True)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        out = Path(folder) / "tail.wav"
        sidecar = next(continue_variations(prompt, [(out, request)], run, experiment, arguments.budget))
        track = DriftMeter(prompt.sample_rate, prompt.channels)
        with open_blocks(out) as blocks:
            for block in blocks:
                track.push(block)
    return track, sidecar


def deviations(track: DriftMeter, source: DriftMeter, seconds: int) -> tuple[list[float], list[float]]:
    """Level in dB and centroid in per cent of each segment of ``length`` seconds, relative to the source's."""
    base = segment_stats(source.seconds(), source.channels)
    every = track.seconds()
    parts = [segment_stats(every[start : start + seconds], track.channels) for start in range(0, len(every), seconds)]
    levels = [part.level - base.level for part in parts]
    return levels, [100 * (part.centroid / max(base.centroid, 1e-9) - 1) for part in parts]


def quietest(track: DriftMeter) -> float:
    """Level of the quietest seconds in dB (5th percentile)."""
    return float(np.percentile([10 * np.log10(max(second.energy, 1e-10)) for second in track.seconds()], 5))


def row_of(path: Path, arguments: argparse.Namespace) -> Row:
    """The row of one recording."""
    with warnings.catch_warnings(action="ignore"):
        whole = read(path)
    prompt = whole.cut(0, min(round(PROMPT_SECONDS * whole.sample_rate), whole.length))
    source = DriftMeter.of(prompt)
    track, sidecar = render_tail(prompt, arguments)
    minutes, stretches = deviations(track, source, 60), deviations(track, source, SEGMENT)
    own = deviations(source, source, 5)
    return {
        "recording": path.stem,
        "prompt_seconds": round(prompt.seconds, 1),
        "level": [round(value, 2) for value in minutes[0]],
        "centroid": [round(value, 1) for value in minutes[1]],
        "level_stretch": round(max(map(abs, stretches[0])), 2),
        "centroid_stretch": round(max(map(abs, stretches[1])), 1),
        "own_level": round(max(map(abs, own[0])), 2),
        "own_centroid": round(max(map(abs, own[1])), 1),
        "quietest": round(quietest(track) - quietest(source), 1),
        "guard": sidecar["drift_guard"],
        "seconds": round(sum(sidecar["timings"].values())),
    }


def table(rows: list[Row]) -> str:
    """Markdown, worst centroid first."""
    heads = ["recording", "level of the minutes, dB", "centroid of the minutes, %", "20 s: level, centroid"]
    heads += ["prompt's own 5 s", "quietest seconds, dB", "held", "s"]
    lines: list[list[str]] = []
    for row in sorted(rows, key=lambda row: -max(map(abs, row["centroid"]))):
        held = max(map(abs, row["level"])) <= MAX_LEVEL and max(map(abs, row["centroid"])) <= MAX_CENTROID
        cells = [row["recording"], *(" ".join(f"{value:+.1f}" for value in row[key]) for key in ("level", "centroid"))]
        cells += [f"{row['level_stretch']:.1f} dB, {row['centroid_stretch']:.0f} %"]
        cells += [f"{row['own_level']:.1f} dB, {row['own_centroid']:.0f} %", f"{row['quietest']:+.1f}"]
        lines.append([*cells, "yes" if held else "no", str(row["seconds"])])
    levels, centroids = (np.concatenate([np.abs(row[key]) for row in rows]) for key in ("level", "centroid"))
    text = [
        markdown_table.table(heads, lines),
        f"Relative to the prompt. 20 s: the largest deviation of a segment of {SEGMENT} s; beside it, that of 5 s of",
        "the prompt from the whole of it. Quietest seconds: the 5th percentile, relative to the prompt's. Held: no",
        f"minute deviates by more than {MAX_LEVEL:g} dB or {MAX_CENTROID:g} %.",
        "",
        f"- level: {np.mean(levels <= MAX_LEVEL):.0%} of minutes within {MAX_LEVEL:g} dB,"
        f" median {np.median(levels):.2f} dB",
        f"- centroid: {np.mean(centroids <= MAX_CENTROID):.0%} of minutes within {MAX_CENTROID:g} %,"
        f" median {np.median(centroids):.1f} %",
    ]
    return "\n".join(text) + "\n"


def main() -> None:
    """Compute missing rows and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--rows", type=Path, help="file of finished rows [the output's name with .jsonl]")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the experiment")
    parser.add_argument("--run", type=Path, help="use this Run instead of training on each prompt")
    parser.add_argument("--budget", type=float, help="training time limit in seconds; 0 for the base alone")
    arguments = parser.parse_args()
    store = arguments.rows or arguments.output.with_suffix(".jsonl")
    kept = [json.loads(line) for line in store.read_text("utf-8").splitlines()] if store.exists() else []
    rows = []
    for path in arguments.recordings:
        row = next((row for row in kept if row["recording"] == path.stem), None)
        if row is None:
            row = row_of(path, arguments)
            with store.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, allow_nan=False) + "\n")
        print(f"{row['recording']}: level {row['level']}, centroid {row['centroid']}", file=sys.stderr, flush=True)
        rows.append(row)
    settings = [*arguments.set, *([f"a Run at {arguments.run.name}"] if arguments.run else [])]
    settings += [f"--budget {arguments.budget:g}"] if arguments.budget is not None else []
    head = f"# Drift: {arguments.minutes:g} minutes from {PROMPT_SECONDS:g} s\n\n"
    write_text(arguments.output, f"{head}Settings: {', '.join(settings) or 'the defaults'}.\n\n{table(rows)}")
    print(table(rows))


if __name__ == "__main__":
    main()
