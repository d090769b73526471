"""Benchmark of speed beside the peers and the physical limits; writes docs/benchmarks.md and docs/benchmarks.json.

    python tools/benchmark.py [--quick] [--only mel read ...] [-o docs/benchmarks.md]

What is compared runs in one process, warm, by turns, or as processes by turns where a cold start is the subject.
Medians of CPU time and of wall-clock time are given; ratios are of CPU time, since other processes on the machine
change the wall-clock time first. Threads: one (OMP_NUM_THREADS=1), as audiogen computes by itself. Inputs are generated
from a seed. Never part of the tests: a machine's load is not a defect.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
import torchaudio
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from audiogen.audio import read
from audiogen.models.backbones import BACKBONES
from audiogen.models.backbones.base import Backbone
from audiogen.models.backbones.recurrent import RecurrentOptions
from audiogen.representation.mel import MelSpec, hann, log_mel
from tools.hash_outputs import texture

ROOT = Path(__file__).parents[1]
RATE, MINUTE = 44100, 60.0
ROUNDS, QUICK_ROUNDS = 15, 5
PACKAGES = ("torch", "torchaudio", "librosa", "soundfile", "numpy", "scipy", "soxr")
FORMATS = {  # name: container, sample format
    "WAV, 16 bits": ("WAV", "PCM_16"),
    "WAV, 24 bits": ("WAV", "PCM_24"),
    "WAV, float": ("WAV", "FLOAT"),
    "FLAC": ("FLAC", "PCM_16"),
    "Ogg Vorbis": ("OGG", "VORBIS"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
}


@dataclass
class Time:
    """Medians in seconds."""

    cpu: float
    wall: float


@dataclass
class Row:
    """A comparison.

    Args:
        section: key of `SECTIONS`.
        what: what is done.
        times: by who does it; "audiogen" first.
        limits: by name, what cannot be avoided.
        goals: by peer or limit, what its time over audiogen's is to be at least; negative: audiogen's over its at most.
    """

    section: str
    what: str
    times: dict[str, Time]
    limits: dict[str, Time]
    goals: dict[str, float]


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
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def run() -> None:
        subprocess.run([sys.executable, *command], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)

    return run


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


def mel(folder: Path, rounds: int) -> Iterator[Row]:
    """Log-mel spectrogram of a minute, mono."""
    spec = MelSpec()
    samples = torch.from_numpy(texture(MINUTE, 1, 0).T[0].astype(np.float32))
    array, window = samples.numpy(), hann(spec, samples.device)
    transform = torchaudio.transforms.MelSpectrogram(
        RATE, 2048, hop_length=512, n_mels=128, power=1.0, norm="slaney", mel_scale="slaney"
    )
    frames = samples.unfold(-1, spec.win, spec.hop).contiguous() * window

    def by_librosa() -> np.ndarray:
        bands = librosa.feature.melspectrogram(y=array, sr=RATE, n_fft=2048, hop_length=512, n_mels=128, power=1.0)
        return np.log(np.maximum(bands, 1e-5))

    times = by_turns(
        {
            "audiogen": lambda: log_mel(samples, spec),
            "librosa": by_librosa,
            "torchaudio": lambda: transform(samples).clamp(min=1e-5).log(),
            "its Fourier transforms alone": lambda: [torch.fft.rfft(tile) for tile in frames.split(128)],
        },
        rounds,
    )
    goals = {"librosa": 3.0, "torchaudio": 3.0, "its Fourier transforms alone": -3.0}
    yield Row("mel", "log-mel of 60 s, mono", *split(times, "its Fourier transforms alone"), goals)


def reading(folder: Path, rounds: int) -> Iterator[Row]:
    """Files of a minute, stereo."""
    samples = texture(MINUTE, 2, 0)
    samples = samples / np.abs(samples).max() * 0.9
    for name, (container, subtype) in FORMATS.items():
        path = folder / f"{container}-{subtype}"
        with soundfile.SoundFile(path, "w", RATE, 2, subtype, format=container) as file:
            for start in range(0, len(samples), 1 << 16):
                file.write(samples[start : start + (1 << 16)])
        times = by_turns(
            {
                "audiogen": lambda path=path: read(path),
                "librosa.load": lambda path=path: librosa.load(path, sr=None, mono=False),
                "the bytes of the file alone": path.read_bytes,
            },
            rounds,
        )
        goals = {"librosa.load": 2.0 if container == "WAV" else 1.0}
        yield Row("read", f"reading 60 s of stereo, {name}", *split(times, "the bytes of the file alone"), goals)


@torch.no_grad()
def stepping(folder: Path, rounds: int) -> Iterator[Row]:
    """One step of each backbone, a frame after 512 others."""
    torch.manual_seed(0)
    width, generator = 512, torch.Generator().manual_seed(0)
    backbone = BACKBONES["lstm"](width, RecurrentOptions(width, 2, 0.0)).eval()
    layers = nn.LSTM(width, width, 2, batch_first=True).eval()
    cells = [nn.LSTMCell(width, width), nn.LSTMCell(width, width)]
    weights = torch.randn(2 * 4 * width, 2 * width, generator=generator)
    for batch in (1, 16):
        frame = torch.randn(batch, 1, width, generator=generator)
        _, state = backbone(frame)
        packed = tuple(each.transpose(0, 1).contiguous() for each in state)
        both = torch.randn(2 * width, batch, generator=generator)

        def by_cells(frame: torch.Tensor = frame, state: tuple[torch.Tensor, ...] = packed) -> None:
            hidden = frame[:, 0]
            for cell, output, memory in zip(cells, *state, strict=True):
                hidden, _ = cell(hidden, (output, memory))

        functions = {
            "audiogen": lambda frame=frame, state=state: backbone(frame, state),
            "nn.LSTM": lambda frame=frame, packed=packed: layers(frame, packed),
            "nn.LSTMCell": by_cells,
            "the products alone": lambda both=both: weights @ both,
            "reading the weights once": weights.sum,
        }
        times = divided(by_turns({name: repeated(each) for name, each in functions.items()}, rounds))
        goals = {"nn.LSTM": 6.0, "nn.LSTMCell": 1.4} if batch == 1 else {"nn.LSTM": 4.0}
        limits = ("the products alone", "reading the weights once")
        yield Row("step", f"a step of an LSTM, 2 x 512, batch {batch}", *split(times, *limits), goals)
    for kind, name, goal in (("conv", "ring buffers", 15.0), ("transformer", "key-value cache", 50.0)):
        yield from _against_recomputing(
            BACKBONES[kind], f"a step of the {kind} ({name}) after 512 frames", goal, rounds
        )


def _against_recomputing(kind: type[Backbone], what: str, goal: float, rounds: int) -> Iterator[Row]:
    backbone = kind(32, kind.Options()).eval()
    frames = torch.randn(1, 513, 32, generator=torch.Generator().manual_seed(0))
    _, state = backbone(frames[:, :512])
    functions = {
        "audiogen": repeated(lambda: backbone(frames[:, 512:], state)),
        "recomputing all 512": repeated(lambda: backbone(frames)),
    }
    yield Row("step", what, divided(by_turns(functions, rounds)), {}, {"recomputing all 512": goal})


def starting(folder: Path, rounds: int) -> Iterator[Row]:
    """The help text, and Python itself."""
    functions = {"audiogen": process("-m", "audiogen", "--help"), "python -c pass": process("-c", "pass")}
    times = processes_by_turns(functions, rounds)
    yield Row("start", "`audiogen --help`", *split(times, "python -c pass"), {"python -c pass": -4.0})


FIRST_SECOND = """
import audiogen
rain, length = audiogen.read("rain.wav"), 0
for block in audiogen.stream(rain.samples, rain.sample_rate, seconds=30):
    length += block.shape[1]
    if length >= rain.sample_rate:
        break
"""


def continuing(folder: Path, rounds: int) -> Iterator[Row]:
    """Half a minute of stereo by the default, cold."""
    soundfile.write(folder / "rain.wav", texture(30.0, 2, 0), RATE, "PCM_16")
    command = ("-m", "audiogen", "continue", "rain.wav", "-o", "out.wav", "--seconds", "30", "--force", "-q")
    imports = "importing torch alone"
    functions = {
        "audiogen": process(*command, folder=folder),
        "the first second of it": process("-c", FIRST_SECOND, folder=folder),
        imports: process("-c", "import torch", folder=folder),
    }
    few = max(rounds // 5, 1)
    times = processes_by_turns(functions, few)
    yield Row("continue", "30 s of stereo by the default, cold start to closed file", *split(times, imports), {})


def variations(folder: Path, rounds: int) -> Iterator[Row]:
    """Sixteen variations and one, each once: they take long."""
    soundfile.write(folder / "rain.wav", texture(30.0, 2, 0), RATE, "PCM_16")
    command = ("-m", "audiogen", "continue", "rain.wav", "-o", "out.wav", "--seconds", "30", "--force", "-q")
    functions = {
        "audiogen": process(*command, "--variations", "16", folder=folder),
        "one of them": process(*command, folder=folder),
    }
    times = processes_by_turns(functions, rounds=1, warm=False)
    yield Row("variations", "16 variations of 30 s", times, {}, {"one of them": -5.0})


SECTIONS: dict[str, Callable[[Path, int], Iterator[Row]]] = {
    "mel": mel,
    "read": reading,
    "step": stepping,
    "start": starting,
    "continue": continuing,
    "variations": variations,
}


def ratio(row: Row, other: str) -> str:
    """How audiogen compares with another by CPU time, and whether that is the goal."""
    theirs, ours = (row.times | row.limits)[other].cpu, row.times["audiogen"].cpu
    goal = row.goals.get(other)
    if goal is None:
        return f"{theirs / ours:.2f} x" if other in row.times else f"{ours / theirs:.1f} times it"
    if goal > 0:
        return f"{theirs / ours:.2f} x (goal {goal:g}{', missed' if theirs / ours < goal else ''})"
    return f"{ours / theirs:.1f} times it (goal at most {-goal:g}{', missed' if ours / theirs > -goal else ''})"


def milliseconds(each: Time) -> str:
    return f"{1000 * each.cpu:.3g} / {1000 * each.wall:.3g}"


def page(result: dict[str, object], rows: list[Row], notes: str) -> str:
    """The page of the manual."""
    lines = [
        "# Speed",
        "",
        "Written by `tools/benchmark.py`; do not edit (the notes below are in `tools/benchmark_notes.md`).",
        "",
    ]
    lines += [__doc__.split("\n\n")[2].replace("\n", " "), ""]
    facts = ", ".join(f"{name} {number}" for name, number in result["versions"].items())  # type: ignore[attr-defined]
    lines += [f"Measured {result['date']} on {result['machine']}; load {result['load']}; {facts}.", ""]
    lines += ["| what | who | CPU / wall, ms | audiogen against it, by CPU |", "|---|---|---|---|"]
    for row in rows:
        for index, (who, each) in enumerate((row.times | row.limits).items()):
            what = row.what if index == 0 else ""
            who_text = f"limit: {who}" if who in row.limits else who
            lines.append(f"| {what} | {who_text} | {milliseconds(each)} | {ratio(row, who) if index else ''} |")
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
    parser.add_argument(
        "--only", nargs="*", default=[], choices=list(SECTIONS), help="sections; others keep their rows"
    )
    given = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":  # read by the libraries as they are loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"OMP_NUM_THREADS": "1"})
    torch.set_num_threads(1)
    data = given.output.with_suffix(".json")
    known = json.loads(data.read_text("utf-8"))["rows"] if data.exists() else []
    rows = [_row(each) for each in known]
    with tempfile.TemporaryDirectory() as folder:
        for name, section in SECTIONS.items():
            if given.only and name not in given.only:
                continue
            made = []
            for row in section(Path(folder), QUICK_ROUNDS if given.quick else ROUNDS):
                made.append(row)
                for who in row.times | row.limits:
                    print(f"{row.what}: {who}: {milliseconds((row.times | row.limits)[who])} ms", flush=True)
            rows = [row for row in rows if row.section != name] + made
    order = list(SECTIONS)
    rows.sort(key=lambda row: order.index(row.section))
    load = "not known" if not hasattr(os, "getloadavg") else f"{os.getloadavg()[1]:.1f}"
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "load": load,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "rows": [asdict(row) for row in rows],
    }
    data.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    notes = (ROOT / "tools" / "benchmark_notes.md").read_text("utf-8")
    given.output.write_text(page(result, rows, notes), "utf-8")


def _row(values: dict[str, object]) -> Row:
    row = Row(**values)  # type: ignore[arg-type]
    row.times, row.limits = ({name: Time(**each) for name, each in group.items()} for group in (row.times, row.limits))  # type: ignore[arg-type]
    return row


if __name__ == "__main__":
    main()
