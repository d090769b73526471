"""Measures `audiogen stream`: speed, gaps, time from a handle to the ear, memory. Prints the tables of docs/stream.md.

    python tools/check_stream.py                     # ten minutes in real time, and ten of output
    python tools/check_stream.py --quick             # one minute each
    python tools/check_stream.py crowd.flac sea.wav  # other recordings than the one that ships, all made stereo
    python tools/check_stream.py fire.wav --morph rain.wav  # with the handle of a morph
    python tools/check_stream.py fire.wav --only moved      # in real time with moved handles alone

The reader is simulated: it takes a block when a sound device would, and counts the blocks that are not ready. Beside
it, as many processes compute as `--busy` says.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from audiogen.audio import Recording, read
from audiogen.jobs.continuer_choice import MorphTarget
from audiogen.jobs.live_stream import KEPT_SECONDS, LiveStream
from audiogen.jobs.live_take import engine_of, settings_of
from audiogen.jobs.prepare_tail import PreparedTail, prepare_tails
from audiogen.jobs.request import Request
from audiogen.output_names import shipped_recording
from audiogen.sound.live_settings import Change
from audiogen.sound.live_tail import Prepared

DEVICE_SECONDS = 0.2  # buffer of the simulated device
PREROLL_SECONDS = 2.0
MOVE_EVERY = 6.0  # seconds
MOVES = (
    ("temperature", 2.0),
    ("freeze", True),
    ("freeze", False),
    ("reseed", 5),
    ("level", -6.0),
    ("temperature", 1.0),
    ("brightness", 1.5),
    ("level", 0.0),
    ("density", 2.0),
    ("morph", 0.5),
    ("brightness", 0.0),
    ("density", 0.5),
    ("morph", 0.0),
    ("density", 1.0),
)
PARTS = ("speed", "still", "moved")


def in_stereo(recording: Recording) -> Recording:
    """The recording, a mono one beside itself delayed, so that two channels have to be made."""
    if recording.channels > 1:
        return recording
    other = np.roll(recording.samples, recording.length // 3, axis=1)
    return Recording(np.concatenate([recording.samples, other]), recording.sample_rate, path=recording.path)


def resident_megabytes() -> float:
    """Memory of this process; Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _compute() -> None:
    while True:
        sum(number * number for number in range(10_000))


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Processes that compute all the time."""
    processes = [multiprocessing.get_context("spawn").Process(target=_compute, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def speed_and_memory(prepared: PreparedTail, seconds: float) -> tuple[float, float, float]:
    """Seconds of output per second of CPU time, and MB of memory once that of `keep` is full, and at the end."""
    with LiveStream(engine_of(prepared), settings_of(Request())) as stream:
        done, first, started = 0.0, 0.0, time.process_time()
        settled = min(KEPT_SECONDS + 30, seconds / 2)
        for block in stream.blocks():
            done += block.shape[1] / stream.sample_rate
            first = first or (resident_megabytes() if done > settled else 0.0)
            if done > seconds:
                break
        return done / (time.process_time() - started), first, resident_megabytes()


class Played(NamedTuple):
    """How a stream was played.

    Args:
        late: blocks that came late.
        longest: gap, s.
        heard: by handle, the seconds from the moment it was moved until the simulated device played the first sample
            that it had an effect on.
        costs: CPU time of the beginning of each segment, s.
    """

    late: int
    longest: float
    heard: dict[str, list[float]]
    costs: list[float]


def play(prepared: PreparedTail, seconds: float, moves: bool) -> Played:
    """Read in real time."""
    moved: dict[str, float] = {}
    waiting: list[tuple[int, str, float]] = []
    heard: dict[str, list[float]] = {}
    costs: list[float] = []

    def note(change: Change) -> None:
        waiting.extend((change.position, name, moved[name]) for name in change.handles)

    with LiveStream(engine_of(prepared), settings_of(Request()), on_change=note) as stream:
        usable = [move for move in MOVES if move[0] in stream.handles]
        prepare = stream.tail.prepare

        def timed(*arguments: Any) -> Prepared:
            begun = time.thread_time()
            try:
                return prepare(*arguments)
            finally:
                costs.append(time.thread_time() - begun)

        stream.tail.prepare = timed  # type: ignore[method-assign,assignment]
        stream.wait(PREROLL_SECONDS)
        done, late, longest, next_move, number = 0, 0, 0.0, MOVE_EVERY, 0
        started = time.monotonic()
        for block in stream.blocks():
            done += block.shape[1]
            now, due = time.monotonic(), started + done / stream.sample_rate - DEVICE_SECONDS
            if now > due + DEVICE_SECONDS:  # the device has run out of samples
                late, longest = late + 1, max(longest, now - due - DEVICE_SECONDS)
                started += now - due - DEVICE_SECONDS
            for each in [each for each in waiting if each[0] <= done]:
                waiting.remove(each)
                heard.setdefault(each[1], []).append(started + each[0] / stream.sample_rate - each[2])
            if moves and done / stream.sample_rate > next_move:
                name, value = usable[number % len(usable)]
                moved[name] = time.monotonic()
                stream.set(name, value)
                next_move, number = next_move + MOVE_EVERY, number + 1
            if done > seconds * stream.sample_rate:
                break
            time.sleep(max(due - time.monotonic(), 0))
    return Played(late, longest, heard, costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--morph", type=Path, help="recording that the handle `morph` leads to")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--busy", type=int, default=2, help="processes beside the stream")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seconds = 60.0 if arguments.quick else 600.0
    machine = f"{platform.machine()}, {os.cpu_count()} cores, one thread"
    print(f"{machine}; {seconds:g} s each; {arguments.busy} busy processes")
    print("| recording | x real time | MB early | at the end | late blocks | late, with moves | longest gap, s |")
    print("|---|---|---|---|---|---|---|")
    delays: dict[str, list[float]] = {}
    costs: list[float] = []
    for path in arguments.recordings or [shipped_recording()]:
        request = Request(pulse=False)
        target = MorphTarget(read(arguments.morph)) if arguments.morph else None
        prepared = prepare_tails(in_stereo(read(path)), [request], target).tail(request)
        cells = ["–"] * 3
        if "speed" in arguments.only:
            speed, first, last = speed_and_memory(prepared, seconds)
            cells = [f"{speed:.1f}", f"{first:.0f}", f"{last:.0f}"]
        with busy(arguments.busy):
            played = {part: play(prepared, seconds, part == "moved") for part in PARTS[1:] if part in arguments.only}
        if moved := played.get("moved"):
            for name, values in moved.heard.items():
                delays.setdefault(name, []).extend(values)
            costs += moved.costs
        cells += [str(played[part].late) if part in played else "–" for part in PARTS[1:]]
        cells.append(f"{max((each.longest for each in played.values()), default=0.0):.2f}")
        print(f"| {path.stem} | {' | '.join(cells)} |", flush=True)
    print("\n| handle | moves | to the ear, s: median | longest |\n|---|---|---|---|")
    for name, values in delays.items():
        print(f"| {name} | {len(values)} | {np.median(values):.2f} | {max(values):.2f} |")

    if costs:
        print(
            f"\nBeginning of a segment: {np.median(costs):.2f} s of CPU time in the median, {max(costs):.2f} at most."
        )
    print(f"Load average at the end: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
