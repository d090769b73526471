"""Held-out negative log-likelihood per note: Markov chains with back-off against trained networks.

Usage: python tools/benchmark_symbolic.py FOLDER --runs RUNS -o OUT.md [--models MODEL,...] [--budget SECONDS]
                                          [KEY=VALUE ...]

FOLDER holds MIDI files; those called bach_* are one corpus, oneills_* and ryan_* another, each split by tune with the
same seed for all models. Chains are counted on all thirteen transpositions that the networks are trained on, and their
discounts fitted to the validation part. Every finished row stays in RUNS and is not computed again; a training that was
cut off is resumed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from audiogen.data.datasets import Item, folder_of_files
from audiogen.data.recordings import SplitFractions
from audiogen.experiment import read_experiment
from audiogen.text_files import dump_json, write_text
from audiogen.training.trainer import train
from audiogen.tunes.metrics.note_likelihood import likelihood_of
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.models.markov import Markov, MarkovOptions
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune

CONFIGS = Path(__file__).parents[1] / "configs" / "midi"
CORPORA = {"chorales": ("bach_*.mid",), "fiddle tunes": ("oneills_*.mid", "ryan_*.mid")}
ORDERS = {"events": (5, 15), "notes": (5,)}  # five tokens; in `events` fifteen are about five notes
NETWORKS = {"events": ("lstm", "transformer", "lstm without hints"), "notes": ("reference",)}
OVERRIDES = {
    "lstm without hints": ("model.voices=0", "model.match_length=0", "training.steps=1500", "training.window=192")
}
"""What differs from the configuration of the name's first word."""
ORDER_5 = "Markov chain, order 5"
KEYS = range(-6, 7)
PARTS = ("train", "validation", "test")
HEADING = """# Tunes: how well held-out ones are predicted

Made by `tools/benchmark_symbolic.py`. Nats per note of whole tunes that no model has learned from (lower is better); a
scheme's figures can be compared with one another, not with those of the other scheme, which holds other notes. "Fewer"
is against the chain of order 5, and against the best chain, of that scheme. All trainings on one thread of a CPU; a
model's size is its parameters, a chain's the n-grams that it has counted.
"""


def corpus(folder: Path, patterns: Iterable[str], place: Path) -> Path:
    """A folder with links to the tunes of one corpus."""
    place.mkdir(parents=True, exist_ok=True)
    for pattern in patterns:
        for path in folder.glob(pattern):
            link = place / path.name
            if not link.exists():
                link.symlink_to(path.resolve())
    return place


def parts_of(items: list[Item]) -> dict[str, list[Tune]]:
    tunes = {part: [item.tune() for item in items if item.split == part] for part in PARTS}
    return {part: [tune for tune in found if tune is not None] for part, found in tunes.items()}


def scored(model: Any, tokenizer: Tokenizer, parts: dict[str, list[Tune]]) -> dict[str, Any]:
    return {
        part: {"nats_per_note": told.per_note, "nats_per_second": told.per_second, "notes": told.notes}
        for part in PARTS[1:]
        for told in [likelihood_of(model, tokenizer, parts[part])]
    }


def markov_row(order: int, tokenizer: Tokenizer, parts: dict[str, list[Tune]]) -> dict[str, Any]:
    started = time.process_time()
    model = Markov(tokenizer.size, MarkovOptions(order))
    learned = [tune.transposed(key) for tune in parts["train"] for key in KEYS]
    counted, held = (
        [torch.from_numpy(tokenizer.encode(tune)) for tune in some] for some in (learned, parts["validation"])
    )
    model.fit(counted, held)
    seconds = time.process_time() - started
    size = sum(len(level.keys) for level in model.levels)
    return {"size": size, "seconds": seconds, "steps": None, **scored(model, tokenizer, parts)}


def network_row(config: str, data: Path, out: Path, budget: float | None, overrides: tuple[str, ...]) -> dict[str, Any]:
    path = CONFIGS / f"{config.partition(' ')[0]}.yaml"
    experiment = read_experiment(path, (*OVERRIDES.get(config, ()), *overrides))
    started = time.process_time()
    run = train(experiment, data, out, budget, resume=(out / "config.yaml").exists(), device="cpu")
    assert isinstance(run.representation, Midi)
    parts = parts_of(folder_of_files(data, experiment.training.split_fractions, experiment.training.seed))
    return {
        "size": run.metrics["parameters"],
        "seconds": time.process_time() - started,
        "steps": f"{run.metrics['best_step']} of {run.metrics['steps']}",
        **scored(run.model, run.representation.tokenizer, parts),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: one table a corpus and scheme."""
    lines = [HEADING]
    for name in CORPORA:
        for scheme in ORDERS:
            found = [row for row in rows if row["corpus"] == name and row["scheme"] == scheme]
            if not found:
                continue
            chains = {row["model"]: row["test"]["nats_per_note"] for row in found if row["steps"] is None}
            bars = [chains[ORDER_5], min(chains.values())] if ORDER_5 in chains else []
            lines += [f"## {name.capitalize()}, scheme `{scheme}`", ""]
            lines += ["| model | validation | test | nats/s (test) | fewer: order 5 | best | size | steps | CPU s |"]
            lines += ["|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
            for row in found:
                test = row["test"]
                fewer = [f"{100 * (1 - test['nats_per_note'] / bar):.1f} %" for bar in bars] or ["", ""]
                lines.append(
                    f"| {row['model']} | {row['validation']['nats_per_note']:.3f} | {test['nats_per_note']:.3f} | "
                    f"{test['nats_per_second']:.2f} | {' | '.join(fewer)} | {row['size']:,} | {row['steps'] or ''} | "
                    f"{row['seconds']:.0f} |"
                )
            lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--models", help="comma-separated networks; all of them unless told")
    parser.add_argument("--budget", type=float)
    asked = parser.parse_intermixed_args()
    torch.set_num_threads(1)
    kept = asked.runs / "rows.json"
    rows: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else []
    wanted = [
        (name, scheme, kind)
        for scheme in ORDERS
        for kind in (*ORDERS[scheme], *NETWORKS[scheme])
        for name in CORPORA
        if scheme == "events" or name == "fiddle tunes"  # a chorale's top line is no chorale
    ]
    for name, scheme, kind in sorted(wanted, key=lambda job: isinstance(job[2], int)):
        label = f"Markov chain, order {kind}" if isinstance(kind, int) else kind
        if asked.models and isinstance(kind, str) and kind not in asked.models.split(","):
            continue
        if any((row["corpus"], row["scheme"], row["model"]) == (name, scheme, label) for row in rows):
            continue
        data = corpus(asked.folder, CORPORA[name], asked.runs / name)
        if isinstance(kind, int):
            tokenizer = TOKENIZERS[scheme](TOKENIZERS[scheme].Options())
            row = markov_row(kind, tokenizer, parts_of(folder_of_files(data, SplitFractions(), 0)))
        else:
            row = network_row(kind, data, asked.runs / f"{name} {kind}", asked.budget, tuple(asked.overrides))
        rows.append({"corpus": name, "scheme": scheme, "model": label, **row})
        write_text(kept, dump_json(rows))
        write_text(asked.output, table(rows))
        print(json.dumps(rows[-1]), flush=True)


if __name__ == "__main__":
    main()
