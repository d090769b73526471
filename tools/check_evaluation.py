"""Validation of the evaluation: three Markdown tables over a folder of real recordings, worst first.

    python tools/check_evaluation.py FOLDER [-o docs/evaluation.md] [--seconds 20] [--seed 0]

Real against real: quarters of each recording are compared with each other; the mean should be 1.0 +- 0.2.
Baselines: the known fault of each should show in the measure for it. Copies: the measured fraction of pasted segments
should be close to the true one. With --rows FILE, measured rows are kept and not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import markdown_table
import numpy as np

from audiogen.audio import Recording, read
from audiogen.errors import InputError
from audiogen.metrics.candidate import evaluate_candidate, evaluate_real
from audiogen.metrics.scattering import ScatteringReference
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.metrics.texture import texture_distance
from audiogen.metrics.waveform_baselines import BASELINES
from audiogen.representation.texture_statistics import RESOLUTION
from audiogen.text_files import write_text

CLASSES = tuple(RESOLUTION)
PASTES = (0.0, 0.05, 0.1, 0.25, 0.5)
PASTE = 2.0  # seconds
FAULTS = {
    "loop": ("looped", "copied"),
    "grains": ("slow modulation",),
    "walk": ("copied",),
    "noise": ("moments", "correlation", "modulation"),
    "autoregression": ("moments", "modulation"),
}
VISIBLE = 1.25  # a class distance, or a fraction above that of real audio and 5 %, that shows a fault
TOLERANCE = 0.2  # of the mean distance of real audio from real audio around 1.0
Row = dict[str, Any]


def quarter(recording: Recording, first: int, last: int) -> Recording:
    """Quarters ``first`` up to ``last`` of a recording."""
    step = recording.length // 4
    return recording.cut(first * step, recording.length if last == 4 else last * step)


def real_against_real(recording: Recording) -> list[dict[str, float]]:
    """Compare each quarter with the next; the floor is taken from the other two."""
    found = []
    for first, second, rest in ((2, 3, (0, 2)), (0, 1, (2, 4))):
        generated = quarter(recording, first, first + 1)
        real, other = quarter(recording, second, second + 1), quarter(recording, *rest)
        distance = texture_distance(generated, real, other)
        scattering = ScatteringReference(real, other).distance(generated).overall
        found.append({"overall": distance.overall, "scattering": scattering, **distance.classes})
    return found


def pasted(prompt: Recording, fresh: Recording, share: float, seed: int) -> Recording:
    """``fresh`` with about ``share`` of its time replaced by segments of the prompt, at -6 dB."""
    generator = np.random.default_rng(seed)
    length = round(PASTE * prompt.sample_rate)
    samples = fresh.samples.copy()
    count = round(share * fresh.length / length)
    for slot in generator.permutation(fresh.length // length)[:count]:
        start = int(generator.integers(0, prompt.length - length + 1))
        samples[:, slot * length : (slot + 1) * length] = 0.5 * prompt.samples[:, start : start + length]
    return Recording(samples, prompt.sample_rate)


def measure(recording: Recording, seconds: float, seed: int) -> Row:
    """All measures of one recording."""
    prompt, held_out = quarter(recording, 0, 3), quarter(recording, 3, 4)
    evaluator = TailEvaluator(prompt, held_out)
    fresh = BASELINES["grains"](prompt, 2 * seconds, seed)
    copies = [evaluator.copying(pasted(prompt, fresh, share, seed)) for share in PASTES]
    tails = {name: baseline(prompt, seconds, seed) for name, baseline in BASELINES.items()}
    return {
        "seconds": recording.seconds,
        "real": real_against_real(recording),
        "original": evaluate_real(held_out, evaluator, []).row(),
        "baselines": {name: evaluate_candidate(name, tail, evaluator).row() for name, tail in tails.items()},
        "pasted": [matches.fraction for matches in copies if matches],
    }


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; numbers with two decimals."""

    def cell(value: object) -> str:
        return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)

    return markdown_table.table(list(head), (map(cell, row) for row in rows)).rstrip()


def real_section(found: dict[str, Row]) -> str:
    """Real against real."""
    rows = []
    for name, row in found.items():
        later, earlier = row["real"]
        both = [np.sqrt(later[key] * earlier[key]) if key in later else None for key in CLASSES]
        rows.append([name, f"{row['seconds']:.0f}", later["overall"], earlier["overall"], *both])
    rows.sort(key=lambda row: -abs(np.log(row[2])) - abs(np.log(row[3])))
    pooled = np.array([[row[2], row[3]] for row in rows])
    second = np.array([[pair["scattering"] for pair in found[row[0]]["real"]] for row in rows])
    middle = f"mean {pooled.mean():.2f}, median {np.median(pooled):.2f}"
    near = np.abs(pooled - 1) <= TOLERANCE
    far = ", ".join(row[0] for row, both in zip(rows, near, strict=True) if not both.all()) or "none"
    rest = pooled[1:].mean() if len(pooled) > 1 else pooled.mean()
    verdict = "Yes" if abs(pooled.mean() - 1) <= TOLERANCE else "No"
    return f"""## Real against real

A quarter of each recording is compared with another by the texture distance, with the floor taken from the other two.
It should read 1.0 ± 0.2 on average.

{table(["recording", "s", "4th : 3rd", "2nd : 1st", *CLASSES], rows)}

Over all pairs: {middle}, geometric mean {np.exp(np.log(pooled).mean()):.2f}; {near.mean():.0%} lie within 0.8 to 1.2;
recordings with a pair outside: {far}. Is the mean within 1.0 ± 0.2? {verdict}; without the first row it is {rest:.2f}.

By scattering moments, the second opinion: mean {second.mean():.2f}, median {np.median(second):.2f}; without the first
row the mean is {(second[1:] if len(rows) > 1 else second).mean():.2f}.
"""


def baseline_section(found: dict[str, Row], seconds: float) -> str:
    """The baselines by recording and by class, and whether their known faults show."""
    rows: list[list[Any]] = []
    for name, row in found.items():
        cells: list[Any] = [name, shares(row["original"])]
        for other in row["baselines"].values():
            cells += [other["overall"], shares(other)]
        rows.append(cells)
    rows.sort(key=lambda cells: -max(cells[2::2]))
    head = [title for kind in BASELINES for title in (kind, "copied / looped")]
    measures = ("overall", "scattering", "copied", "looped", *CLASSES)
    medians = {kind: medians_of([row["baselines"][kind] for row in found.values()], measures) for kind in BASELINES}
    return f"""## Baselines

Each baseline continues the first three quarters for {seconds:g} s and is compared with the last.

{table(["recording", "real copied / looped", *head], rows)}

Medians over the recordings:

{table(["baseline", *measures], [[kind, *values.values()] for kind, values in medians.items()])}

Is each baseline's known fault visible in the measure that is meant to show it? A class shows it at {VISIBLE} and above
in the median, a fraction at more than 5 % above that of the real audio; in brackets, the number of recordings.
(Steady rain has no slow structure that grains could miss; wind and waves have.)

{table(["baseline", "fault", "median", "visible"], list(visible(found)))}
"""


def visible(found: dict[str, Row]) -> Iterable[list[Any]]:
    """One row per known fault of a baseline."""
    for kind, measures in FAULTS.items():
        for name in measures:
            pairs = [(row["baselines"][kind].get(name), row["original"].get(name)) for row in found.values()]
            pairs = [(value, own or 0.0) for value, own in pairs if value is not None]
            share = name in ("copied", "looped")
            shown = [value > own + 0.05 if share else value >= VISIBLE for value, own in pairs]
            median = float(np.median([value for value, _ in pairs]))
            verdict = "yes" if np.median(shown) > 0.5 else "no"
            yield [kind, name, f"{median:.0%}" if share else median, f"{verdict} ({sum(shown)} of {len(shown)})"]


def medians_of(rows: list[Row], names: Iterable[str]) -> dict[str, float | None]:
    """Median of each measure over the rows that contain it."""
    columns = {name: [row[name] for row in rows if row.get(name) is not None] for name in names}
    return {name: float(np.median(values)) if values else None for name, values in columns.items()}


def shares(row: Row) -> str:
    """The fractions copied and looped."""
    return " / ".join("–" if row[name] is None else f"{row[name]:.0%}" for name in ("copied", "looped"))


def paste_section(found: dict[str, Row]) -> str:
    """Pasted copies."""
    rows = [[name, *row["pasted"]] for name, row in found.items()]
    rows.sort(key=lambda row: -max(abs(value - share) for value, share in zip(row[1:], PASTES, strict=True)))
    middle = [float(np.median(column)) for column in zip(*(row[1:] for row in rows), strict=True)]
    shown = [[name, *(f"{value:.0%}" for value in values)] for name, *values in [*rows, ["median", *middle]]]
    whole = f"{4 * PASTE - 1:g} of {4 * PASTE:g}"
    return f"""## Copies

Positive controls: segments of {PASTE:g} s of the prompt, 6 dB softer, pasted among random grains of it. Which fraction
of half seconds is detected as copied? (Of those that begin within such a segment, {whole} end within it, too.)

{table(["pasted", *(f"{share:.0%}" for share in PASTES)], shown)}
"""


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of recordings of at least 8 s")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/evaluation.md"), help="file to write")
    parser.add_argument("--rows", type=Path, help="JSON lines of measured rows, to resume from")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the baselines' tails in seconds")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    kept = arguments.rows.read_text("utf-8").splitlines() if arguments.rows and arguments.rows.exists() else []
    found: dict[str, Row] = dict(map(json.loads, kept))
    for path in sorted(arguments.folder.iterdir()):
        if path.is_dir() or path.stem in found:
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                found[path.stem] = measure(read(path), arguments.seconds, arguments.seed)
        except InputError as error:
            print(error, file=sys.stderr)
            continue
        print(path.stem, f"{found[path.stem]['real'][0]['overall']:.2f}", file=sys.stderr, flush=True)
        if arguments.rows:
            write_text(arguments.rows, "".join(json.dumps(item) + "\n" for item in found.items()))
    sections = [real_section(found), baseline_section(found, arguments.seconds), paste_section(found)]
    command = f"python tools/check_evaluation.py FOLDER --seconds {arguments.seconds:g} --seed {arguments.seed}"
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    head = f"# Validity of the evaluation\n\nMade by `{command}` over {len(found)} real recordings, worst first.\n\n"
    write_text(arguments.output, head + "\n".join(sections))
    print(arguments.output.read_text("utf-8"))


if __name__ == "__main__":
    main()
