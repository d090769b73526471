"""Benchmark of speed beside the peers and the physical limits; writes docs/benchmarks.md and docs/benchmarks.json.

    python tools/benchmark.py [--quick] [--only mel read ...] [-o docs/benchmarks.md]

What is compared runs in one process, warm, by turns, or as processes by turns where a cold start is the subject.
Medians of CPU time and of wall-clock time are given; ratios are of CPU time, since other processes on the machine
change the wall-clock time first, but for what uses several cores. Threads: one (OMP_NUM_THREADS=1), as audiogen
computes by itself. Inputs are generated from a seed. Never part of the tests: a machine's load is not a defect.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
if __name__ == "__main__" and os.environ.get("OMP_NUM_THREADS") != "1":  # read by the libraries as they are loaded
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"OMP_NUM_THREADS": "1"})

import torch

from tools.benchmark_sections import SECTIONS, skipped
from tools.benchmark_timing import ROOT, Row, Time

ROUNDS, QUICK_ROUNDS = 15, 5
PACKAGES = ("torch", "torchaudio", "librosa", "soundfile", "numpy", "scipy", "soxr")


@dataclass
class Section:
    """What was measured at one time.

    Args:
        measured: date, time and UTC offset.
        machine: processor and number of cores.
        load: average load over a minute, when it began and when it ended; empty if it is not known.
        rounds: of which the medians are; 0 if that is not known.
        versions: of Python and the packages.
        rows: the comparisons.
        skipped: why there are none; None if there are.
    """

    measured: str
    machine: str
    load: list[float]
    rounds: int
    versions: dict[str, str]
    rows: list[Row]
    skipped: str | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> Section:
        """A section from its JSON."""
        rows = []
        for each in values.pop("rows"):
            groups = {
                group: {who: Time(**one) for who, one in each.pop(group).items()} for group in ("times", "limits")
            }
            rows.append(Row(**each, **groups))
        return cls(**values, rows=rows)


def measure(name: str, rounds: int) -> Section:
    """Measure a section, and print what is found."""
    began, rows, reason = _load(), list[Row](), skipped(name)
    with tempfile.TemporaryDirectory() as folder:
        for row in [] if reason else SECTIONS[name](Path(folder), rounds):
            rows.append(row)
            for who, each in (row.times | row.limits).items():
                print(f"{row.what}: {who}: {milliseconds(each)} ms", flush=True)
    versions = {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
    return Section(time.strftime("%Y-%m-%d %H:%M %z"), machine(), began + _load(), rounds, versions, rows, reason)


def _load() -> list[float]:
    return [round(os.getloadavg()[0], 1)] if hasattr(os, "getloadavg") else []


def ratio(row: Row, other: str) -> str:
    """How audiogen compares with another, and whether that is the goal."""
    clock = attrgetter("wall" if row.by_wall else "cpu")
    theirs, ours = clock((row.times | row.limits)[other]), clock(row.times["audiogen"])
    goal = row.goals.get(other)
    if goal is None:
        return f"{theirs / ours:.2f} x" if other in row.times else f"{ours / theirs:.1f} times it"
    if goal > 0:
        return f"{theirs / ours:.2f} x (goal {goal:g}{', missed' if theirs / ours < goal else ''})"
    return f"{ours / theirs:.1f} times it (goal at most {-goal:g}{', missed' if ours / theirs > -goal else ''})"


def milliseconds(each: Time) -> str:
    return f"{1000 * each.cpu:.3g} / {1000 * each.wall:.3g}"


def page(sections: dict[str, Section], notes: str) -> str:
    """The page of the manual."""
    lines = [
        "# Speed",
        "",
        "Written by `tools/benchmark.py`; do not edit (the notes below are in `tools/benchmark_notes.md`).",
        "",
    ]
    lines += [__doc__.split("\n\n")[2].replace("\n", " "), ""]
    lines += ["| what | who | CPU / wall, ms | audiogen against it |", "|---|---|---|---|"]
    for row in (row for section in sections.values() for row in section.rows):
        for index, (who, each) in enumerate((row.times | row.limits).items()):
            what = row.what if index == 0 else ""
            who_text = f"limit: {who}" if who in row.limits else who
            lines.append(f"| {what} | {who_text} | {milliseconds(each)} | {ratio(row, who) if index else ''} |")
    lines += [
        "",
        "When each section was measured, and how busy the machine was (load: processes that want to run):",
        "",
    ]
    lines += ["| section | measured | rounds | load | on | with |", "|---|---|---|---|---|---|"]
    for name, each in sections.items():
        load = " to ".join(f"{one:g}" for one in each.load) or "not known"
        facts = ", ".join(f"{package} {number}" for package, number in each.versions.items())
        what = f"not measured: {each.skipped}" if each.skipped else each.measured
        lines.append(f"| {name} | {what} | {each.rounds or 'not known'} | {load} | {each.machine} | {facts} |")
    return "\n".join(lines) + "\n\n" + notes


def machine() -> str:
    """The processor, as the system names it."""
    try:
        names = [
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ]
    except OSError:
        names = []
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="a third of the rounds")
    parser.add_argument("--only", nargs="*", default=[], choices=list(SECTIONS), help="sections; others are kept")
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = given.output.with_suffix(".json")
    known = json.loads(data.read_text("utf-8")) if data.exists() else {}
    sections = {name: Section.of(values) for name, values in known.items() if name in SECTIONS}
    notes = (ROOT / "tools" / "benchmark_notes.md").read_text("utf-8")
    for name in given.only or SECTIONS:
        sections[name] = measure(name, QUICK_ROUNDS if given.quick else ROUNDS)
        sections = {each: sections[each] for each in SECTIONS if each in sections}
        # after each, so that an interruption loses one section only
        data.write_text(json.dumps({each: asdict(one) for each, one in sections.items()}, indent=1) + "\n", "utf-8")
        given.output.write_text(page(sections, notes), "utf-8")


if __name__ == "__main__":
    main()
