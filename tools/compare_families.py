"""Comparison of Models: each configuration on the same recordings, as a Markdown table, best first.

    python tools/compare_families.py FOLDER -o docs/families.md [--configs configs/mel/*.yaml] [--only STEM ...]

The first three quarters of each recording are the prompt; the Model is trained on it, and its tail (at most 10 s) is
compared with the real continuation. Times are CPU seconds of one thread, which do not depend on the load of the
machine. Finished cells are kept in a .jsonl beside the table and not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from audiogen.audio import Recording, read
from audiogen.experiment import read_experiment
from audiogen.jobs.run_choice import single_recording
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.models import Sampling
from audiogen.representation.mel_latents import MelLatents
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.text_files import write_text
from audiogen.training.trainer import train

CONFIGS = Path(__file__).parents[1] / "configs" / "mel"
PRETRAIN = "pretrain.yaml"  # for hours of audio, not for one prompt
SUFFIXES = {".ogg", ".flac", ".wav", ".mp3"}
STEP_SECONDS = 10.0  # seconds of sound for the speed of the Model alone
COPIED = 0.05  # fraction of 0.5 s windows above which the copying is audible
CLOSE = 1.05  # relative to the best distance: not distinguishable with few recordings
Cell = dict[str, Any]
T = TypeVar("T")


def cell(config: Path, path: Path, seconds: float) -> Cell:
    """One configuration on one recording."""
    with warnings.catch_warnings(action="ignore"):
        whole = read(path)
        prompt = whole.cut(0, 3 * whole.length // 4)
        rest = whole.cut(prompt.length, whole.length)
        evaluator, length = TailEvaluator(prompt, rest), round(min(seconds, rest.seconds) * whole.sample_rate)
        run, training = timed(lambda: train(single_recording(read_experiment(config)), prompt, device="cpu"))
        continuer, warming = timed(lambda: Continuer(run, prompt, match_texture=False))
        tail, rendering = timed(lambda: np.concatenate(list(continuer.tail(length)), axis=1))
    sound = Recording(tail, prompt.sample_rate)
    distance, copied, looped = evaluator.texture(sound), evaluator.copying(sound), evaluator.looping(sound)
    assert distance is not None, f"{path.name} is too short to say anything about"
    return {
        "config": config.stem,
        "recording": path.stem,
        "distance": round(distance.overall, 4),
        "copied": round(copied.fraction, 4) if copied else None,
        "looped": round(looped.fraction, 4) if looped else None,
        "training": round(training, 2),
        "steps": run.metrics["steps"],
        "parameters": run.metrics["parameters"],
        "warming": round(warming, 2),
        "rendering": round(rendering / sound.seconds, 4),
        "model": round(stepping(run), 5),
    }


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result of a call and its CPU seconds."""
    started = time.process_time()
    return work(), time.process_time() - started


@torch.no_grad()
def stepping(run: Run) -> float:
    """CPU seconds of the Model alone per second of sound."""
    assert isinstance(run.representation, MelLatents)
    state = run.model.start(torch.zeros(1, 300, run.representation.features))
    sampling = Sampling(generator=torch.Generator().manual_seed(0))
    steps = round(STEP_SECONDS / run.representation.step_seconds)

    def walk() -> None:
        walked = state
        for _ in range(steps):
            _, walked = run.model.step(walked, sampling)

    return timed(walk)[1] / STEP_SECONDS


def geometric(values: Iterable[float]) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(list(values)))))


def table_rows(cells: list[Cell]) -> list[Cell]:
    """One row per configuration, best first; those without a cell for each recording last."""
    rows = []
    for name in dict.fromkeys(cell["config"] for cell in cells):
        own = [cell for cell in cells if cell["config"] == name]
        row: Cell = {"config": name, "distances": {cell["recording"]: cell["distance"] for cell in own}}
        row["distance"] = geometric(row["distances"].values())
        row["copied"] = max(cell["copied"] or 0.0 for cell in own)
        for key in ("training", "steps", "parameters", "model", "rendering"):
            row[key] = float(np.mean([cell[key] for cell in own]))
        rows.append(row)
    return sorted(rows, key=lambda row: (-len(row["distances"]), row["distance"]))


def page(cells: list[Cell]) -> str:
    """The Markdown file."""
    rows = table_rows(cells)
    names = list(dict.fromkeys(cell["recording"] for cell in cells))
    heads = [
        "configuration",
        "distance",
        *names,
        "copied",
        "training, s",
        "steps",
        "parameters",
        "Model, ms",
        "all, ms",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for row in rows:
        each = [f"{row['distances'][name]:.2f}" if name in row["distances"] else "–" for name in names]
        figures = [f"{row['training']:.1f}", f"{row['steps']:.0f}", f"{row['parameters'] / 1e6:.2f} M"]
        speeds = [f"{1000 * row['model']:.1f}", f"{1000 * row['rendering']:.0f}"]
        own = [row["config"], f"{row['distance']:.2f}", *each, f"{row['copied']:.0%}", *figures, *speeds]
        lines.append("| " + " | ".join(own) + " |")
    return "\n".join([TITLE, "", *lines, "", LEGEND, "", *families(rows), "## Which to choose", "", *advice(rows), ""])


TITLE = """# Model families

Made by `tools/compare_families.py`: the configurations in `configs/mel`, one seed."""
LEGEND = """Distance: texture distance, geometric mean over the recordings (1.0 is as close to the real
continuation as another real segment). Copied: largest fraction of half seconds that repeat the prompt. Training
in processor seconds of one thread. Processor milliseconds per second of sound: of the Model alone, of the whole
chain with vocoder and join.
`loop`, `grains`, `walk`, `noise` and `var` are baselines: they are rendered as sampled, while the samples of the others
are replaced by patches of the prompt under rules that exclude copies and loops."""


def families(rows: list[Cell]) -> list[str]:
    """Means over configurations with the same backbone or head."""
    pairs = {tuple(row["config"].split("-")): row for row in rows if row["config"].count("-") == 1}
    lines = []
    for index, what in enumerate(("backbone", "head")):
        kinds = dict.fromkeys(pair[index] for pair in pairs)
        found = {kind: [row for pair, row in pairs.items() if pair[index] == kind] for kind in kinds}
        lines += [f"| {what} | distance | training, s | Model, ms |", "| --- | --- | --- | --- |"]
        for kind, own in sorted(found.items(), key=lambda item: geometric(row["distance"] for row in item[1])):
            distance = geometric(row["distance"] for row in own)
            training, model = (float(np.mean([row[key] for row in own])) for key in ("training", "model"))
            lines.append(f"| {kind} | {distance:.2f} | {training:.1f} | {1000 * model:.1f} |")
        lines.append("")
    return lines


def advice(rows: list[Cell]) -> list[str]:
    """Recommendations for single requirements."""
    complete = [row for row in rows if len(row["distances"]) == len(rows[0]["distances"])]
    fresh = [row for row in complete if row["copied"] <= COPIED] or complete
    best = fresh[0]
    close = [row for row in fresh if row["distance"] <= CLOSE * best["distance"]]
    trained = min(close, key=lambda row: row["training"])
    stepped = min(close, key=lambda row: row["model"])
    untrained = [row for row in fresh if row["steps"] == 0]
    ready = untrained[0] if untrained else min(fresh, key=lambda row: row["training"])
    lines = [
        f"- **The closest**: {describe(best)}.",
        f"- **As close within {CLOSE - 1:.0%}, and quickest to train**: {describe(trained)}, "
        f"{trained['training']:.1f} s.",
        f"- **As close within {CLOSE - 1:.0%}, and quickest to generate**: {describe(stepped)}, "
        f"{1000 * stepped['model']:.1f} ms per second of sound.",
        f"- **No time to train**: {describe(ready)}, {ready['training']:.1f} s.",
    ]
    copying = [row["config"] for row in complete if row["copied"] > COPIED]
    if copying:
        lines.append(
            f"- **Not where the source must not be recognised** (more than {COPIED:.0%} copied): {', '.join(copying)}."
        )
    return lines


def describe(row: Cell) -> str:
    """A configuration and its distance, as text."""
    return f"`{row['config']}` ({row['distance']:.2f})"


def main() -> None:
    """Compute the missing cells, and write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of recordings")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    usual = sorted(path for path in CONFIGS.glob("*.yaml") if path.name != PRETRAIN)
    parser.add_argument("--configs", type=Path, nargs="+", default=usual, help=f"[configs/mel, without {PRETRAIN}]")
    parser.add_argument("--only", nargs="*", help="stems of the recordings")
    parser.add_argument("--seconds", type=float, default=10.0, help="maximum length of a tail [10]")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    files = [path for path in sorted(arguments.folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    files = [path for path in files if arguments.only is None or path.stem in arguments.only]
    store = arguments.output.with_suffix(".jsonl")
    cells = [json.loads(line) for line in store.read_text("utf-8").splitlines()] if store.exists() else []
    done = {(cell["config"], cell["recording"]) for cell in cells}
    for path in files:
        for config in arguments.configs:
            if (config.stem, path.stem) not in done:
                cells.append(cell(config, path, arguments.seconds))
                print(cells[-1], file=sys.stderr, flush=True)
                write_text(store, "".join(json.dumps(cell) + "\n" for cell in cells))
                write_text(arguments.output, page(cells))
    write_text(arguments.output, page(cells))


if __name__ == "__main__":
    main()
