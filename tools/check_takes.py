"""What the choice among takes of a recording gains, by measures that have no part in it, as a Markdown table.

    python tools/check_takes.py FOLDER -o OUT.md [--takes 8] [--seconds 10] [--seed 0]

The first half of each recording in FOLDER is the prompt, at most 30 s of it. `audiogen continue --plan best-of` chooses
the take that is nearest to it in order and texture. Reported is how much nearer than the mean take the chosen one is:
by the distance that chose; by scattering moments, to the prompt; and by scattering moments, to what really came next.
Intervals are bootstrapped over recordings.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tune_corpora import interval

from audiogen.audio import Recording, read
from audiogen.data.recordings import SUFFIXES
from audiogen.jobs.best_take import choose_take
from audiogen.jobs.prepare_tail import prepare_tails
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import length_of, tail_blocks
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.text_files import write_text

PROMPT_SECONDS = 30.0


def gains(recording: Recording, takes: int, request: Request) -> tuple[float, float, float] | None:
    """The three gains of a recording; None if it is too short to measure one."""
    half = recording.length // 2
    prompt = recording.cut(max(0, half - round(PROMPT_SECONDS * recording.sample_rate)), half)
    real = recording.cut(half, min(recording.length, half + prompt.length))
    parts, continuer = prepare_tails(prompt, [request]).tail(request)
    if continuer is None:
        return None
    chosen, entry = choose_take(parts, continuer, request, takes)
    evaluator, distances = TailEvaluator(prompt, real), dict[int, float]()
    for take in entry["takes"]:
        blocks = tail_blocks(parts, continuer, length_of(prompt, request), replace(request, seed=take["seed"]))
        found = evaluator.scattering(Recording(np.concatenate(list(blocks), axis=1), prompt.sample_rate))
        if found is None or entry["unseen_gain"] is None:
            return None
        distances[take["seed"]] = found.overall
    return entry["gain"], entry["unseen_gain"], float(np.mean(list(distances.values()))) - distances[chosen.seed]


def table(rows: Sequence[tuple[str, tuple[float, float, float]]]) -> list[str]:
    """Markdown: a line for each recording, and the mean with its interval."""
    lines = [
        "| recording | gain, by what chose | scattering, to the prompt | scattering, to what came next |",
        "|---|---:|---:|---:|",
    ]
    lines += [f"| {name} | {' | '.join(f'{value:+.3f}' for value in values)} |" for name, values in rows]
    means = [interval(column) for column in zip(*(values for _, values in rows), strict=True)]
    cells = [f"{mean:+.3f} ({low:+.3f} to {high:+.3f})" for mean, low, high in means]
    return [*lines, f"| **mean (95 %)** | {' | '.join(cells)} |"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--takes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows: list[tuple[str, tuple[float, float, float]]] = []
    for path in sorted(path for path in arguments.folder.iterdir() if path.suffix.lower() in SUFFIXES):
        found = gains(read(path), arguments.takes, Request(seconds=arguments.seconds, seed=arguments.seed))
        print(path.stem, found, flush=True)
        rows += [] if found is None else [(path.stem, found)]
    write_text(arguments.output, "\n".join(table(rows)) + "\n")


if __name__ == "__main__":
    main()
