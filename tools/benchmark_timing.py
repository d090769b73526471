"""Timing of functions and of processes by turns, for the benchmark: `Time` and `Row`."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass
class Time:
    """Medians in seconds."""

    cpu: float
    wall: float


@dataclass
class Row:
    """A comparison.

    Args:
        what: what is done.
        times: by who does it; "audiogen" first.
        limits: by name, what cannot be avoided.
        goals: by peer or limit, what its time over audiogen's is to be at least; negative: audiogen's over its at most.
        by_wall: whether wall-clock times are compared, as where a GPU works; else CPU times.
    """

    what: str
    times: dict[str, Time]
    limits: dict[str, Time] = field(default_factory=dict)
    goals: dict[str, float] = field(default_factory=dict)
    by_wall: bool = False


def by_turns(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, Time]:
    """Median times of functions that are called in turn, after one call of each that does not count."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            cpu, wall = time.process_time(), time.perf_counter()
            function()
            if turn:
                measured[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {name: Time(*map(statistics.median, zip(*values, strict=True))) for name, values in measured.items()}


def repeated(function: Callable[[], object], times: int = 20) -> Callable[[], object]:
    """The function called several times, for what takes less than a clock can measure well."""

    def many() -> None:
        for _ in range(times):
            function()

    return many


def divided(times: dict[str, Time], by: int = 20) -> dict[str, Time]:
    return {name: Time(each.cpu / by, each.wall / by) for name, each in times.items()}


def process(*command: str, folder: Path | None = None) -> Callable[[], object]:
    """A command as a process of its own, whose CPU time is added to this one's by `processes_by_turns`."""
    whole = [sys.executable, *command]

    def run() -> None:
        subprocess.run(whole, cwd=folder, env=_environment(), check=True, stdout=subprocess.DEVNULL)

    return run


def first_bytes(count: int, *command: str, folder: Path) -> Callable[[], object]:
    """As `process`, of a command that is ended as soon as it has written so many bytes to stdout."""

    def run() -> None:
        with subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=_environment(), stdout=subprocess.PIPE
        ) as one:
            assert one.stdout is not None
            read = len(one.stdout.read(count))
            one.kill()
        if read < count:
            raise RuntimeError(f"{' '.join(command)} has written {read} of {count} bytes")

    return run


def _environment() -> dict[str, str]:
    """With bytecode, which an installation has, and of one thread."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return environment | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def processes_by_turns(functions: dict[str, Callable[[], object]], rounds: int, warm: bool = True) -> dict[str, Time]:
    """As `by_turns`, of processes: their CPU time includes what the system does for them."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    for turn in range(0 if warm else 1, rounds + 1):
        for name, function in functions.items():
            before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            function()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            if turn:  # the first one wrote the bytecode that an installation has
                measured[name].append((cpu, time.perf_counter() - wall))
    return {name: Time(*map(statistics.median, zip(*values, strict=True))) for name, values in measured.items()}


def split(times: dict[str, Time], *limits: str) -> tuple[dict[str, Time], dict[str, Time]]:
    """Times of whom, and of the limits."""
    return {name: each for name, each in times.items() if name not in limits}, {name: times[name] for name in limits}
