"""Renders a batch while its processes are killed with SIGKILL; writes the table of docs/scale.md. Linux only.

    python tools/check_render.py FOLDER [--rows 1000] [--workers 4] [--engine local ray] [-o docs/scale.md]

Each engine renders the same rows twice: once while three of its workers are killed, one after the other, and once while
the command itself is killed, which `--resume` then finishes. What they leave is compared with an undisturbed batch:
clips that are missing, that were rendered again although they were finished, and that have other bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from audiogen.audio import Recording, read, write
from audiogen.output_names import shipped_recording

ROOT = Path(__file__).parents[1]
WORKERS = {"local": "spawn_main", "ray": "ray::_run_task_on_ray"}
"""Engine -> what the command line of a worker process contains."""

KILL_AT = (0.1, 0.35, 0.6)  # fractions of the rows after which a worker is killed; the last, the command


@dataclass
class Outcome:
    """What is left of a batch whose processes were killed.

    Args:
        engine, killed: of which engine, and what.
        finished: rows that the results table calls finished.
        missing: clips that should exist and do not, or without a sidecar.
        again: clips that were finished when the command was killed, and have been written since.
        different: clips with other bytes than those of the undisturbed batch.
        remains: partial files.
        seconds: wall-clock time.
        measured: date and time.
        load: average over five minutes, at the end.
    """

    engine: str
    killed: str
    finished: int
    missing: int
    again: int
    different: int
    remains: int
    seconds: float
    measured: str
    load: float

    def row(self, rows: int) -> str:
        """A row of the table."""
        counts = f"{self.finished} of {rows} | {self.missing} | {self.again} | {self.different} | {self.remains}"
        return f"| {self.engine} | {self.killed} | {counts} | {self.seconds:.0f} | {self.measured} | {self.load:.0f} |"


def start(jobs: Path, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "audiogen", "render", str(jobs), "-o", str(folder), "-q", *more]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def descendants(of: int) -> dict[int, str]:
    """Process number -> command line of the descendants of a process."""
    parents, lines = dict[int, int](), dict[int, str]()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            lines[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
    found, generation = dict[int, str](), {of}
    while generation:
        generation = {number for number, parent in parents.items() if parent in generation}
        found |= {number: lines[number] for number in generation if number in lines}
    return found


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait until something is so, or the process has ended."""
    while not condition() and (process is None or process.poll() is None):
        time.sleep(0.02)


def finished_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Names of the clips that have a sidecar -> which file they are: number and time."""
    clips = [path.with_suffix(".wav") for path in folder.glob("*.json")]
    return {clip.name: (clip.stat().st_ino, clip.stat().st_mtime_ns) for clip in clips if clip.exists()}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.wav")}


def kill_workers(jobs: Path, folder: Path, rows: int, engine: str, workers: int) -> dict[str, tuple[int, int]]:
    """Render, and kill three workers on the way; returns nothing that has to stay as it is."""
    process = start(jobs, folder, "--engine", engine, "--workers", str(workers))
    for fraction in KILL_AT:
        wait_for(lambda fraction=fraction: len(finished_in(folder)) >= fraction * rows, process)

        def running() -> list[int]:
            return [number for number, line in descendants(process.pid).items() if WORKERS[engine] in line]

        wait_for(lambda: bool(running()), process)
        if numbers := running():
            os.kill(numbers[0], signal.SIGKILL)
            print(f"{engine}: killed worker {numbers[0]} after {len(finished_in(folder))} clips", flush=True)
    if process.wait():
        print(f"{engine}: exit code {process.returncode}", flush=True)
    return {}


def kill_command(jobs: Path, folder: Path, rows: int, engine: str, workers: int) -> dict[str, tuple[int, int]]:
    """Render, kill the command on the way, and resume; returns the clips that were finished in between."""
    process = start(jobs, folder, "--engine", engine, "--workers", str(workers))
    wait_for(lambda: len(finished_in(folder)) >= KILL_AT[-1] * rows, process)
    children = descendants(process.pid)
    process.kill()
    process.wait()
    wait_for(lambda: not any(Path(f"/proc/{number}").exists() for number in children))
    between = finished_in(folder)
    print(f"{engine}: killed the command; {len(between)} clips when all of its processes had ended", flush=True)
    if start(jobs, folder, "--engine", engine, "--workers", str(workers), "--resume").wait():
        print(f"{engine}: the resumed command failed", flush=True)
    return between


KILLED = {"three workers": kill_workers, "the command, then `--resume`": kill_command}


def check(jobs: Path, folder: Path, expected: dict[str, str], engine: str, killed: str, workers: int) -> Outcome:
    """One batch whose processes are killed, compared with the undisturbed one."""
    began = time.monotonic()
    between = KILLED[killed](jobs, folder, len(expected), engine, workers)
    seconds = time.monotonic() - began
    made, after = digests(folder), finished_in(folder)
    records = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    finished = {record["name"] for record in records if record["status"] == "finished"}
    partial = [path for pattern in (".audiogen-*", "*.part") for path in folder.glob(pattern)]
    return Outcome(
        engine,
        killed,
        finished=len(finished) if len(records) == len(expected) else -1,
        missing=len(expected.keys() - after.keys()),
        again=sum(after.get(name) != which for name, which in between.items()),
        different=sum(made.get(name) != digest for name, digest in expected.items()),
        remains=len(partial),
        seconds=seconds,
        measured=time.strftime("%Y-%m-%d %H:%M"),
        load=os.getloadavg()[1],
    )


def page(outcomes: list[Outcome], rows: int, workers: int) -> str:
    """docs/scale.md."""
    notes = (ROOT / "tools" / "scale_notes.md").read_text("utf-8")
    lines = [
        notes.rstrip(),
        "",
        f"{rows} rows, {workers} workers, {os.cpu_count()} cores. Written by `tools/check_render.py`; do not edit.",
        "",
        "| engine | killed | finished | missing | again | other bytes | partial files | s | measured | load |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(outcome.row(rows) for outcome in outcomes),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for the batches; what is finished there is not done again")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--engine", nargs="*", default=list(WORKERS), choices=list(WORKERS))
    parser.add_argument("-o", "--output", type=Path, help="page to write")
    given = parser.parse_args()
    folder, found = given.folder, given.folder / "outcomes.json"
    folder.mkdir(parents=True, exist_ok=True)
    rain = read(shipped_recording())
    write(folder / "rain.wav", Recording(rain.samples[:1, : 4 * rain.sample_rate], rain.sample_rate), "FLOAT")
    jobs = folder / "jobs.jsonl"
    jobs.write_text(json.dumps({"prompt": "rain.wav", "seconds": 0.3, "seed": list(range(given.rows))}) + "\n")
    if start(jobs, folder / "undisturbed", "--workers", str(given.workers), "--resume").wait():
        sys.exit("the undisturbed batch failed")
    expected = digests(folder / "undisturbed")
    outcomes = [Outcome(**each) for each in json.loads(found.read_text())] if found.exists() else []
    for engine in given.engine:
        for killed in KILLED:
            if any((each.engine, each.killed) == (engine, killed) for each in outcomes):
                continue
            out = folder / f"{engine}-{[*KILLED].index(killed)}"
            shutil.rmtree(out, ignore_errors=True)
            outcomes.append(check(jobs, out, expected, engine, killed, given.workers))
            print(outcomes[-1].row(given.rows), flush=True)
            found.write_text(json.dumps([asdict(each) for each in outcomes]))
            if given.output:
                given.output.write_text(page(outcomes, given.rows, given.workers), "utf-8")


if __name__ == "__main__":
    main()
