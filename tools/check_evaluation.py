"""Is the evaluation itself right? Two tables over a folder of real recordings, in Markdown, worst first.

    python tools/check_evaluation.py FOLDER [--seconds 20] [--seed 0]

Real against real: quarters of each recording against one another, which should read 1.0 +- 0.2 on average.
Baselines: each one's texture distance, copies and loops; each fault should show in the class meant to show
it.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from audiogen.audio import Recording, read
from audiogen.errors import InputError
from audiogen.evaluation.baselines import BASELINES
from audiogen.evaluation.judge import Judge
from audiogen.evaluation.texture import texture_distance
from audiogen.evaluation.texture_statistics import RESOLUTION

CLASSES = tuple(RESOLUTION)
PASTES = (0.05, 0.1, 0.25, 0.5)
PASTE = 1.0  # seconds


def quarter(recording: Recording, first: int, last: int) -> Recording:
    """Quarters ``first`` up to ``last`` of a recording."""
    step = recording.length // 4
    return recording.cut(first * step, recording.length if last == 4 else last * step)


def real_against_real(recording: Recording) -> list[dict[str, float]]:
    """Each quarter against the next, the floor from the other two: never from what is compared."""
    found = []
    for first, second, rest in ((2, 3, (0, 2)), (0, 1, (2, 4))):
        distance = texture_distance(
            quarter(recording, first, first + 1),
            quarter(recording, second, second + 1),
            quarter(recording, *rest),
        )
        found.append({"overall": distance.overall, **distance.classes})
    return found


def pasted(prompt: Recording, fresh: Recording, share: float, seed: int) -> Recording:
    """``fresh`` with about ``share`` of its time replaced by pieces of the prompt, 6 dB softer."""
    generator = np.random.default_rng(seed)
    length = round(PASTE * prompt.sample_rate)
    samples = fresh.samples.copy()
    count = max(1, round(share * fresh.length / length))
    for slot in generator.permutation(fresh.length // length)[:count]:
        start = int(generator.integers(0, prompt.length - length + 1))
        samples[:, slot * length : (slot + 1) * length] = 0.5 * prompt.samples[:, start : start + length]
    return Recording(samples, prompt.sample_rate)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; numbers to two places."""
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def print_real(recordings: dict[str, Recording]) -> None:
    """The table of real against real."""
    rows = []
    for name, recording in recordings.items():
        later, earlier = real_against_real(recording)
        both = {key: float(np.sqrt(later[key] * earlier[key])) for key in later}
        rows.append([name, f"{recording.seconds:.0f}", later["overall"], earlier["overall"]]
                    + [both.get(key, float("nan")) for key in CLASSES])  # fmt: skip
    rows.sort(key=lambda row: -abs(np.log(row[2])) - abs(np.log(row[3])))
    pooled = np.array([[row[2], row[3]] for row in rows])
    print("## Real against real\n")
    print(table(["recording", "s", "4th : 3rd", "2nd : 1st", *CLASSES], rows))
    middle = f"mean {pooled.mean():.2f}, median {np.median(pooled):.2f}"
    geometric, near = np.exp(np.log(pooled).mean()), np.mean(np.abs(pooled - 1) <= 0.2)
    print(f"\n{middle}, geometric mean {geometric:.2f}; within 0.8 to 1.2: {near:.0%}\n")


def print_baselines(recordings: dict[str, Recording], seconds: float, seed: int) -> None:
    """The table of baselines, and that of pasted copies."""
    rows: list[list[object]] = []
    by_class: dict[str, list[list[float]]] = {name: [] for name in BASELINES}
    pastes: list[list[object]] = []
    for name, recording in recordings.items():
        prompt, held_out = quarter(recording, 0, 3), quarter(recording, 3, 4)
        judge = Judge(prompt, held_out)
        real = judge.copying(held_out)
        row: list[object] = [name, real.share if real else float("nan")]
        for kind, baseline in BASELINES.items():
            tail = baseline(prompt, seconds, seed)
            texture, copying, looping = judge.texture(tail), judge.copying(tail), judge.looping(tail)
            if texture is None or copying is None or looping is None:
                raise InputError(name, "is too short", "leave it out")
            row += [texture.overall, f"{copying.share:.0%} / {looping.share:.0%}"]
            by_class[kind].append([texture.classes.get(key, float("nan")) for key in CLASSES])
        rows.append(row)
        fresh = BASELINES["grains"](prompt, 2 * seconds, seed)
        shares = [judge.copying(pasted(prompt, fresh, share, seed)) for share in (0.0, *PASTES)]
        pastes.append([name, *(matches.share for matches in shares if matches)])
    rows.sort(key=lambda row: -max(value for value in row[2::2] if isinstance(value, float)))
    pastes.sort(key=lambda row: -max(abs(float(str(v)) - s) for v, s in zip(row[1:], (0.0, *PASTES), strict=True)))
    head = [title for kind in BASELINES for title in (kind, "copied / looped")]
    print(f"## Baselines: {seconds:g} s from the first three quarters, against the last\n")
    print(table(["recording", "real copied", *head], rows))
    print("\nMedians by class:\n")
    medians = {kind: np.nanmedian(values, axis=0) for kind, values in by_class.items()}
    print(table(["baseline", *CLASSES], [[kind, *map(float, row)] for kind, row in medians.items()]))
    print(f"\n## Copies: {PASTE:g} s pieces of the prompt, 6 dB softer, among random grains of it\n")
    print(table(["recording", "0 %", *(f"{share:.0%}" for share in PASTES)], pastes))


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of recordings, 8 s or longer")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the baselines' tails")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    recordings = {}
    for path in sorted(arguments.folder.iterdir()):
        try:
            with warnings.catch_warnings(action="ignore"):
                recordings[path.stem] = read(path)
        except InputError as error:
            print(error, file=sys.stderr)
    print_real(recordings)
    print_baselines(recordings, arguments.seconds, arguments.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
