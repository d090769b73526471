"""What the continuation of partials costs: CPU time of the whole command, with it and without, as a Markdown table.

    python tools/check_tonality_time.py [RECORDING...] -o docs/tonality-time.md [--rounds 3]

The synthetic sounds of `check_tonality.py`, and recordings: 20 s of each are continued by 30 s (`--budget 0`), by
processes in turn.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import soundfile
from benchmark_timing import process, processes_by_turns
from check_tonality import PROMPT_SECONDS, RATE, SYNTHETIC
from markdown_table import table

from audiogen.audio import read
from audiogen.text_files import write_text

OPTIONS = ("--seconds", "30", "--budget", "0", "--force", "--quiet")
WITHOUT = "from audiogen.sound import prompt_analysis; prompt_analysis.find_partials = lambda recording: None"
WITH = "from audiogen.sound import prompt_analysis; find_partials = lambda recording: None"


def measured(samples: np.ndarray, rounds: int) -> list[str]:
    """Cells of a sound ``[channels, time]``: seconds with and without, and the difference in percent."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        soundfile.write(folder / "prompt.wav", np.atleast_2d(samples).T, RATE, "FLOAT")
        run = "; from audiogen.cli import main; main()"
        command = ("continue", "prompt.wav", "-o", "out.wav", *OPTIONS)
        variants = {"with": WITH, "without": WITHOUT}
        functions = {
            key: process("-Wignore", "-c", code + run, *command, folder=folder) for key, code in variants.items()
        }
        times = processes_by_turns(functions, rounds, warm=False)
    own, other = times["with"].cpu, times["without"].cpu
    return [f"{own:.2f}", f"{other:.2f}", f"{100 * (own / other - 1):+.0f} %"]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="*")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians are")
    arguments = parser.parse_args()
    count, load, rows = int(PROMPT_SECONDS * RATE), [os.getloadavg()[0]], []
    sounds = {name: make(PROMPT_SECONDS + 20)[:, :count] for name, make in SYNTHETIC.items()}
    for path in arguments.recordings:
        with warnings.catch_warnings(action="ignore"):
            whole = read(path).resampled(RATE).samples
        sounds[path.stem] = whole[:, : min(count, 2 * whole.shape[1] // 3)]
    for name, samples in sounds.items():
        rows.append([name, *measured(samples, arguments.rounds)])
        print(*rows[-1], file=sys.stderr, flush=True)
    load.append(os.getloadavg()[0])
    head = f"""# What partials cost

By `python tools/check_tonality_time.py {" ".join(sys.argv[1:])}`: CPU seconds of the whole command
`audiogen continue` (`{" ".join(OPTIONS[:-2])}`), started cold, with the partials of a sound continued by themselves and
as part of its texture. Medians of {arguments.rounds} runs by turns; load of the machine {load[0]:.0f} to {load[1]:.0f}.

"""
    write_text(arguments.output, head + table(["sound", "with", "without", "more"], rows))


if __name__ == "__main__":
    main()
