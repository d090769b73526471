"""Measures `audiogen stream`: speed, gaps, time from a handle to the ear, memory. Prints the tables of docs/stream.md.

    python tools/check_stream.py                     # ten minutes of output, twice ten minutes in real time
    taskset -c 1 python tools/check_stream.py --busy 1  # on half of one core
    python tools/check_stream.py --seconds 60        # a minute each
    python tools/check_stream.py crowd.flac sea.wav  # other recordings than the one that ships, all made stereo
    python tools/check_stream.py fire.wav --morph rain.wav  # with the handle of a morph
    python tools/check_stream.py fire.wav --only moved      # in real time with moved handles alone
    python tools/check_stream.py --device system     # on a sound device, by PortAudio, in place of a simulated one

The simulated device takes a block when a real one would, and counts those that are not ready. Where there is none, JACK
without hardware keeps time like one (`jackd --no-realtime -d dummy -r 44100`, then `--device system`). Beside the
stream, as many processes compute as `--busy` says.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from audiogen.audio import Recording, read
from audiogen.jobs.continuer_choice import MorphTarget
from audiogen.jobs.live_output import Device
from audiogen.jobs.live_stream import KEPT_SECONDS, LiveStream
from audiogen.jobs.live_take import engine_of, settings_of
from audiogen.jobs.prepare_tail import PreparedTail, prepare_tails
from audiogen.jobs.request import Request
from audiogen.output_names import shipped_recording
from audiogen.sound.live_settings import Change
from audiogen.sound.live_tail import Prepared
from audiogen.text_files import write_text

PAGE = Path(__file__).parents[1] / "docs" / "stream.md"
BEGIN, END = "<!-- by tools/check_stream.py -->", "<!-- end -->"
DEVICE_SECONDS = 0.2  # buffer of the simulated device
PREROLL_SECONDS = 2.0
SETTLED_SECONDS = 2.0  # of output after which a real device takes samples at its own pace
MIN_GAP_SECONDS = 0.05  # of a real device, twice the JACK server's usual period
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


class SimulatedDevice:
    """Plays nothing, at the pace of a sound device with a buffer of `DEVICE_SECONDS`.

    Attributes:
        gaps: blocks that came late.
        longest: gap, s.
    """

    def __init__(self, sample_rate: int) -> None:
        self.rate, self.done = sample_rate, 0
        self.started = time.monotonic()
        self.gaps, self.longest = 0, 0.0

    def write(self, block: np.ndarray) -> None:
        self.done += block.shape[1]
        now, due = time.monotonic(), self.started + self.done / self.rate - DEVICE_SECONDS
        if now > due + DEVICE_SECONDS:  # the device has run out of samples
            gap = now - due - DEVICE_SECONDS
            self.gaps, self.longest = self.gaps + 1, max(self.longest, gap)
            self.started += gap
        time.sleep(max(due - now, 0))

    def time_of(self, sample: int) -> float:
        """The moment at which a sample that has been written is played, by `time.monotonic`."""
        return self.started + sample / self.rate

    def close(self) -> None:
        """Nothing is open."""


class RealDevice:
    """The sound device of `audiogen stream --play`; attributes as of `SimulatedDevice`.

    Not every device says that it had nothing to play. All of them are late afterwards: gaps are found by the moments at
    which their buffer has room again.
    """

    def __init__(self, sample_rate: int, channels: int, name: str) -> None:
        self.rate, self.done = sample_rate, 0
        self.device = Device(sample_rate, channels, name)
        self._ends = list[float]()  # of each block: the moment at which it was taken, less its place
        self._written = list[float]()

    def write(self, block: np.ndarray) -> None:
        self.device.write(block)
        self.done += block.shape[1]
        self._ends.append(time.monotonic() - self.done / self.rate)
        self._written.append(self.done / self.rate)

    @property
    def _lateness(self) -> np.ndarray:
        """Seconds ``[blocks]`` by which each block is played later than without gaps, as far as can be known."""
        ends, written = np.array(self._ends), np.array(self._written)
        settled = ends[written > SETTLED_SECONDS]
        # A sample is played no later than any after it lets know.
        return np.minimum.accumulate(settled[::-1])[::-1] - settled.min(initial=np.inf)

    @property
    def gaps(self) -> int:
        return int((np.diff(self._lateness) > MIN_GAP_SECONDS).sum())

    @property
    def longest(self) -> float:
        return float(np.diff(self._lateness).max(initial=0.0))

    def time_of(self, sample: int) -> float:
        """The moment at which a sample of the latest block is played."""
        return time.monotonic() + self.device.latency - (self.done - sample) / self.rate

    def close(self) -> None:
        self.device.close()


class Played(NamedTuple):
    """How a stream was played.

    Args:
        gaps: how often the device had nothing to play.
        longest: gap, s.
        heard: by handle, the seconds from the moment it was moved until the device played the first sample that it had
            an effect on.
        costs: CPU time, s, of the beginning of each segment: of those that are reshaped, and of those taken up.
    """

    gaps: int
    longest: float
    heard: dict[str, list[float]]
    costs: tuple[list[float], list[float]]


def play(prepared: PreparedTail, seconds: float, moves: bool, device_name: str | None = None) -> Played:
    """Play in real time."""
    moved: dict[str, float] = {}
    waiting: list[tuple[int, str, float]] = []
    heard: dict[str, list[float]] = {}
    costs: tuple[list[float], list[float]] = ([], [])

    def note(change: Change) -> None:
        waiting.extend((change.position, name, moved[name]) for name in change.handles)

    with LiveStream(engine_of(prepared), settings_of(Request()), on_change=note) as stream:
        usable = [move for move in MOVES if move[0] in stream.handles]
        prepare = stream.tail.prepare

        def timed(handles: Mapping[str, Any], at: int) -> Prepared:
            begun = time.thread_time()
            try:
                return prepare(handles, at)
            finally:
                costs[not stream.tail.reshapes(handles)].append(time.thread_time() - begun)

        stream.tail.prepare = timed  # type: ignore[method-assign]
        stream.wait(PREROLL_SECONDS)
        rate = stream.sample_rate
        device = SimulatedDevice(rate) if device_name is None else RealDevice(rate, stream.channels, device_name)
        next_move, number = MOVE_EVERY, 0
        for block in stream.blocks():
            device.write(block)
            for each in [each for each in waiting if each[0] <= device.done]:
                waiting.remove(each)
                heard.setdefault(each[1], []).append(device.time_of(each[0]) - each[2])
            if moves and device.done / rate > next_move:
                name, value = usable[number % len(usable)]
                moved[name] = time.monotonic()
                stream.set(name, value)
                next_move, number = next_move + MOVE_EVERY, number + 1
            if device.done > seconds * rate:
                break
        device.close()
    return Played(device.gaps, device.longest, heard, costs)


def share_of_a_core(seconds: float = 2.0) -> float:
    """CPU time that a process which computes all the time is given, per second."""
    started, spent = time.monotonic(), time.process_time()
    while time.monotonic() - started < seconds:
        pass
    return (time.process_time() - spent) / seconds


def measured(prepared: PreparedTail, options: argparse.Namespace) -> Iterator[str]:
    """Rows of the tables of one recording."""
    speed: tuple[float, float, float] | None = None
    with busy(options.busy):
        shares = [share_of_a_core()]
        if "speed" in options.only:
            speed = speed_and_memory(prepared, options.seconds)
        played = {
            part: play(prepared, options.seconds, part == "moved", options.device)
            for part in PARTS[1:]
            if part in options.only
        }
        shares.append(share_of_a_core())
    yield "| what | is |\n|---|---|"
    yield f"| share of a core that a busy process got, before and after | {shares[0]:.2f}, {shares[1]:.2f} |"
    if speed is not None:
        yield f"| speed, seconds of output per second of CPU time | {speed[0]:.1f} |"
        yield f"| memory early, and at the end, MB | {speed[1]:.0f}, {speed[2]:.0f} |"
    for part, title in (("still", "handles at rest"), ("moved", f"a handle moved every {MOVE_EVERY:g} s")):
        if part in played:
            yield f"| gaps in {options.seconds:g} s, {title} | {gaps_of(played[part])} |"
    if "moved" not in played:
        return
    for title, costs in zip(("reshaped", "taken up"), played["moved"].costs, strict=True):
        if costs:
            values = f"{np.median(costs):.2f} s in the median, {max(costs):.2f} at most"
            yield f"| CPU time of the beginning of a segment that is {title} | {values} |"
    yield "\n| handle | moves | to the ear, s: median | longest |\n|---|---|---|---|"
    for name, values in played["moved"].heard.items():
        yield f"| {name} | {len(values)} | {np.median(values):.2f} | {max(values):.2f} |"


def gaps_of(played: Played) -> str:
    """Their number, and the longest."""
    return f"{played.gaps}, the longest {played.longest:.2f} s" if played.gaps else "0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0, help="of each measurement")
    parser.add_argument("--morph", type=Path, help="recording that the handle `morph` leads to")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--busy", type=int, default=2, help="processes beside the stream")
    parser.add_argument("--device", metavar="NAME", help="sound device to play on, in place of a simulated one")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/stream.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for path in options.recordings or [shipped_recording()]:
        request = Request(pulse=False)
        target = MorphTarget(read(options.morph)) if options.morph else None
        prepared = prepare_tails(in_stereo(read(path)), [request], target).tail(request)
        load = os.getloadavg()[0]
        rows = list(measured(prepared, options))
        machine = f"{platform.machine()}, {os.cpu_count()} cores, one thread, {options.busy} busy processes beside it"
        device = f"on the device {options.device}" if options.device else "on a simulated device"
        loads = f"load averages {load:.1f} before and {os.getloadavg()[0]:.1f} after"
        lines += [f"{path.stem}, {device}: {machine}; {loads}; {time.strftime('%Y-%m-%d')}.\n", *rows, ""]
        print("\n".join(lines[-len(rows) - 2 :]), flush=True)
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
        write_text(PAGE, text[:start] + "\n\n" + "\n".join(lines) + text[stop:])


if __name__ == "__main__":
    main()
