"""Check of adversarial rounds: a critic, a policy that is rewarded by it, and a new critic of that policy.

Usage: python tools/check_critic.py FOLDER --runs RUNS -o OUT.md [--corpus fiddle] [--rounds 1] [--base CORPUS=RUN]

FOLDER contains MIDI files, as for `check_reinforcement.py`, whose bases and measures are used. In each round, a critic
is trained to tell the tails of the last Run from what was written, and the Run is fine-tuned to be taken for the
latter. The new critic of a round has never judged a policy while it was trained: how well it tells its tails from real
ones, in tunes of the test split, says whether they have come nearer. Finished Runs are kept in RUNS.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from check_reinforcement import BARS, PROMPT_BARS, PROMPTS, SHARED, Row, measured
from tune_corpora import CONFIGS, CORPORA, Corpus, named, prepared

from audiogen.experiment import read_experiment
from audiogen.run import Run
from audiogen.text_files import write_text
from audiogen.training.trainer import train
from audiogen.tunes.rewards.critic import CriticRun


def critic_of(corpus: Corpus, run: Run, out: Path) -> CriticRun:
    """A critic of a Run, which is trained if it is missing."""
    if not (out / "metrics.json").exists():
        lengths = f"fine_tuning={{prompt_bars: {PROMPT_BARS}, bars: {BARS[corpus.name]}}}"
        experiment = read_experiment(CONFIGS / "critic.yaml", (lengths,))
        train(experiment, corpus.folder, out, resume=out.exists(), device="cpu", base=run)
    return CriticRun.open(out)


def rewarded(corpus: Corpus, run: Run, critic: Path, out: Path) -> Run:
    """The Run fine-tuned towards what a critic takes for written, if it is missing."""
    if not (out / "metrics.json").exists():
        own = (f"training.batch_size={PROMPTS}", f"fine_tuning.bars={BARS[corpus.name]}")
        experiment = read_experiment(
            CONFIGS / "reinforce.yaml", (*SHARED, *own, f"fine_tuning.reward=['critic:{critic}']")
        )
        train(experiment, corpus.folder, out, resume=out.exists(), device="cpu", base=run)
    return Run.open(out)


def line(name: str, critic: CriticRun, row: Row) -> str:
    """A row of the table."""
    ratios = [ratio for ratio in row.ratios.values() if ratio is not None]
    chances = critic.metrics["mean_probability"]
    return (
        f"| {name} | {critic.metrics['auc']:.2f} | {critic.metrics['auc_degenerate']:.2f} | {chances['written']:.2f} | "
        f"{chances['played']:.2f} | {row.divergence:.3f} | {row.nats_of_real:.2f} | {np.median(ratios):.2f} | "
        f"{row.diversity:.2f} | {np.median(row.copied):.0f} | {max(row.copied)} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--corpus", choices=CORPORA, default="fiddle")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--base", action="append", default=[], metavar="CORPUS=RUN")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs, name = arguments.runs, arguments.corpus
    corpus = prepared(name, arguments.folder, runs, named(arguments.base).get(name))
    lines = [
        f"## {name.capitalize()}, adversarial rounds",
        "",
        "| Run | AUC of its own critic | AUC, degenerate | probability, written | played | KL, nats per token | "
        "NLL of real tunes | distance, median | diversity | copied, median | most |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    run = corpus.base
    for number in range(arguments.rounds + 1):
        critic = runs / f"critic-{name}-{number}"
        if number:
            run = rewarded(corpus, run, runs / f"critic-{name}-{number - 1}", runs / f"adversarial-{name}-{number}")
        found = critic_of(corpus, run, critic)
        if "auc" not in found.metrics:
            parser.error(f"the test split of {name} has no tune of {PROMPT_BARS + BARS[name]} bars: give more tunes")
        label = "base" if not number else f"round {number}"
        lines.append(line(label, found, measured(corpus, "adversarial", 0, run)))
        print(lines[-1], flush=True)
    write_text(arguments.output, "\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
