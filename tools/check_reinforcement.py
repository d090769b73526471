"""Check of fine-tuning towards a reward: what it gains on held-out tunes, and what it costs.

Usage: python tools/check_reinforcement.py FOLDER --runs RUNS -o docs/reinforcement-tables.md [--only WORD,...]
                                           [--base CORPUS=RUN]

FOLDER contains MIDI files: bach_* are one corpus, oneills_* and ryan_* another, each split by tune. An LSTM is
trained on each, unless RUNS has one or --base names another Run, and then fine-tuned by each method with three seeds.
Finished Runs and rows are kept in RUNS, and an interrupted training is resumed; --only restricts the work to Runs whose
names contain one of the words, and the tables have all finished rows. The prompts are the first bars of tunes of the
test split; the tails are sampled at temperature 1.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tune_corpora import CONFIGS, CORPORA, Corpus, interval, named, prepared

from audiogen.experiment import read_experiment
from audiogen.models import Sampling
from audiogen.run import Run
from audiogen.text_files import dump_json, write_text
from audiogen.training.trainer import train
from audiogen.training.tunes.policy_losses import k3
from audiogen.training.tunes.rollouts import Rollouts, distinct_ngrams, opening, sample_rollouts
from audiogen.tunes.metrics.note_likelihood import likelihood_of
from audiogen.tunes.metrics.tune_statistics import distances
from audiogen.tunes.models.token_model import TokenModel
from audiogen.tunes.rewards import build_reward
from audiogen.tunes.tune import Tune

PROMPT_BARS, BARS, STEPS = 2, {"fiddle": 4, "chorales": 2}, 30
PROMPTS = 8  # per step
REWARD = ("key", "range", "leaps")
SHARED = (
    f"fine_tuning={{reward: [{', '.join(REWARD)}], prompt_bars: {PROMPT_BARS}}}",
    f"training={{steps: {STEPS}, schedule: cosine, log_media_every: 0}}",
)
METHODS = {
    "rloo": ("reinforce", ()),
    "dpo": ("preference", ("training.steps=40",)),
    "rloo-without-kl": (  # twice as long and as fast, so that it arrives where the others are kept from
        "reinforce",
        (
            "fine_tuning={kl_weight: 0, kl_target: 0, entropy_floor: 0, diversity_floor: 0}",
            "training={steps: 60, learning_rate: 0.001}",
        ),
    ),
}
"""Name -> configuration, and what differs from it."""
SEEDS = (0, 1, 2)
MAX_PROMPTS = 24
TAILS, SEARCHED = 4, 32  # per prompt: of each method, and of the search
SEARCHED_AT_ONCE = 4  # prompts


@dataclass
class Row:
    """Measures of the tails of one Run after held-out prompts.

    Args:
        corpus: key of `CORPORA`.
        method: "base" or a key of `METHODS`.
        seed: of the training.
        rewards: mean reward after each prompt.
        best: largest reward of `SEARCHED` tails after each prompt; of the base with the first seed only.
        nats: negative log-likelihood under the base of all tails, per note.
        nats_of_real: that of held-out tunes under this Run, per note.
        divergence: KL divergence from the base, nats per token.
        diversity: `distinct_ngrams`.
        ratios: distance to the real continuations by statistic, relative to that between halves of them.
        copied: longest run of notes of each tail that is in the training split as well.
    """

    corpus: str
    method: str
    seed: int
    rewards: list[float]
    best: list[float]
    nats: float
    nats_of_real: float
    divergence: float
    diversity: float
    ratios: dict[str, float | None]
    copied: list[int]


def prompts_of(corpus: Corpus) -> list[Tune]:
    """Openings of the test split."""
    openings = [opening(tune, PROMPT_BARS) for tune in corpus.tunes["test"].values()]
    return [prompt for prompt in openings if prompt is not None][:MAX_PROMPTS]


def reals_of(corpus: Corpus) -> list[Tune]:
    """What follows the openings of tunes that the base was not trained on."""
    tails = []
    for tune in corpus.held_out.values():
        whole, prompt = opening(tune, PROMPT_BARS + BARS[corpus.name]), opening(tune, PROMPT_BARS)
        if whole is not None and prompt is not None:
            lines = tune.bar_lines()
            start = int(lines[np.searchsorted(lines, prompt.notes["start"].max(), side="right")])
            tails.append(whole.between(start, whole.end))
    return tails


def fine_tuned(corpus: Corpus, method: str, seed: int, runs: Path) -> Run:
    """The Run of a method and a seed, which is trained if it is missing."""
    out = runs / f"{method}-{corpus.name}-{seed}"
    if not (out / "metrics.json").exists():
        config, overrides = METHODS[method]
        prompts = f"training.batch_size={PROMPTS}"
        own = (f"training.seed={seed}", prompts, f"fine_tuning.bars={BARS[corpus.name]}")
        experiment = read_experiment(CONFIGS / f"{config}.yaml", (*SHARED, *overrides, *own))
        train(experiment, corpus.folder, out, resume=out.exists(), device="cpu", base=corpus.base)
    return Run.open(out)


def rewards_of(made: Rollouts, bars: int) -> np.ndarray:
    """Reward of each tail, ``[prompts, group]``."""
    reward = build_reward(REWARD)
    values = [reward.given(prompt, bars)(tail) for tail, prompt in zip(made.tails, made.prompts, strict=True)]
    return np.array(values).reshape(-1, made.group)


def sampled(run: Run, corpus: Corpus, prompts: Sequence[Tune], group: int, seed: int) -> Rollouts:
    assert isinstance(run.model, TokenModel)
    sampling = Sampling(generator=torch.Generator().manual_seed(seed))
    return sample_rollouts(run.model, corpus.tokenizer, prompts, BARS[corpus.name], group, sampling)


@torch.no_grad()
def measured(corpus: Corpus, method: str, seed: int, run: Run) -> Row:
    """The measures of one Run."""
    base = corpus.base.model
    assert isinstance(base, TokenModel)
    assert isinstance(run.model, TokenModel)
    bars, prompts = BARS[corpus.name], prompts_of(corpus)
    made = sampled(run, corpus, prompts, TAILS, 1000 + seed)
    nats = -float(base.log_likelihood(made.tokens)[made.sampled].sum())
    log_probs, reference = (made.taken(made.log_distribution(model)) for model in (run.model, base))
    best: list[float] = []
    if method == "base" and seed == SEEDS[0]:
        for first in range(0, len(prompts), SEARCHED_AT_ONCE):
            some = prompts[first : first + SEARCHED_AT_ONCE]
            best += rewards_of(sampled(run, corpus, some, SEARCHED, 5000 + first), bars).max(axis=1).tolist()
    return Row(
        corpus=corpus.name,
        method=method,
        seed=seed,
        rewards=rewards_of(made, bars).mean(axis=1).tolist(),
        best=best,
        nats=nats / max(sum(len(tail.notes) for tail in made.tails), 1),
        nats_of_real=likelihood_of(run.model, corpus.tokenizer, list(corpus.tunes["test"].values())).per_note,
        divergence=float(k3(log_probs, reference).mean()),
        diversity=distinct_ngrams(made.tails),
        ratios={name: found.ratio for name, found in distances(made.tails, reals_of(corpus)).items()},
        copied=corpus.index.lengths(made.tails).tolist(),
    )


def table(corpus: str, rows: list[Row]) -> list[str]:
    """Markdown of one corpus: a row of each Run, and the gain of each method over all seeds."""
    own = [row for row in rows if row.corpus == corpus]
    bases = [row for row in own if row.method == "base"]
    best = np.array([row.best for row in bases if row.best])
    if not len(best):
        return []
    usual = {name: float(np.mean([getattr(row, name) for row in bases])) for name in ("nats", "diversity")}
    start = np.mean([row.rewards for row in bases], axis=0)
    headroom = best.mean() - start.mean()
    lines = [
        f"## {corpus.capitalize()}",
        "",
        f"{len(start)} prompts of the test split, {TAILS} tails each. Best of {SEARCHED} tails of the base by the "
        f"reward itself: {best.mean():.3f}. The headroom is the distance to that from the base's mean, "
        f"{start.mean():.3f}.",
        "",
        "| method | seed | reward (95 %) | headroom | KL, nats per token | NLL under the base | NLL of real tunes | "
        "distance, median | worst | diversity | copied, median | most |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|",
    ]
    lines += [_line(row, float(start.mean()), float(headroom), usual) for row in own]
    lines += ["", "| gain over the base, same prompts | seeds | reward (95 %) | headroom |", "|---|---:|---:|---:|"]
    for method in dict.fromkeys(row.method for row in own if row.method != "base"):
        gains = np.mean([row.rewards for row in own if row.method == method], axis=0) - start
        _, low, high = interval(gains)
        seeds = sum(row.method == method for row in own)
        lines.append(
            f"| {method} | {seeds} | {gains.mean():+.3f} ({low:+.3f} to {high:+.3f}) | "
            f"{100 * gains.mean() / headroom:.0f} % ({100 * low / headroom:.0f} to {100 * high / headroom:.0f}) |"
        )
    return [*lines, ""]


def _line(row: Row, start: float, headroom: float, usual: dict[str, float]) -> str:
    values = np.array(row.rewards)
    _, low, high = interval(values)
    ratios = {name: ratio for name, ratio in row.ratios.items() if ratio is not None}
    worst = max(ratios, key=lambda name: ratios[name])
    share = "" if row.method == "base" else f"{100 * (values.mean() - start) / headroom:.0f} %"
    return (
        f"| {row.method} | {row.seed} | {values.mean():.3f} ({low:.3f} to {high:.3f}) | {share} | "
        f"{row.divergence:.3f} | {row.nats:.2f} ({100 * (row.nats / usual['nats'] - 1):+.0f} %) | "
        f"{row.nats_of_real:.2f} | {np.median(list(ratios.values())):.2f} | {ratios[worst]:.2f} {worst} | "
        f"{row.diversity:.2f} ({100 * row.diversity / usual['diversity']:.0f} %) | "
        f"{np.median(row.copied):.0f} | {max(row.copied)} |"
    )


HEADER = """# Reinforcement: tables

Written by `python tools/check_reinforcement.py FOLDER --runs RUNS -o docs/reinforcement-tables.md`.
[Reinforcement](reinforcement.md#how-to-read-the-tables) explains the columns.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default="", help="words, separated by commas [all Runs]")
    parser.add_argument("--base", action="append", default=[], metavar="CORPUS=RUN")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    words = [word for word in arguments.only.split(",") if word]
    kept = arguments.runs / "rows.json"
    jobs = [(corpus, method, seed) for seed in SEEDS for method in ("base", *METHODS) for corpus in CORPORA]
    corpora: dict[str, Corpus] = {}
    for name, method, seed in jobs:
        label = f"{method}-{name}-{seed}"
        if (words and not any(word in label for word in words)) or label in read_rows(kept):
            continue
        if name not in corpora:
            corpora[name] = prepared(name, arguments.folder, arguments.runs, named(arguments.base).get(name))
        corpus = corpora[name]
        run = corpus.base if method == "base" else fine_tuned(corpus, method, seed, arguments.runs)
        row = measured(corpus, method, seed, run)
        write_text(kept, dump_json(read_rows(kept) | {label: asdict(row)}))
        print(label, f"reward {np.mean(row.rewards):.3f}, KL {row.divergence:.3f}", flush=True)
    order = [f"{method}-{name}-{seed}" for name in CORPORA for method in ("base", *METHODS) for seed in SEEDS]
    found = read_rows(kept)
    rows = [Row(**found[label]) for label in order if label in found]
    write_text(arguments.output, "\n".join([HEADER, *(line for name in CORPORA for line in table(name, rows))]))


def read_rows(path: Path) -> dict[str, Any]:
    """Finished rows by the name of the Run."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


if __name__ == "__main__":
    main()
