"""How good are the continuations that `audiogen continue` makes by default? A Markdown table, worst first.

    python tools/check_continuations.py FOLDER -o docs/continuations.md [--seeds 3] [--set KEY=VALUE ...]

The first three quarters of each recording are the prompt, the tail is as long as the rest (30 s at most) and
is held against it. A seed is that of the training and of what is drawn. Every row that is finished is kept
in a .jsonl beside the table, with the settings it was made by, and is not made again.
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

from audiogen.audio import Recording, read, write
from audiogen.errors import InputError
from audiogen.evaluation.baselines import BASELINES
from audiogen.evaluation.judge import Judge
from audiogen.evaluation.report import Candidate, judged, judged_real
from audiogen.experiment import dump_yaml, read_experiment, write_text
from audiogen.jobs.continuing import Request, continue_variations
from audiogen.run import METRICS, WEIGHTS, Run

SUFFIXES = {".ogg", ".flac", ".wav", ".mp3"}
Row = dict[str, Any]


def split(path: Path, seconds: float) -> tuple[Recording, Recording, float]:
    """Prompt, real rest, and the length of the tail in seconds."""
    with warnings.catch_warnings(action="ignore"):
        whole = read(path)
    prompt = whole.cut(0, 3 * whole.length // 4)
    rest = whole.cut(prompt.length, whole.length)
    return prompt, rest, min(seconds, rest.seconds)


def settings_of(arguments: argparse.Namespace) -> str:
    """A digest of everything but the recording and the seed that decides about a tail."""
    if arguments.run is not None:
        said = (arguments.run / WEIGHTS).read_bytes() + (arguments.run / METRICS).read_bytes()
    else:
        said = dump_yaml(read_experiment(arguments.config, tuple(arguments.set))).encode()
    return hashlib.sha256(said + f"{arguments.seconds} {arguments.budget}".encode()).hexdigest()[:12]


def candidates(path: Path, judge: Judge, seconds: float) -> Iterator[Row]:
    """The rows of real audio and of the baselines."""
    assert judge.held_out is not None
    yield judged_real(judge.held_out, judge, []).row()
    for name, baseline in BASELINES.items():
        try:
            yield judged(name, baseline(judge.prompt, seconds, 0), judge).row()
        except InputError as error:
            print(f"{path.name}: {name}: {error}", file=sys.stderr)


def output(prompt: Recording, judge: Judge, seconds: float, seed: int, arguments: argparse.Namespace) -> Row:
    """The row of one tail, made as the command line makes it."""
    run = Run.open(arguments.run) if arguments.run is not None else None
    overrides = (*arguments.set, f"training.seed={seed}")
    experiment = None if run is not None else read_experiment(arguments.config, overrides)
    request = Request(seconds=seconds, seed=seed, tail_only=True)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        out = Path(folder) / "tail.wav"
        sidecar = next(continue_variations(prompt, [(out, request)], run, experiment, arguments.budget))
        tail = read(out)
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            joined = np.concatenate([prompt.samples, tail.samples], axis=1)
            stem = prompt.path.stem if prompt.path else "recording"
            write(arguments.keep / f"{stem}-{seed}.wav", Recording(joined, prompt.sample_rate), "PCM_24")
    timings = sidecar["timings"]
    return {
        **judged("output", tail, judge).row(),
        "seconds": round(sum(timings.values()), 1),
        "training": timings.get("training", 0.0),
        "steps": (sidecar["settings"]["training"] or {}).get("best_step"),
    }


def kept_rows(store: Path) -> list[Row]:
    """The rows of an earlier time; a line that was cut short by a crash is dropped from the file, too."""
    rows = []
    for line in store.read_text("utf-8").splitlines() if store.exists() else []:
        with suppress(ValueError):
            rows.append(json.loads(line))
    if store.exists():
        write_text(store, "".join(json.dumps(row) + "\n" for row in rows))
    return rows


def work(files: list[Path], store: Path, arguments: argparse.Namespace) -> list[Row]:
    """All rows that were asked for; those that are missing are made, and kept one by one."""
    store.parent.mkdir(parents=True, exist_ok=True)
    kept = kept_rows(store)
    settings, found = settings_of(arguments), []
    for path in files:
        prompt, rest, seconds = split(path, arguments.seconds)
        judge, place = Judge(prompt, rest), {"recording": path.stem, "length": round(seconds, 3)}
        own = [row for row in kept if row.items() >= place.items()]

        def keep(row: Row, place: Row = place) -> Row:
            with store.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row := {**place, **row}, allow_nan=False) + "\n")
            return row

        others = [row for row in own if row["candidate"] != "output"]
        if len({row["candidate"] for row in others}) <= 1:
            others = [keep(row) for row in list(candidates(path, judge, seconds))]
        found += others
        for seed in range(arguments.seeds):
            made = {"seed": seed, "settings": settings}
            row = next((row for row in own if row.items() >= made.items()), None)
            found.append(row or keep({**made, **output(prompt, judge, seconds, seed, arguments)}))
            print(line_of(found[-1]), file=sys.stderr, flush=True)
    return found


def line_of(row: Row) -> str:
    """A finished row for a terminal."""
    shares = f"copied {row['copied']:.0%}, looped {row['looped']:.0%}"
    return f"{row['recording']} {row['seed']}: {row['overall']:.2f}, {shares}, {row['seconds']:.0f} s"


def candidate_of(row: Row) -> Candidate:
    """A kept row as a candidate."""
    return Candidate(row["candidate"], row["overall"], {}, row["copied"], row["looped"])


def summary(rows: list[Row]) -> tuple[str, list[Row]]:
    """The Markdown table and lines that sum it up, and one row a recording."""
    lines = []
    for name in dict.fromkeys(row["recording"] for row in rows):
        own = [row for row in rows if row["recording"] == name]
        tails = [row for row in own if row["candidate"] == "output"]
        real = candidate_of(next(row for row in own if row["candidate"] == "real"))
        others = [candidate_of(row) for row in own if row["candidate"] in BASELINES]
        fair = [other.overall for other in others if other.overall is not None and not other.repeats(real)]
        lines.append(
            {
                "recording": name,
                "distances": [row["overall"] for row in tails],
                "median": float(np.median([row["overall"] for row in tails])),
                "worst class": worst_class(max(tails, key=lambda row: row["overall"])),
                "copied": max(row["copied"] for row in tails),
                "looped": max(row["looped"] for row in tails),
                "original": not any(candidate_of(row).repeats(real) for row in tails),
                "real": (real.copied, real.looped),
                "beats": [row["overall"] < min(fair, default=np.inf) for row in tails],
                "baselines": {
                    other.name: f"{other.overall:.2f}{'*' if other.repeats(real) else ''}" for other in others
                },
                "seconds": max(row["seconds"] for row in tails),
            }
        )
    lines.sort(key=lambda line: -line["median"])
    return table(lines), lines


def worst_class(row: Row) -> str:
    """The class of the texture distance that reads highest, and what it reads."""
    from audiogen.evaluation.texture_statistics import RESOLUTION

    value, name = max((row[name], name) for name in RESOLUTION if row.get(name) is not None)
    return f"{name} {value:.1f}"


def table(lines: list[Row]) -> str:
    """Markdown of `summary`'s rows."""
    heads = ["recording", "distance", "seeds", "worst class", "copied", "looped", "real copied / looped", "beats all"]
    text = ["| " + " | ".join([*heads, *BASELINES, "s"]) + " |", "|" + " --- |" * (len(heads) + len(BASELINES) + 1)]
    for line in lines:
        seeds = " ".join(f"{value:.2f}" for value in line["distances"])
        real = " / ".join("–" if share is None else f"{share:.0%}" for share in line["real"])
        shares = [f"{line['copied']:.0%}", f"{line['looped']:.0%}", real]
        beats = f"{sum(line['beats'])} of {len(line['beats'])}"
        others = [line["baselines"].get(name, "–") for name in BASELINES]
        cells = [line["recording"], f"{line['median']:.2f}", seeds, line["worst class"], *shares, beats, *others]
        text.append("| " + " | ".join([*cells, f"{line['seconds']:.0f}"]) + " |")
    every = np.concatenate([line["distances"] for line in lines])
    won = np.mean(np.concatenate([line["beats"] for line in lines]))
    middle = np.median([line["median"] for line in lines])
    text += [
        "",
        "Distance: the median over the seeds; copied, looped and s (wall-clock seconds): their largest. An asterisk",
        "marks a baseline that copies or repeats itself more than the real audio and 5 %: it is not counted in",
        "“beats all”, which says in how many of the seeds the tail is closer than every other baseline.",
        "",
        f"- median over recordings {middle:.2f}, over all {len(every)} tails {np.median(every):.2f}",
        f"- geometric mean {np.exp(np.log(every).mean()):.2f}, largest {every.max():.2f}",
        f"- {np.mean(every <= 1.15):.0%} within 1.15, {np.mean(every > 1.8):.0%} above 1.8",
        f"- closer than every baseline that does not repeat: {won:.0%} of tails",
        f"- original (copied and looped within the real audio's own and 5 %): {sum(line['original'] for line in lines)}"
        f" of {len(lines)} recordings",
        f"- longest {max(line['seconds'] for line in lines):.0f} s",
    ]
    return "\n".join(text) + "\n"


def main() -> None:
    """Make what is missing, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of recordings, 8 s or longer")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--rows", type=Path, help="where finished rows are kept [the output's name with .jsonl]")
    parser.add_argument("--only", nargs="*", help="stems of the recordings")
    parser.add_argument("--seeds", type=int, default=3, help="tails of each recording [3]")
    parser.add_argument("--seconds", type=float, default=30.0, help="longest tail [30]")
    parser.add_argument("--config", type=Path, help="YAML file of the experiment")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the experiment")
    parser.add_argument("--run", type=Path, help="a Run that predicts, instead of a training on each prompt")
    parser.add_argument("--budget", type=float, help="most seconds of training")
    parser.add_argument("--keep", type=Path, help="folder where prompt and tail are left as WAV")
    arguments = parser.parse_args()
    files = [path for path in sorted(arguments.folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    files = [path for path in files if arguments.only is None or path.stem in arguments.only]
    if not files:
        sys.exit(f"{arguments.folder}: there is no recording to continue")
    rows = work(files, arguments.rows or arguments.output.with_suffix(".jsonl"), arguments)
    text, _ = summary(rows)
    said = [*arguments.set, *([f"a Run at {arguments.run.name}"] if arguments.run else [])]
    head = f"# Continuations, worst first\n\nSettings: {', '.join(said) or 'the defaults'}.\n\n"
    write_text(arguments.output, head + text)
    print(text)


if __name__ == "__main__":
    main()
