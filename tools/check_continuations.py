"""Quality of the default continuations of `audiogen continue`, as a Markdown table, worst first.

    python tools/check_continuations.py TEXTURES MUSIC -o docs/continuations.md [--seeds 3] [--at-once]

One section per folder. The first three quarters of each recording are the prompt; the tail is as long as the rest (at
most 30 s) and is compared with it. The seed applies to sampling and, with --config or --set, to the training. With
--at-once each tail is also generated with a budget of 0 s, by the base without training. Finished rows are kept with
their settings in a .jsonl beside the table and not computed again: remove that file when the code has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from continuation_tables import AT_ONCE, OUTPUT, Row, summary
from verbatim_runs import longest_verbatim_run

from audiogen.audio import Recording, read, write
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, read_experiment
from audiogen.jobs.continue_sound import Request, continue_variations
from audiogen.metrics.candidate import evaluate_candidate, evaluate_real
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.metrics.waveform_baselines import BASELINES
from audiogen.metrics.waveform_repeat import waveform_repeat
from audiogen.pretrained import BASE
from audiogen.run import METRICS, WEIGHTS, Run
from audiogen.sound.beat_continuation import BEATS_PER_BAR
from audiogen.text_files import write_text

SUFFIXES = {".ogg", ".flac", ".wav", ".mp3"}


def split(path: Path, seconds: float) -> tuple[Recording, Recording, float]:
    """Prompt, real rest, and the length of the tail in seconds."""
    with warnings.catch_warnings(action="ignore"):
        whole = read(path)
    prompt = whole.cut(0, 3 * whole.length // 4)
    rest = whole.cut(prompt.length, whole.length)
    return prompt, rest, min(seconds, rest.seconds)


def settings_of(arguments: argparse.Namespace, budget: float | None) -> str:
    """Digest of everything that determines a tail, except recording and seed."""
    if arguments.run is not None:
        parts = (arguments.run / WEIGHTS).read_bytes() + (arguments.run / METRICS).read_bytes()
    else:
        parts = dump_yaml(read_experiment(arguments.config, tuple(arguments.set))).encode()
        if experiment_of(arguments, 0) is None:
            parts += (BASE / WEIGHTS).read_bytes()  # may be chosen instead of the trained Run
    return hashlib.sha256(parts + f"{arguments.seconds} {budget}".encode()).hexdigest()[:12]


def budget_of(name: str, arguments: argparse.Namespace) -> float | None:
    """Training time limit of the tails of a row name, in seconds."""
    return 0.0 if name == AT_ONCE else arguments.budget


def candidates(path: Path, evaluator: TailEvaluator, seconds: float) -> Iterator[Row]:
    """Rows of the real audio and of the baselines."""
    assert evaluator.held_out is not None
    repeat = waveform_repeat(evaluator.held_out, evaluator.prompt)
    real = evaluate_real(evaluator.held_out, evaluator, []).row()
    run = longest_verbatim_run(evaluator.held_out, evaluator.prompt)
    yield {**real, "repeat": repeat.correlation if repeat else 0.0, "run": run}
    for name, baseline in BASELINES.items():
        try:
            yield evaluate_candidate(name, baseline(evaluator.prompt, seconds, 0), evaluator).row()
        except InputError as error:
            print(f"{path.name}: {name}: {error}", file=sys.stderr)


def experiment_of(arguments: argparse.Namespace, seed: int) -> Experiment | None:
    """Experiment to train on each prompt; None for the command line's default."""
    if arguments.run is not None or not (arguments.config or arguments.set):
        return None
    return read_experiment(arguments.config, (*arguments.set, f"training.seed={seed}"))


def outputs(
    prompt: Recording,
    evaluator: TailEvaluator,
    seconds: float,
    seeds: list[int],
    name: str,
    arguments: argparse.Namespace,
) -> Iterator[Row]:
    """One row per seed; the default is trained once for all seeds, as with ``--variations``."""
    own = experiment_of(arguments, 0) is not None
    for group in [[seed] for seed in seeds] if own else [seeds]:
        yield from tails(prompt, evaluator, seconds, group, name, arguments)


def tails(
    prompt: Recording,
    evaluator: TailEvaluator,
    seconds: float,
    seeds: list[int],
    name: str,
    arguments: argparse.Namespace,
) -> Iterator[Row]:
    """Rows of the tails of one training, rendered as the command line does; the name sets the budget."""
    run = Run.open(arguments.run) if arguments.run is not None else None
    experiment = experiment_of(arguments, seeds[0])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        outs = [Path(folder) / f"{seed}.wav" for seed in seeds]
        wanted = [
            (out, Request(seconds=seconds, seed=seed, tail_only=True)) for out, seed in zip(outs, seeds, strict=True)
        ]
        budget = budget_of(name, arguments)
        for sidecar, out, seed in zip(
            continue_variations(prompt, wanted, run, experiment, budget), outs, seeds, strict=True
        ):
            tail = read(out)
            if arguments.keep:
                keep_audio(prompt, tail, f"{name.replace(' ', '')}-{seed}", arguments.keep)
            rhythm = sidecar["settings"].get("rhythm")
            timings, training = sidecar["timings"], sidecar["settings"]["training"] or {}
            yield {
                "candidate": name,
                "seed": seed,
                "settings": settings_of(arguments, budget),
                **evaluate_candidate(name, tail, evaluator).row(),
                "seconds": round(sum(timings.values()), 1),
                "training": timings.get("training", 0.0),
                "steps": training.get("best_step"),
                "chosen": (training.get("choice") or {}).get("chosen"),
                "run": longest_verbatim_run(tail, prompt),
                "bar": bar_seconds(rhythm) if rhythm else None,
            }


def bar_seconds(rhythm: dict[str, Any]) -> float:
    """Seconds of a bar of a recording that is continued by its beats."""
    return (rhythm["beats_per_bar"] or BEATS_PER_BAR) * 60 / rhythm["bpm"]


def keep_audio(prompt: Recording, tail: Recording, name: str, folder: Path) -> None:
    """Write prompt and tail as WAV files."""
    folder.mkdir(parents=True, exist_ok=True)
    joined = np.concatenate([prompt.samples, tail.samples], axis=1)
    stem = prompt.path.stem if prompt.path else "recording"
    write(folder / f"{stem}-{name}.wav", Recording(joined, prompt.sample_rate), "PCM_24")


def kept_rows(store: Path) -> list[Row]:
    """Rows of an earlier run; an incomplete last line is also removed from the file."""
    rows = []
    for line in store.read_text("utf-8").splitlines() if store.exists() else []:
        with suppress(ValueError):
            rows.append(json.loads(line))
    if store.exists():
        write_text(store, "".join(json.dumps(row) + "\n" for row in rows))
    return rows


def work(files: list[Path], store: Path, arguments: argparse.Namespace) -> list[Row]:
    """All requested rows; missing ones are computed and stored one by one."""
    store.parent.mkdir(parents=True, exist_ok=True)
    kept, found = kept_rows(store), []
    for path in files:
        prompt, rest, seconds = split(path, arguments.seconds)
        evaluator = TailEvaluator(prompt, rest)
        key = {"section": path.parent.name, "recording": path.stem, "length": round(seconds, 3)}
        own = [row for row in kept if row.items() >= key.items()]

        def keep(row: Row, key: Row = key) -> Row:
            with store.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row := {**key, **row}, allow_nan=False) + "\n")
            return row

        others = [row for row in own if row["candidate"] not in (OUTPUT, AT_ONCE)]
        if len({row["candidate"] for row in others}) <= 1:
            others = [keep(row) for row in list(candidates(path, evaluator, seconds))]
        found += others
        for name in (OUTPUT, AT_ONCE)[: 1 + arguments.at_once]:
            settings = settings_of(arguments, budget_of(name, arguments))
            made = [row for row in own if row["candidate"] == name and row["settings"] == settings]
            made = [row for row in made if row["seed"] < arguments.seeds]
            missing = [seed for seed in range(arguments.seeds) if seed not in [row["seed"] for row in made]]
            for row in outputs(prompt, evaluator, seconds, missing, name, arguments) if missing else ():
                made.append(keep(row))
                print(line_of(made[-1]), file=sys.stderr, flush=True)
            found += sorted(made, key=lambda row: row["seed"])
    return found


def recordings_of(arguments: argparse.Namespace) -> list[Path]:
    """The requested files by folder; exits if there are none."""
    files = [path for folder in arguments.folders for path in sorted(folder.iterdir())]
    files = [path for path in files if path.suffix.lower() in SUFFIXES]
    files = [path for path in files if arguments.only is None or path.stem in arguments.only]
    return files or sys.exit(f"{arguments.folders[0]}: there is no recording to continue")


def line_of(row: Row) -> str:
    """A finished row as a line of text."""
    shares = f"copied {row['copied']:.0%}, looped {row['looped']:.0%}"
    name = f"{row['recording']} {row['candidate']} {row['seed']}"
    return f"{name}: {row['overall']:.2f}, {shares}, {row['seconds']:.0f} s"


def main() -> None:
    """Compute missing rows and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", help="folders of recordings of at least 8 s; one section each")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--rows", type=Path, help="file of finished rows [the output's name with .jsonl]")
    parser.add_argument("--only", nargs="*", help="stems of the recordings")
    parser.add_argument("--seeds", type=int, default=3, help="tails per recording [3]")
    parser.add_argument("--seconds", type=float, default=30.0, help="maximum length of a tail [30]")
    parser.add_argument("--config", type=Path, help="YAML file of the experiment")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the experiment")
    parser.add_argument("--run", type=Path, help="use this Run instead of training on each prompt")
    parser.add_argument("--budget", type=float, help="training time limit in seconds")
    parser.add_argument("--at-once", action="store_true", help="also generate tails with --budget 0, shown in a column")
    parser.add_argument("--keep", type=Path, help="folder for prompts and tails as WAV files")
    arguments = parser.parse_args()
    if arguments.at_once and arguments.run is not None:
        parser.error("--at-once is about training on the prompt; a Run is trained already")
    if arguments.at_once and (arguments.config or arguments.set):
        parser.error("--at-once is about the base as it is; an experiment of one's own has to be trained")
    rows = work(recordings_of(arguments), arguments.rows or arguments.output.with_suffix(".jsonl"), arguments)
    parts = [*arguments.set, *([f"a Run at {arguments.run.name}"] if arguments.run else [])]
    parts += [] if arguments.budget is None else [f"a budget of {arguments.budget:g} s"]
    text = f"# Continuations, worst first\n\nSettings: {', '.join(parts) or 'the defaults'}.\n"
    for section in dict.fromkeys(row["section"] for row in rows):
        text += f"\n## {section.capitalize()}\n\n{summary([row for row in rows if row['section'] == section])[0]}"
    write_text(arguments.output, text)
    print(text)


if __name__ == "__main__":
    main()
