"""Memory and time by length of prompt and tail, of `audiogen continue` in a process of its own; writes docs/memory.md.

    python tools/check_memory.py [--minutes 1 60] [--jobs prompt tail page backward ...] [-o docs/memory.md]

Prompts are stereo noise of 48 kHz and 16 bits with a random level, generated from a seed. Peaks are the largest
resident sets (`ru_maxrss`). A row that has been measured stays until it is measured again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
RATE = 48000
JOBS = {  # name: what is done, seconds of the tail (None: as long as the prompt), options
    "prompt": ("a tail of 60 s", 60.0, ()),
    "page": ("the same, with a page", 60.0, ("--page",)),
    "loop": ("the same, as a loop", 60.0, ("--loop",)),
    "loudness": ("the same, at a loudness, edges kept", 60.0, ("--loudness", "-20", "--keep-edges")),
    "backward": ("60 s before it", 60.0, ("--backward",)),
    "ambience": ("60 s of its ambience", 60.0, ("--ambience",)),
    "tail": ("a tail as long as the prompt", None, ()),
}
PAGE = """# Memory

Written by `tools/check_memory.py`. Peak of the memory and CPU time of `audiogen continue`, by the length of the prompt,
stereo noise of 48 kHz. Of a prompt of more than five minutes, the part next to the tail is material; the rest is copied
from file to file.

| what is made | {lengths} |
|---|{rules}|
{rows}
"""


def write_noise(path: Path, minutes: float) -> None:
    """Noise whose level wanders by some dB within a second."""
    random = np.random.default_rng(1)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for _ in range(round(60 * minutes)):
            levels = np.interp(np.linspace(0, 8, RATE), np.arange(9), 0.4 * random.standard_normal(9))
            file.write(np.clip(0.1 * random.standard_normal((RATE, 2)) * np.exp(levels)[:, None], -1, 1))


def measure(prompt: Path, seconds: float, options: tuple[str, ...]) -> dict[str, float]:
    """CPU and wall-clock seconds and the peak in MiB of one command."""
    code = (
        "import resource, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )
    command = ("-m", "audiogen", "continue", str(prompt), "-o", str(prompt.with_name("out.wav")), "--force", "-q")
    started = time.monotonic()
    made = subprocess.run(
        [sys.executable, "-c", code, *command, "--seconds", f"{seconds:g}", *options],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    cpu, peak = made.stdout.split()[-2:]
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return {"cpu": float(cpu), "wall": time.monotonic() - started, "peak": float(peak) * unit / 2**20}


def page(found: dict[str, dict[str, dict[str, float]]]) -> str:
    """The page of the manual, of results by job and minutes."""
    lengths = sorted({minutes for job in found.values() for minutes in job}, key=float)
    rows = []
    for name, (what, _, _) in JOBS.items():
        cells = [
            f"{each['peak']:.0f} MiB, {each['cpu']:.0f} s" if (each := found.get(name, {}).get(minutes)) else ""
            for minutes in lengths
        ]
        if any(cells):
            rows.append(f"| {what} | {' | '.join(cells)} |")
    heads = " | ".join(f"prompt of {float(minutes):g} min" for minutes in lengths)
    return PAGE.format(lengths=heads, rules="|".join("---" for _ in lengths), rows="\n".join(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", nargs="*", type=float, default=[1.0, 5.0, 60.0])
    parser.add_argument("--jobs", nargs="*", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "memory.md")
    arguments = parser.parse_args()
    data = arguments.output.with_suffix(".json")
    found = json.loads(data.read_text()) if data.exists() else {}
    for minutes in arguments.minutes:
        with tempfile.TemporaryDirectory() as folder:
            prompt = Path(folder) / "prompt.wav"
            write_noise(prompt, minutes)
            for name in arguments.jobs:
                _, seconds, options = JOBS[name]
                result = measure(prompt, seconds or 60 * minutes, options)
                found.setdefault(name, {})[f"{minutes:g}"] = {key: round(value, 2) for key, value in result.items()}
                print(f"{minutes:g} min, {name}: {result}", flush=True)
                data.write_text(json.dumps(found, indent=1) + "\n")
                arguments.output.write_text(page(found))


if __name__ == "__main__":
    main()
