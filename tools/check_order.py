"""Order of the default's continuations, of the controls and of real audio, as Markdown tables.

    python tools/check_order.py RECORDING_OR_FOLDER ... -o docs/order.md [--seeds 3] [--seconds 10]

Of each recording, at most the first 80 s: three quarters are the prompt, and tails of 10 s are compared with what
followed. See `audiogen.metrics.order` for the measures. Finished rows are kept in a .jsonl beside the output and not
computed again: remove that file, or the lines of a candidate, when the code has changed.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import table

import audiogen
from audiogen.audio import Recording, read
from audiogen.errors import InputError
from audiogen.jobs.control_baselines import CONTROL_BASELINES
from audiogen.metrics import waveform_baselines
from audiogen.metrics.order import FORECASTS, MEASURES, STRUCTURE, OrderReference, geometric_mean, ratio
from audiogen.metrics.order_harmony import beat_of, chroma_movement
from audiogen.metrics.order_pulse import find_pulse, phase_shift, pulse_height, refine_period
from audiogen.metrics.waveform_repeat import waveform_repeat
from audiogen.text_files import write_text

SUFFIXES = {".ogg", ".flac", ".wav", ".mp3"}
MAX_SECONDS = 80.0  # of a recording
PROMPT = 0.75  # of it
MIN_SKILL = 0.1  # of the real tail, below which its part is not defined
HALF = 0.5  # seconds, the pieces that are reordered
SEGMENTS, REAL, DEFAULT = "another real segment", "real", "default"
REORDERED = {"half seconds, random": "random", "half seconds, reversed": "reversed"}
NAMES = (SEGMENTS, REAL, DEFAULT, *CONTROL_BASELINES, "loop", *REORDERED)
Rows = Callable[[str, str], list[dict[str, Any]]]  # of a recording and a candidate, one per seed


def split(path: Path, seconds: float) -> tuple[Recording, Recording]:
    """Prompt and real continuation."""
    with warnings.catch_warnings(action="ignore"):
        whole = read(path)
    whole = whole.cut(0, min(whole.length, round(MAX_SECONDS * whole.sample_rate)))
    join = round(PROMPT * whole.length)
    return whole.cut(0, join), whole.cut(join, min(whole.length, join + round(seconds * whole.sample_rate)))


def reordered(real: Recording, how: str, seed: int) -> Recording:
    """The half seconds of the real continuation in random or reversed order."""
    size = round(HALF * real.sample_rate)
    count = real.length // size
    order = np.random.default_rng(seed).permutation(count) if how == "random" else np.arange(count)[::-1]
    pieces = [real.samples[:, size * k : size * (k + 1)] for k in order]
    return Recording(np.ascontiguousarray(np.concatenate(pieces, axis=1)), real.sample_rate)


def tails(name: str, prompt: Recording, real: Recording, seeds: int) -> list[Recording]:
    """The tails of a candidate, one per seed where it has any."""
    if name == REAL:
        return [real]
    if name == "loop":
        return [waveform_baselines.loop(prompt, real.seconds)]
    if name in REORDERED:
        how = REORDERED[name]
        return [reordered(real, how, seed) for seed in range(seeds if how == "random" else 1)]
    if name in CONTROL_BASELINES:
        return [CONTROL_BASELINES[name](prompt, real.seconds, seed) for seed in range(seeds)]
    given = (prompt.samples, prompt.sample_rate, real.seconds)
    made = [audiogen.continue_audio(*given, seed, tail_only=True, budget=0) for seed in range(seeds)]
    return [Recording(np.atleast_2d(samples), prompt.sample_rate) for samples in made]


def rows_of(path: Path, missing: list[str], arguments: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    """The rows of each missing candidate of a recording, one per tail."""
    prompt, real = split(path, arguments.seconds)
    order = OrderReference(prompt, real, real.seconds)
    pulse, beat = find_pulse([order.prompt]), beat_of([order.prompt])
    movement = chroma_movement(order.prompt, beat)
    repeat = waveform_repeat(real, prompt)
    common = {
        "recording": path.stem + (" †" if repeat is not None and repeat.repeats else ""),
        "seconds": round(order.length / order.prompt.rate, 1),
        "contrast": order.contrast,
        "applies": {name: order.applies(name) for name in MEASURES},
    }

    def segment(index: int) -> dict[str, Any]:
        ratios = {name: ratio(order.own_losses[name][index], order.floor[name]) for name in MEASURES}
        own = skill(order.own_losses["forecast"][index])
        return {**common, "candidate": SEGMENTS, "seed": index, "ratios": ratios, "skill": own}

    def row(name: str, seed: int, tail: Recording) -> dict[str, Any]:
        features = order.features(tail)
        distance = order.distance(features)
        found = {**common, "candidate": name, "seed": seed, "ratios": distance.ratios}
        found["skill"] = skill(distance.losses["forecast"])
        found["movement"] = chroma_movement(features, beat) / movement
        if pulse is not None:
            found["kept"] = pulse_height(features, pulse.period) / max(pulse.height, 1e-6)
            found["tempo"] = 100 * (refine_period([features], pulse.period) / pulse.period - 1)
            found["shift"] = 1000 * phase_shift(order.prompt, features, pulse.period)
        return found

    for name in missing:
        if name == SEGMENTS:
            yield [segment(index) for index in range(len(order.starts))]
        else:
            made = tails(name, prompt, real, arguments.seeds)
            yield [row(name, seed, tail) for seed, tail in enumerate(made)]


def skill(loss: float) -> float:
    """Skill of the forecasts by their loss, the fraction of random ones that are nearer: 1 perfect, 0 as at random."""
    return 1 - 2 * loss


def overall(row: dict[str, Any]) -> float:
    """Geometric mean of the ratios over the measures that apply."""
    return _mean_ratio(row, tuple(MEASURES))


def without_forecasts(row: dict[str, Any]) -> float:
    """The same over the measures that do not forecast from contexts."""
    return _mean_ratio(row, tuple(name for name in MEASURES if name not in FORECASTS))


def _mean_ratio(row: dict[str, Any], measures: tuple[str, ...]) -> float:
    known = {name: value for name, value in row["ratios"].items() if np.isfinite(value)}
    found = geometric_mean([value for name, value in known.items() if name in measures and row["applies"][name]])
    return float("nan") if found is None else found


def ratio_by(measure: str) -> Callable[[dict[str, Any]], float]:
    """The ratio of a row by a measure."""
    return lambda row: row["ratios"].get(measure, np.nan)


def of(rows: list[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> float:
    """Mean of a value over rows (seeds); NaN without any."""
    values = [value(row) for row in rows]
    finite = [each for each in values if np.isfinite(each)]
    return float(np.mean(finite)) if finite else float("nan")


def text(value: float, form: str = ".2f") -> str:
    """A number, or a dash."""
    return format(value, form) if np.isfinite(value) else "–"


def report(rows: list[dict[str, Any]]) -> str:
    """The page."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["recording"], []).append(row)
    structured = [name for name, own in by_name.items() if any(own[0]["applies"][measure] for measure in STRUCTURE)]
    pulsed = [name for name, own in by_name.items() if own[0]["applies"]["pulse"]]

    def mine(recording: str, candidate: str) -> list[dict[str, Any]]:
        return [row for row in by_name[recording] if row["candidate"] == candidate]

    ordered = [name for name, _ in sorted(by_name.items(), key=lambda item: -item[1][0]["contrast"]["forecast"])]
    lines = []
    for name in ordered:
        own = by_name[name][0]
        marks = ["yes" if name in structured else "no", "yes" if name in pulsed else "no"]
        values = [text(of(mine(name, candidate), overall)) for candidate in NAMES]
        lines.append([name, f"{own['seconds']:g}", *marks, text(own["contrast"]["forecast"]), *values])
    heads = ["recording", "segment, s", "structured", "pulse", "contrast", *NAMES]
    parts = [
        "# Order\n",
        "Written by `python tools/check_order.py`; `audiogen.metrics.order` explains the measures. All values are"
        " ratios to the floor: 1.0 is the order of another real segment, larger is worse. *Contrast* is what the"
        " recording's own segments read with their patches of 93 ms in random order: a measure applies from 1.25 on"
        " (the pulse from 1.5), † marks recordings that repeat their own samples,"
        " and a recording is structured if the forecast, the states or the pulse applies.\n",
        f"Structured: {len(structured)} of {len(by_name)} ({', '.join(structured)}). With a pulse: {len(pulsed)}"
        f" ({', '.join(pulsed)}).\n",
        "## Overall, by recording\n",
        table(heads, [*lines, nearer(structured, mine, overall, 5)]),
        *independent_section([name for name in ordered if name in structured], mine),
        "## By measure\n\nMedian over the recordings to which the measure applies (structured ones, for the overall"
        " ratios), and in brackets the smallest and largest.\n",
    ]
    lines = []
    for candidate in NAMES:
        cells = []
        for measure in MEASURES:
            names = [name for name, own in by_name.items() if own[0]["applies"][measure]]
            cells.append(spread([of(mine(name, candidate), ratio_by(measure)) for name in names]))
        for value in (overall, without_forecasts):
            cells.append(spread([of(mine(name, candidate), value) for name in structured]))
        lines.append([candidate, *cells])
    parts.append(table(["candidate", *MEASURES, "overall", "overall without forecasts"], lines))
    parts += skill_section(structured, mine)
    parts.append(
        "## Pulse\n\nRecordings with a pulse: the part of its height that is kept, change of tempo in %, how late the"
        " first beats after the join are in ms, and chroma movement over the prompt's; means over seeds (of absolute"
        " values for tempo and beats).\n"
    )
    lines = []
    for name in pulsed:
        for candidate in (REAL, DEFAULT, *CONTROL_BASELINES):
            own = mine(name, candidate)
            lines.append(
                [
                    name,
                    candidate,
                    text(of(own, lambda row: row.get("kept", np.nan))),
                    text(of(own, lambda row: abs(row.get("tempo", np.nan))), ".1f"),
                    text(of(own, lambda row: abs(row.get("shift", np.nan))), ".0f"),
                    text(of(own, lambda row: row["movement"])),
                ]
            )
    parts.append(table(["recording", "candidate", "kept", "tempo, %", "late, ms", "chroma movement"], lines))
    return "\n".join(part if part.startswith("|") else wrapped(part) for part in parts)


def nearer(structured: list[str], mine: Rows, value: Callable[[dict[str, Any]], float], marks: int) -> list[str]:
    """A row that counts on how many structured recordings the default is nearer to real audio than each candidate."""
    counts = []
    for candidate in NAMES:
        pairs = [[of(mine(name, each), value) for each in (DEFAULT, candidate)] for name in structured]
        known = [(own, other) for own, other in pairs if np.isfinite(own) and np.isfinite(other)]
        won = sum(own < other for own, other in known)
        counts.append("–" if candidate == DEFAULT or not known else f"{won} of {len(known)}")
    return ["structured ones on which the default is nearer", *["–"] * (marks - 1), *counts]


def independent_section(structured: list[str], mine: Rows) -> list[str]:
    """The table of the overall ratio without what forecasts from contexts."""
    lines = [[name, *(text(of(mine(name, each), without_forecasts)) for each in NAMES)] for name in structured]
    return [
        "## Without forecasts, by recording\n\nThe default selects what followed contexts like the tail's own, and"
        f" three of the measures ({', '.join(FORECASTS)}) forecast from such contexts. Structured recordings, by those"
        " others that apply (states, memory, events, pulse, metre).\n",
        table(["recording", *NAMES], [*lines, nearer(structured, mine, without_forecasts, 1)]),
    ]


def skill_section(structured: list[str], mine: Rows) -> list[str]:
    """The table of the skill of forecasts, of structured recordings and their medians."""

    def skill_of(name: str, candidate: str) -> float:
        return of(mine(name, candidate), lambda row: row.get("skill", np.nan))

    known = [name for name in structured if skill_of(name, REAL) >= MIN_SKILL]
    lines = [[name, *(text(skill_of(name, candidate)) for candidate in NAMES)] for name in structured]
    kept = [spread([skill_of(name, each) / skill_of(name, REAL) for name in known]) for each in NAMES]
    lines.append(["kept of the real tail's, median", *kept])
    return [
        "## Skill of the forecast\n\nStructured recordings: how much nearer to what follows the forecasts by the"
        " recording's own places come than random ones (1 always, 0 as at random; copies are left out); means over"
        " seeds. The last row: its part of the real tail's, in the median (smallest and largest), over the"
        f" {len(known)} recordings where the real tail's is {MIN_SKILL:g} or more.\n",
        table(["recording", *NAMES], lines),
    ]


def wrapped(prose: str) -> str:
    """Paragraphs in lines of at most 120 characters."""
    return "\n".join(textwrap.fill(line, 120, break_on_hyphens=False) for line in prose.split("\n"))


def spread(values: list[float]) -> str:
    """Median, smallest and largest."""
    finite = [value for value in values if np.isfinite(value)]
    return f"{np.median(finite):.2f} ({min(finite):.2f}–{max(finite):.2f})" if finite else "–"


def main() -> None:
    """Compute missing recordings and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="+", help="files, or folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--rows", type=Path, help="file of finished recordings [the output's name with .jsonl]")
    parser.add_argument("--seeds", type=int, default=3, help="tails per recording and candidate [3]")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a tail, at most [10]")
    arguments = parser.parse_args()
    files = [
        path for given in arguments.recordings for path in (sorted(given.iterdir()) if given.is_dir() else [given])
    ]
    store = arguments.rows or arguments.output.with_suffix(".jsonl")
    lines = store.read_text("utf-8").splitlines() if store.exists() else []
    rows = [row for line in lines for row in json.loads(line)]
    done = {(row["recording"].removesuffix(" †"), row["candidate"]) for row in rows}
    for path in files:
        missing = [name for name in NAMES if (path.stem, name) not in done]
        if path.suffix.lower() not in SUFFIXES or not missing:
            continue
        try:
            for found in rows_of(path, missing, arguments):
                rows += found
                with store.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
                print(path.stem, found[0]["candidate"], text(of(found, overall)), flush=True)
        except InputError as error:
            print(error, file=sys.stderr)
    names = {path.stem for path in files}
    page = report([row for row in rows if row["recording"].removesuffix(" †") in names])
    write_text(arguments.output, page)
    print(page)


if __name__ == "__main__":
    main()
